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
from emvs.gs1_formats import FORMATS, Format

READINGS_MAX: Final = 2
# Beyond what all elements of a pack take together; and a bound to the search (our choice).
_LENGTH_MAX: Final = 150
_STEPS_MAX: Final = 20_000
# Two more than a value may have: what stands in the separator's place may look like part of it.
_REPLACED_MAX: Final = 2

_REQUIRED: Final = frozenset((gs1.PRODUCT_CODE, gs1.EXPIRY, gs1.BATCH_ID, gs1.SERIAL_NUMBER))
_IDENTIFIER_LENGTHS: Final = sorted({len(identifier) for identifier in FORMATS})
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
    for reading in search.readings(0, frozenset()):
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

    def readings(self, offset: int, used: frozenset[str]) -> Iterator[list[str]]:
        """Yield every way to cut the text from `offset` on, no identifier twice."""
        self.steps += 1
        if self.steps > _STEPS_MAX:
            return
        if offset == len(self._data):
            if used >= _REQUIRED:
                yield []
            return
        for length in _IDENTIFIER_LENGTHS:
            identifier = self._data[offset : offset + length]
            form = FORMATS.get(identifier)
            if form is None or identifier in used:
                continue
            is_predefined = gs1.has_predefined_length(identifier)
            for end in self._ends(form, offset + length, 0 if is_predefined else _REPLACED_MAX):
                for rest in self.readings(end, used | {identifier}):
                    yield [self._data[offset:end], *rest]

    def _ends(self, form: Format, start: int, more: int) -> Iterator[int]:
        """Yield where a value can end, with up to `more` characters of a replaced separator."""
        left = len(self._data) - start
        for length in range(form.shortest, min(form.longest + more, left) + 1):
            value = self._data[start : start + length]
            if _may_be(form, value, more):
                yield start + length


def _may_be(form: Format, value: str, more: int) -> bool:
    if form.fits(value[: form.longest]):
        return True
    return any(
        form.fits(value[:-count]) and not any(map(str.isalnum, value[-count:]))
        for count in range(1, more + 1)
    )
