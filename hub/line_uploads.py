"""Pack messages that come line by line: NDJSON and CSV. One upload is one message.

NDJSON: the first line is the message without serial numbers, each further line one of them as a
JSON string. CSV: a line with the names of the columns, then one line for each pack; what is not the
serial number is the same on all lines. Lines are read while they arrive, and end in the same
`Upload` as JSON does: sent again in another form, a message is recognised.
"""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import msgspec

from emvs.errors import BadRequestError
from emvs.infra.body_parts import BodyParts
from emvs.obp_messages import PacksMessage
from emvs.state_messages import PacksOfBatch
from hub.body_lines import Lines, first_line, lines_after
from hub.uploads import Message, Upload, read_message, refuse_too_many, upload_of

NDJSON_TYPES: Final = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
CSV_TYPES: Final = frozenset({"text/csv"})
LINE_TYPES: Final = NDJSON_TYPES | CSV_TYPES
SERIAL_COLUMN: Final = "serialNumber"
_LIST_COLUMNS: Final = frozenset({"markets"})
_FIGURE_COLUMNS: Final = frozenset({"productVersion"})
_COLUMNS_MAX: Final = 50
_MANUFACTURER: Final = "manufacturer."
Note = Callable[[str, int], None]


class _Serials:
    """The serial numbers read so far, encoded."""

    def __init__(self, message_type: str, serials_max: int, note: Note) -> None:
        self._message_type = message_type
        self._serials_max = serials_max
        self._note = note
        self._parts: list[bytes] = []
        self.transaction_id: str | None = None
        self.count = 0

    def add(self, serial_numbers: list[str]) -> None:
        """Raises TooLargeError beyond the bound."""
        if not serial_numbers:
            return
        self.count += len(serial_numbers)
        refuse_too_many(self._message_type, self.count, self._serials_max)
        self._parts.append(msgspec.json.encode(serial_numbers)[1:-1])
        if self.transaction_id is not None:
            self._note(self.transaction_id, self.count)

    def encoded(self) -> bytes:
        return b"[" + b",".join(self._parts) + b"]"


async def read_line_upload(
    message_type: str,
    content_type: str,
    parts: BodyParts,
    *,
    serials_max: int,
    note: Note,
    transaction_id: str | None = None,
) -> Upload:
    """Return the upload in a body of lines; `transaction_id` is that of a CSV without a column for
    it. `note` is told its transaction id and how many serial numbers have come, while they come.

    Raises BadRequestError naming the line, TooLargeError beyond `serials_max`.
    """
    serials = _Serials(message_type, serials_max, note)
    if content_type in NDJSON_TYPES:
        message = await _read_ndjson(message_type, parts, serials)
    else:
        message = await _read_csv(message_type, parts, serials, transaction_id)
    return upload_of(message_type, message, serials.encoded(), serials.count)


async def _read_ndjson(message_type: str, parts: BodyParts, serials: _Serials) -> Message:
    head, rest = await first_line(parts)
    try:
        message = read_message(message_type, head)
    except BadRequestError as error:
        raise BadRequestError(f"{error} - at line 1, the head of the message") from error
    if not isinstance(message, PacksMessage | PacksOfBatch):
        raise BadRequestError(f"a message {message_type} has no serial numbers: send it as JSON")
    serials.transaction_id = message.transactionId
    if message.serialNumbers:
        raise BadRequestError("the serial numbers stand on the lines that follow - at line 1")
    async for lines in lines_after(parts, rest):
        serials.add(_json_strings(lines))
        await asyncio.sleep(0)
    return message


def _json_strings(lines: Lines) -> list[str]:
    text = lines.text
    try:
        found = msgspec.json.decode(b"[" + text.replace(b"\n", b",") + b"]", type=list[str])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        found = []
    if len(found) == text.count(b"\n") + 1:
        return found
    # Something is wrong, or a line is empty: look at each.
    found = []
    for number, line in enumerate(text.split(b"\n"), lines.first):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=str))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            shown = line[:40].decode("utf-8", "replace")
            raise BadRequestError(
                f"{shown!a} is no JSON string: a serial number stands on a line of its own, in"
                f" quotation marks - at line {number}"
            ) from error
    return found


