"""The XML twin of the manufacturers' interface: the same messages with the same names as in JSON.

The real hub speaks SOAP whose schema is not public; this form is ours, like the JSON. Messages are
turned into the JSON of the same message before anybody looks at them, so no rule is there twice.
"""

from typing import Final

NAMESPACE: Final = "urn:emvs:hub:obp:v1"
