"""GS1 element strings without group separators: what they can have been with them.

Scanners in keyboard mode and browsers drop ASCII 29, or put a visible character in its place. A
pack carries product code, expiry date, batch and serial number (Delegated Regulation (EU) 2016/161,
Art. 4), which is what makes some of such texts readable. All readings are returned, up to two: with
two there is no telling, and that is scan.py's to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from emvs import gs1
from emvs.character_sets import SET_82
from emvs.check_digits import is_valid_gtin
from emvs.expiry import parse_expiry

READINGS_MAX: Final = 2
# Beyond what all elements of a pack take together; and a bound to the search (our choice).
_LENGTH_MAX: Final = 150
_STEPS_MAX: Final = 20_000
# Two more than a value may have: what stands in the separator's place may look like part of it.
_VALUE_LENGTH_MAX: Final = 22
_DATE_LENGTH: Final = 6

_REQUIRED: Final = frozenset((gs1.PRODUCT_CODE, gs1.EXPIRY, gs1.BATCH_ID, gs1.SERIAL_NUMBER))
_DATES: Final = ("11", "13", "15", "16", gs1.EXPIRY)
# Elements that may be on a pack besides, and would be taken for part of a value if they were not
# here: variant, reference numbers, counts, national numbers, and what companies use for themselves.
_FURTHER: Final = (
    *("22", "240", "241", "250", "30", "37"),
    *gs1.NATIONAL_NUMBERS,
    *(str(number) for number in range(90, 100)),
)
_IDENTIFIERS: Final = (
    gs1.PRODUCT_CODE,
    *_DATES,
    gs1.BATCH_ID,
    gs1.SERIAL_NUMBER,
    *_FURTHER,
)
_FOREIGN: Final = re.compile(f"[^{re.escape(SET_82)}]+")
# What a British keyboard makes of a quotation mark: it may well be part of a value.
_DOUBTFUL: Final = "@"


def separated_readings(data: str) -> list[str]:
    """Return the element strings that this one can have been, two at most.

    `data` has no control characters. None is returned for a text that no separator makes whole.
    """
    if len(data) > _LENGTH_MAX:
        return []
    replaced = _with_replaced(data)
    if replaced is not None:
        return [replaced]
    found: list[str] = []
    search = _Search(data)
    is_doubtful = False
    for reading in search.readings(0, frozenset(_IDENTIFIERS)):
        found.append(gs1.GROUP_SEPARATOR.join(reading))
        # A symbol at the end of an element may be part of it or stand for the separator.
        is_doubtful |= not all(element[-1].isalnum() for element in reading)
        if len(found) == READINGS_MAX:
            break
    # A search that was given up may have missed the other reading.
    is_doubtful |= search.steps > _STEPS_MAX
    return found * READINGS_MAX if is_doubtful else found


def _with_replaced(data: str) -> str | None:
    """Return the text with the one stranger in it made a separator, if there is just one kind.

    What is outside the set of characters that values may have can be no part of one.
    """
    strangers = set(_FOREIGN.findall(data))
    if len(strangers) != 1 or _DOUBTFUL in "".join(strangers):
        return None
    return data.replace(strangers.pop(), gs1.GROUP_SEPARATOR)


class _Search:
    """One search for the ways to cut a text into elements."""

    def __init__(self, data: str) -> None:
        self._data = data
        self.steps = 0

    def readings(self, offset: int, left: frozenset[str]) -> Iterator[list[str]]:
        """Yield every way to cut the text from `offset` on, each identifier in `left` once."""
        self.steps += 1
        if self.steps > _STEPS_MAX:
            return
        if offset == len(self._data):
            if not _REQUIRED & left:
                yield []
            return
        for identifier in _IDENTIFIERS:
            if identifier in left and self._data.startswith(identifier, offset):
                for end in self._ends(identifier, offset + len(identifier)):
                    for rest in self.readings(end, left - {identifier}):
                        yield [self._data[offset:end], *rest]

    def _ends(self, identifier: str, start: int) -> Iterator[int]:
        """Yield where the value of an element can end."""
        data = self._data
        if identifier == gs1.PRODUCT_CODE:
            if is_valid_gtin(data[start : start + 14]):
                yield start + 14
        elif identifier in _DATES:
            value = data[start : start + _DATE_LENGTH]
            if len(value) == _DATE_LENGTH and parse_expiry(value) is not None:
                yield start + _DATE_LENGTH
        else:
            yield from range(start + 1, min(start + _VALUE_LENGTH_MAX, len(data)) + 1)