async def _read_csv(
    message_type: str, parts: BodyParts, serials: _Serials, transaction_id: str | None
) -> Message:
    line, rest = await first_line(parts)
    table = _Table(_text(line, 1))
    serials.transaction_id = transaction_id
    async for lines in lines_after(parts, rest):
        serials.add(table.read(_text(lines.text, lines.first), lines.first))
        await asyncio.sleep(0)
    members = table.members()
    if transaction_id is not None:
        members.setdefault("transactionId", transaction_id)
    if "transactionId" not in members:
        raise BadRequestError(
            "the transaction id stands in the column transactionId or in the query"
            " (?transactionId=...)"
        )
    message = read_message(message_type, msgspec.json.encode(members))
    if not isinstance(message, PacksMessage | PacksOfBatch):
        raise BadRequestError(f"a message {message_type} has no serial numbers: send it as JSON")
    return message


def _text(line: bytes, number: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        at = number + line.count(b"\n", 0, error.start)
        raise BadRequestError(f"the text is not UTF-8 - at line {at}") from error


class _Table:
    """The lines of a CSV, of which only what is the same on all of them is kept."""

    def __init__(self, header: str) -> None:
        self._delimiter = ";" if header.count(";") > header.count(",") else ","
        row = next(csv.reader([header], delimiter=self._delimiter), [])
        self._columns = [name.strip() for name in row]
        if SERIAL_COLUMN not in self._columns:
            raise BadRequestError(
                f"the first line names the columns, and {SERIAL_COLUMN} among them - at line 1"
            )
        if len(self._columns) > _COLUMNS_MAX:
            raise BadRequestError(f"at most {_COLUMNS_MAX} columns are read - at line 1")
        twice = next((name for name, count in Counter(self._columns).items() if count > 1), None)
        if twice is not None:
            raise BadRequestError(f"the column {twice[:40]!a} is named more than once - at line 1")
        self._serial_place = self._columns.index(SERIAL_COLUMN)
        self._common: list[str] | None = None

    def read(self, text: str, first: int) -> list[str]:
        """Return the serial numbers on some lines. Raises BadRequestError."""
        serial_numbers = []
        lines = text.split("\n")
        try:
            rows = list(csv.reader(lines, delimiter=self._delimiter, strict=True))
        except csv.Error as error:
            raise BadRequestError(f"{error} - at line {first} or one after it") from error
        if len(rows) != len(lines):
            raise BadRequestError(f"a line ends within quotation marks - after line {first}")
        for number, row in enumerate(rows, first):
            if not row:
                continue
            if len(row) != len(self._columns):
                raise BadRequestError(
                    f"{len(row)} cells where {len(self._columns)} columns are named"
                    f" - at line {number}"
                )
            serial_numbers.append(row[self._serial_place])
            row[self._serial_place] = ""
            if row != self._common:
                self._compare(row, number)
        return serial_numbers

    def _compare(self, row: list[str], number: int) -> None:
        if self._common is None:
            self._common = row
            return
        for name, cell, first in zip(self._columns, row, self._common, strict=True):
            if cell not in ("", first):
                raise BadRequestError(
                    f"{name} is {cell[:40]!a} here and {first[:40]!a} on the first line: one upload"
                    f" is one message - at line {number}"
                )

    def members(self) -> dict[str, Any]:
        """Return the message without serial numbers; empty cells are absent members."""
        members: dict[str, Any] = {}
        for name, cell in zip(self._columns, self._common or [], strict=False):
            if not cell:
                continue
            if name.startswith(_MANUFACTURER):
                members.setdefault("manufacturer", {})[name.removeprefix(_MANUFACTURER)] = cell
            elif name in _LIST_COLUMNS:
                members[name] = cell.split()
            elif name in _FIGURE_COLUMNS and cell.isascii() and cell.isdecimal():
                members[name] = int(cell)
            else:
                members[name] = cell
        if "manufacturer" in members:
            # A column cannot be empty and there, as `street2` may be.
            members["manufacturer"].setdefault("street2", "")
        return members
