"""Which characters serial numbers and batch ids may be made of. No other rule enters.

Sources: GS1 General Specifications, figure 7.11-1 ("AI encodable character set 82"); for IFA
codes the interface of the REST-built national systems.
"""

import re
import string
from collections.abc import Sequence

from emvs.limits import BATCH_ID_LENGTH_MAX, SERIAL_LENGTH_MAX

SET_82 = "!\"%&'()*+,-./" + string.digits + ":;<=>?" + string.ascii_uppercase + "_"
SET_82 += string.ascii_lowercase

_SET_82_BYTES = SET_82.encode("ascii")

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


def all_within(texts: Sequence[str], allowed: bytes, length_max: int = SERIAL_LENGTH_MAX) -> bool:
    """Tell whether each of these is 1 to `length_max` of the allowed ASCII characters.

    For a few thousand at once: a tenth of the time that looking at each takes.
    """
    lengths = set(map(len, texts))
    if lengths and (min(lengths) == 0 or max(lengths) > length_max):
        return False
    joined = "".join(texts)
    # What is left after deleting every allowed character: one pass in C over the whole text.
    return joined.isascii() and not joined.encode("ascii").translate(None, allowed)


def all_set82(texts: Sequence[str]) -> bool:
    """Tell whether `is_set82` holds for each of these."""
    return all_within(texts, _SET_82_BYTES)


def is_ifa_serial(text: str, length_max: int = SERIAL_LENGTH_MAX) -> bool:
    """Tell whether this may be the serial number beside a PPN: digits and capitals."""
    return len(text) <= length_max and _in_ifa_serial(text) is not None


def is_ifa_batch(text: str, length_max: int = BATCH_ID_LENGTH_MAX) -> bool:
    """Tell whether this may be the batch id beside a PPN: digits, capitals, hyphen, underscore."""
    return len(text) <= length_max and _in_ifa_batch(text) is not None
