"""Rules on the serial numbers of one message, made for a quarter of a million at once.

They are looked at in slices, between which the event loop runs. A good slice is recognised as a
whole, without a look at each number; in a bad one the defects are counted in bulk, and named one by
one only while the answer has room. Characters: GS1 set 82 beside a GTIN, digits and capitals beside
a PPN. Length: Delegated Regulation (EU) 2016/161, Art. 4(b)(i).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Final

from emvs.character_sets import IFA_SERIAL_CHARACTERS, SET_82, all_within
from emvs.limits import SERIAL_LENGTH_MAX
from emvs.scheme import Scheme
from hub.defects import Code, Defects

_SLICE_COUNT: Final = 4_096
"""Good ones take a millisecond, bad ones two or three."""
_LISTED_AT_ONCE: Final = 500
"""Defects put into words in a turn: a millisecond or two."""
_CHARACTERS: Final = {Scheme.GTIN: SET_82, Scheme.PPN: IFA_SERIAL_CHARACTERS}
_ALLOWED: Final = {scheme: text.encode("ascii") for scheme, text in _CHARACTERS.items()}
_MATCH: Final = {
    scheme: re.compile(f"[{re.escape(text)}]{{1,{SERIAL_LENGTH_MAX}}}").fullmatch
    for scheme, text in _CHARACTERS.items()
}
_TEXT: Final = {
    Scheme.GTIN: f"a serial number is 1 to {SERIAL_LENGTH_MAX} characters of GS1 set 82",
    Scheme.PPN: f"a serial number is 1 to {SERIAL_LENGTH_MAX} digits and capital letters",
}


Note = Callable[[int], None]


def ignore(_: int) -> None:
    """Note nothing."""


async def check_serials(
    serial_numbers: list[str], scheme: Scheme, defects: Defects, note: Note = ignore
) -> None:
    """Add a defect for each serial number that is malformed or stands twice in the message.

    `note` is told how many were looked at, every now and then.
    """
    if not serial_numbers:
        text = "a message brings at least one serial number"
        defects.add(Code.A16, "serialNumbers", None, "absent", text)
        return
    good_count = await _good_count(serial_numbers, scheme, note)
    if good_count == len(serial_numbers):
        return
    seen = set(serial_numbers[:good_count])
    found: list[tuple[int, str]] = []
    count = 0
    for start, some in _slices(serial_numbers, good_count):
        fresh = set(some).difference(seen)
        bad_count = len(some) - len(fresh)
        if not all_within(some, _ALLOWED[scheme]):
            bad_count += _malformed_count(some, scheme)
        if bad_count and (room := defects.room - len(found)):
            found += _named(start, some, seen, scheme)[:room]
        count += bad_count
        seen |= fresh
        note(start + len(some))
        await asyncio.sleep(0)
    await _list(found, serial_numbers, scheme, defects)
    defects.count_unlisted(count - len(found))


async def _good_count(serial_numbers: list[str], scheme: Scheme, note: Note) -> int:
    """Return how many there are before the first slice that has a defect."""
    seen: set[str] = set()
    for start, some in _slices(serial_numbers):
        seen.update(some)
        if len(seen) < start + len(some) or not all_within(some, _ALLOWED[scheme]):
            return start
        note(start + len(some))
        await asyncio.sleep(0)
    return len(serial_numbers)


def _slices(serial_numbers: list[str], first: int = 0) -> Iterator[tuple[int, list[str]]]:
    for start in range(first, len(serial_numbers), _SLICE_COUNT):
        yield start, serial_numbers[start : start + _SLICE_COUNT]


def _malformed_count(some: list[str], scheme: Scheme) -> int:
    return list(map(_MATCH[scheme], some)).count(None)


def _named(start: int, some: list[str], earlier: set[str], scheme: Scheme) -> list[tuple[int, str]]:
    """Return position and rule of each defect of a slice; `earlier` are those before it."""
    match = _MATCH[scheme]
    seen: set[str] = set()
    found: list[tuple[int, str]] = []
    for position, serial_number in enumerate(some, start):
        if match(serial_number) is None:
            found.append((position, "serial_format"))
        if serial_number in seen or serial_number in earlier:
            found.append((position, "duplicate"))
        seen.add(serial_number)
    return found


async def _list(
    found: list[tuple[int, str]], serial_numbers: list[str], scheme: Scheme, defects: Defects
) -> None:
    repeated = {serial_numbers[position] for position, rule in found if rule == "duplicate"}
    first_positions = await _first_positions(repeated, serial_numbers)
    for place, (position, rule) in enumerate(found):
        if place % _LISTED_AT_ONCE == 0:
            await asyncio.sleep(0)
        path, value = f"serialNumbers[{position}]", serial_numbers[position]
        if rule == "duplicate":
            again = f"the same serial number stands at serialNumbers[{first_positions[value]}]"
            defects.add(Code.A16, path, value, rule, again)
        else:
            defects.add(Code.I1, path, value, rule, _TEXT[scheme])


async def _first_positions(wanted: set[str], serial_numbers: list[str]) -> dict[str, int]:
    """Return where each of these stands for the first time."""
    positions: dict[str, int] = {}
    for start, some in _slices(serial_numbers):
        if len(positions) == len(wanted):
            break
        for position, serial_number in enumerate(some, start):
            if serial_number in wanted:
                positions.setdefault(serial_number, position)
        await asyncio.sleep(0)
    return positions
