"""Which characters serial numbers and batch ids may be made of. No other rule enters.

Sources: GS1 General Specifications, figure 7.11-1 ("AI encodable character set 82"); for IFA
codes the interface of the REST-built national systems.
"""

import re
import string

from emvs.limits import BATCH_ID_LENGTH_MAX, SERIAL_LENGTH_MAX

SET_82 = "!\"%&'()*+,-./" + string.digits + ":;<=>?" + string.ascii_uppercase + "_"
SET_82 += string.ascii_lowercase

IFA_SERIAL_CHARACTERS = string.digits + string.ascii_uppercase
IFA_BATCH_CHARACTERS = IFA_SERIAL_CHARACTERS + "-_"

# Measured on 20 characters, a compiled `fullmatch` beats both `frozenset.issuperset` and
# `bytes.translate`; servers check two such identifiers for each request.
_in_set_82 = re.compile(f"[{re.escape(SET_82)}]+").fullmatch
_in_ifa_serial = re.compile(f"[{re.escape(IFA_SERIAL_CHARACTERS)}]+").fullmatch
_in_ifa_batch = re.compile(f"[{re.escape(IFA_BATCH_CHARACTERS)}]+").fullmatch


def is_set82(text: str, length_max: int = SERIAL_LENGTH_MAX) -> bool:
    """Tell whether this is 1 to `length_max` characters of GS1 set 82, either case.

    The default serves serial numbers and batch ids alike.
    """
    return len(text) <= length_max and _in_set_82(text) is not None


def is_ifa_serial(text: str, length_max: int = SERIAL_LENGTH_MAX) -> bool:
    """Tell whether this may be the serial number beside a PPN: digits and capitals."""
    return len(text) <= length_max and _in_ifa_serial(text) is not None


def is_ifa_batch(text: str, length_max: int = BATCH_ID_LENGTH_MAX) -> bool:
    """Tell whether this may be the batch id beside a PPN: digits, capitals, hyphen, underscore."""
    return len(text) <= length_max and _in_ifa_batch(text) is not None
