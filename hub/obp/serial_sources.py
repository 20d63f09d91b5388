"""Serial numbers from where manufacturers have them: text, CSV or NDJSON files, packed or not.

Read line by line: a file of a million is never in memory. The rules for content are the hub's;
what it would refuse anyway is held back here with the line's number, unless the user wants to see
the hub refuse it.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final, TextIO, cast

import msgspec

from emvs.character_sets import is_ifa_serial, is_set82
from hub.obp.errors import InputError

SERIALS_MAX: Final = 10_000_000
"""In one upload; the largest batches have a million (our choice)."""
_LINE_LENGTH_MAX: Final = 64 * 1024
_PPN_LENGTH: Final = 12
_COLUMNS: Final = ("serialnumber", "serial_number", "serial number", "serial", "sn")
"""Heads of the column with serial numbers, whatever their case."""
_LISTED_MAX: Final = 10
"""Bad lines that are named; the others are counted."""
_SHOWN_LENGTH_MAX: Final = 40


class SerialFormat(StrEnum):
    """How a file of serial numbers is written."""

    TEXT = "text"
    CSV = "csv"
    NDJSON = "ndjson"


_BY_SUFFIX: Final = {
    ".csv": SerialFormat.CSV,
    ".ndjson": SerialFormat.NDJSON,
    ".jsonl": SerialFormat.NDJSON,
}


def read_serial_numbers(
    path: Path, *, form: SerialFormat | None = None, column: str | None = None
) -> Iterator[tuple[int, str]]:
    """Yield each serial number with its line, which counts from 1.

    `-` is standard input. The form is told by the name's end (`.csv`, `.ndjson`, `.jsonl`, else
    text; `.gz` behind it is taken off) unless `form` says it. CSV has a head; `column` names the
    column, else a usual name or a single column is taken. Lines of NDJSON are strings, or objects
    with a `serialNumber` (or `column`). Empty lines of text are left out. Raises InputError.
    """
    wanted = form or form_of(path)
    try:
        with _opened(path) as text:
            if wanted is SerialFormat.CSV:
                yield from _read_csv(text, path, column)
            elif wanted is SerialFormat.NDJSON:
                yield from _read_ndjson(text, path, column or "serialNumber")
            else:
                for number, line in _lines(text, path):
                    if stripped := line.strip():
                        yield number, stripped
    except (OSError, EOFError, ValueError, csv.Error) as error:
        # ValueError: not UTF-8, or a null character in the name; EOFError: cut gzip.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{path} cannot be read: {reason}.") from error


def form_of(path: Path) -> SerialFormat:
    """Return the form that a file's name tells."""
    name = path.with_suffix("") if path.suffix == ".gz" else path
    return _BY_SUFFIX.get(name.suffix.lower(), SerialFormat.TEXT)


def checked(
    numbered: Iterable[tuple[int, str]], *, product_code: str, source: str
) -> Iterator[str]:
    """Yield the serial numbers; raise InputError at the first that the hub would refuse.

    Each has 1 to 20 characters of GS1 set 82 (beside a PPN digits and capitals), and none comes
    twice.
    """
    is_valid = is_ifa_serial if len(product_code) == _PPN_LENGTH else is_set82
    alphabet = "digits and capitals" if is_valid is is_ifa_serial else "GS1 set 82"
    wrong = f"is no serial number: 1 to 20 characters of {alphabet}"
    seen: set[str] = set()
    listed: list[str] = []
    bad_count = 0
    for line, serial_number in numbered:
        if is_valid(serial_number) and serial_number not in seen:
            if len(seen) >= SERIALS_MAX:
                raise InputError(f"{source} has more than {SERIALS_MAX} serial numbers: split it.")
            seen.add(serial_number)
            if not bad_count:
                yield serial_number
            continue
        bad_count += 1
        if len(listed) < _LISTED_MAX:
            trouble = "stands there twice" if is_valid(serial_number) else wrong
            shown = ascii(serial_number[:_SHOWN_LENGTH_MAX])
            listed.append(f"{source}, line {line}: {shown} {trouble}.")
    if bad_count:
        more = bad_count - len(listed)
        listed += [f"{more:,} more lines are wrong."] if more else []
        raise InputError(" ".join([*listed, "--unchecked sends them all the same."]))


def unchecked(numbered: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Yield the serial numbers as they are."""
    for count, (_, serial_number) in enumerate(numbered):
        if count >= SERIALS_MAX:
            raise InputError(f"more than {SERIALS_MAX} serial numbers: split them.")
        yield serial_number


def _opened(path: Path) -> TextIO:
    stream: BinaryIO
    if str(path) == "-":
        if sys.stdin is None:
            raise InputError("standard input is closed.")
        stream = sys.stdin.buffer
    elif path.suffix == ".gz":
        stream = cast("BinaryIO", gzip.GzipFile(path))
    else:
        stream = path.open("rb")
    # utf-8-sig: spreadsheets write a byte order mark.
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def _lines(text: TextIO, path: Path) -> Iterator[tuple[int, str]]:
    number = 0
    while line := text.readline(_LINE_LENGTH_MAX):
        number += 1
        if len(line) >= _LINE_LENGTH_MAX:
            raise InputError(f"{path}, line {number} is too long to be one of serial numbers.")
        yield number, line


def _read_csv(text: TextIO, path: Path, column: str | None) -> Iterator[tuple[int, str]]:
    first = text.readline(_LINE_LENGTH_MAX)
    delimiter = max(",;\t", key=first.count)
    head = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    place = _column(head, path, column)
    numbered = ((number + 1, line) for number, line in _lines(text, path))
    for number, line in numbered:
        cells = next(csv.reader([line], delimiter=delimiter), [])
        if not cells:
            continue
        if place >= len(cells):
            raise InputError(f"{path}, line {number} has no column {head[place]!a}.")
        yield number, cells[place].strip()


def _column(head: list[str], path: Path, column: str | None) -> int:
    if column is not None:
        if column in head:
            return head.index(column)
        raise InputError(f"{path} has no column {column!a}; it has: {', '.join(head)}.")
    small = [name.lower() for name in head]
    place = next((small.index(name) for name in _COLUMNS if name in small), None)
    if place is not None:
        return place
    raise InputError(
        f"{path} has no column serialNumber in its first line; name the column with --column."
        f" It has: {', '.join(head) or 'nothing'}."
    )


def _read_ndjson(text: TextIO, path: Path, member: str) -> Iterator[tuple[int, str]]:
    for number, line in _lines(text, path):
        if not line.strip():
            continue
        try:
            value = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            raise InputError(f"{path}, line {number} is no JSON: {error}.") from error
        serial_number = value.get(member) if isinstance(value, dict) else value
        if not isinstance(serial_number, str):
            raise InputError(
                f"{path}, line {number} is neither a string nor an object with a text {member!a}."
            )
        yield number, serial_number
