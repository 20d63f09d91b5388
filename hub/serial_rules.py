"""Rules on the serial numbers of one message, made for a quarter of a million at once.

A good list is recognised as a whole, without a look at each number; only a bad one is gone
through to name what is wrong. Characters: GS1 set 82 beside a GTIN, digits and capitals beside a
PPN. Length: Delegated Regulation (EU) 2016/161, Art. 4(b)(i).
"""

from __future__ import annotations

from typing import Final

from emvs.character_sets import (
    IFA_SERIAL_CHARACTERS,
    SET_82,
    is_ifa_serial,
    is_set82,
)
from emvs.limits import SERIAL_LENGTH_MAX
from emvs.scheme import Scheme
from hub.defects import Code, Defects

_CHARACTERS: Final = {
    Scheme.GTIN: SET_82.encode("ascii"),
    Scheme.PPN: IFA_SERIAL_CHARACTERS.encode("ascii"),
}
_IS_SERIAL: Final = {Scheme.GTIN: is_set82, Scheme.PPN: is_ifa_serial}
_TEXT: Final = {
    Scheme.GTIN: f"a serial number is 1 to {SERIAL_LENGTH_MAX} characters of GS1 set 82",
    Scheme.PPN: f"a serial number is 1 to {SERIAL_LENGTH_MAX} digits and capital letters",
}


def check_serials(serial_numbers: list[str], scheme: Scheme, defects: Defects) -> None:
    """Add a defect for each serial number that is malformed or stands twice in the message."""
    if not serial_numbers:
        text = "a message brings at least one serial number"
        defects.add(Code.A16, "serialNumbers", None, "absent", text)
    elif not _all_good(serial_numbers, scheme):
        _name_defects(serial_numbers, scheme, defects)


def _all_good(serial_numbers: list[str], scheme: Scheme) -> bool:
    if len(set(serial_numbers)) != len(serial_numbers):
        return False
    lengths = set(map(len, serial_numbers))
    if min(lengths) == 0 or max(lengths) > SERIAL_LENGTH_MAX:
        return False
    joined = "".join(serial_numbers)
    # What is left after deleting every allowed character: one pass in C over the whole text.
    return joined.isascii() and not joined.encode("ascii").translate(None, _CHARACTERS[scheme])


def _name_defects(serial_numbers: list[str], scheme: Scheme, defects: Defects) -> None:
    is_serial, text = _IS_SERIAL[scheme], _TEXT[scheme]
    first_positions: dict[str, int] = {}
    for position, serial_number in enumerate(serial_numbers):
        if not is_serial(serial_number, SERIAL_LENGTH_MAX):
            path = f"serialNumbers[{position}]"
            defects.add(Code.I1, path, serial_number, "serial_format", text)
        first = first_positions.setdefault(serial_number, position)
        if first != position:
            path = f"serialNumbers[{position}]"
            again = f"the same serial number stands at serialNumbers[{first}]"
            defects.add(Code.A16, path, serial_number, "duplicate", again)
