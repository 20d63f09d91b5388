"""Files of many packs: scans line by line, CSV with a heading, or JSON lines; and their results.

A row that cannot be sent has a result as well: nothing of a file is passed over.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

from emvs.csv_cells import protect
from emvs.errors import EmvsError
from emvs.scan import Scan, ScanError, scan_from_fields
from emvs.states import Operation
from pharmacy_client.client import read_scan
from pharmacy_client.errors import ProfileError, ScanRefusedError
from pharmacy_client.results import PackCall
from pharmacy_client.scan_text import read_spelled

ROWS_MAX: Final = 1_000_000
_LINE_LENGTH_MAX: Final = 64 * 1024
# As the options of the command and the file of endpoints call them.
_OTHER_NAMES: Final = {"serial": "serial_number", "batch": "batch_id"}
COLUMNS: Final = (
    "row",
    "operation",
    "product_code",
    "serial_number",
    "batch_id",
    "expiry",
    "category",
    "return_code",
    "state",
    "alert_id",
    "alert_code",
    "colour",
    "advice",
    "error",
)


class Row(NamedTuple):
    """One row of a file: a call, or why it is none."""

    number: int
    """Line of the file, from 1."""
    call: PackCall | None
    error: EmvsError | None = None


def read_rows(path: Path, operation: Operation) -> Iterator[Row]:
    """Yield the rows of a file. Raises ProfileError if it cannot be read or has no heading.

    CSV has a heading: `scan`, or `product_code` and `serial_number` with `batch_id`, `expiry`;
    and `operation`, `manual`, `reference` if rows differ. It is separated by comma, semicolon or
    tab. JSON lines have the same members. Other files hold a scan on each line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _rows(file, path.suffix.lower())
            for number, values in rows:
                if number > ROWS_MAX:
                    raise ProfileError(f"{path} has more than {ROWS_MAX} rows.")
                yield _row(number, values, operation)
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path} is not UTF-8 text. Save it as UTF-8.") from error
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error.strerror}.") from error
    except csv.Error as error:
        raise ProfileError(f"{path} cannot be read: {error}") from error


def _rows(file: TextIO, suffix: str) -> Iterator[tuple[int, dict[str, Any] | ScanRefusedError]]:
    if suffix == ".csv":
        yield from _csv_rows(file)
        return
    for number, line in enumerate(file, 1):
        if len(line) > _LINE_LENGTH_MAX:
            yield number, ScanRefusedError("The line is too long.")
        elif suffix in (".json", ".jsonl", ".ndjson"):
            if line.strip():
                yield number, _json(line)
        elif line.strip() and not line.startswith("# "):
            yield number, {"scan": line.rstrip("\r\n")}


def _csv_rows(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    heading = file.readline(_LINE_LENGTH_MAX)
    if not heading.strip():
        return
    separator = max(",;\t", key=heading.count)
    names = [_column(name) for name in next(csv.reader([heading], delimiter=separator))]
    if "scan" not in names and not {"product_code", "serial_number"} <= set(names):
        raise ProfileError(
            f"{file.name} has no heading that tells its columns: the first line of a CSV file names"
            " `scan`, or `product_code` and `serial_number`. A file of bare scans ends in .txt."
        )
    reader = csv.DictReader(file, names, delimiter=separator)
    for values in reader:
        yield 1 + reader.line_num, {name: values[name] for name in names}


def _column(name: str) -> str:
    plain = name.strip().lower().replace(" ", "_")
    return _OTHER_NAMES.get(plain, plain)


def _json(line: str) -> dict[str, Any] | ScanRefusedError:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return ScanRefusedError("The line is no JSON object.")
    return {_column(name): value for name, value in values.items()}


def _row(number: int, values: dict[str, Any] | ScanRefusedError, operation: Operation) -> Row:
    if isinstance(values, ScanRefusedError):
        return Row(number, None, values)
    try:
        scan = _scan(values)
        asked = operation_named(str(values.get("operation") or operation.name))
        manual = str(values.get("manual") or "").lower() in ("1", "true", "yes", "manual")
        reference = values.get("reference") or None
        call = PackCall(asked, scan, manual, None if reference is None else str(reference))
    except ScanError as error:
        return Row(number, None, ScanRefusedError(error.problem, error.advice))
    except ScanRefusedError as error:
        return Row(number, None, error)
    return Row(number, call)


def operation_named(word: str) -> Operation:
    """Return the operation of this name. Raises ScanRefusedError, which lists them all."""
    name = word.strip().upper().replace("-", "_")
    if name == "UNDO":
        return Operation.UNDO_SUPPLY
    if name not in Operation.__members__:
        known = ", ".join(operation.name.lower() for operation in Operation)
        raise ScanRefusedError(f"There is no operation {word!r}. There are: undo, {known}.")
    return Operation[name]


def _scan(values: dict[str, Any]) -> Scan:
    if values.get("scan"):
        return read_scan(read_spelled(str(values["scan"])))
    given = {name: str(value) for name, value in values.items() if value is not None}
    return read_scan(
        scan_from_fields(
            product_code=given.get("product_code", ""),
            serial_number=given.get("serial_number", ""),
            batch_id=given.get("batch_id") or None,
            expiry=given.get("expiry") or None,
        )
    )


class ResultWriter:
    """Writes results as they come: CSV if the file is named so, else JSON lines."""

    def __init__(self, file: TextIO, *, as_csv: bool) -> None:
        self._file = file
        self._csv = csv.DictWriter(file, COLUMNS, extrasaction="ignore") if as_csv else None
        if self._csv is not None:
            self._csv.writeheader()

    def write(self, values: dict[str, Any]) -> None:
        """Write one result; it is in the file then, whatever happens next."""
        if self._csv is None:
            self._file.write(json.dumps(values) + "\n")
        else:
            flat = {**values, **values.get("pack", {})}
            advice = values.get("advice") or {}
            flat |= {"colour": advice.get("colour"), "advice": advice.get("sentence")}
            cells = {name: flat.get(name) for name in COLUMNS}
            self._csv.writerow(
                {
                    name: protect(cell) if isinstance(cell, str) else cell
                    for name, cell in cells.items()
                }
            )
        self._file.flush()
