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
    """Yield the rows of a file. Raises ProfileError if it cannot be read.

    CSV has a heading: `scan`, or `product_code` and `serial_number` with `batch_id`, `expiry`;
    and `operation`, `manual`, `reference` if rows differ. JSON lines have the same members. Other
    files hold a scan on each line.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = _rows(file, path.suffix.lower())
            for number, values in rows:
                if number > ROWS_MAX:
                    raise ProfileError(f"{path} has more than {ROWS_MAX} rows.")
                yield _row(number, values, operation)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ProfileError(f"{path} cannot be read: {error}") from error


def _rows(file: TextIO, suffix: str) -> Iterator[tuple[int, dict[str, Any] | ScanRefusedError]]:
    if suffix == ".csv":
        reader = csv.DictReader(file)
        for values in reader:
            yield reader.line_num, values
        return
    for number, line in enumerate(file, 1):
        if len(line) > _LINE_LENGTH_MAX:
            yield number, ScanRefusedError("The line is too long.")
        elif suffix in (".json", ".jsonl", ".ndjson"):
            if line.strip():
                yield number, _json(line)
        elif line.strip() and not line.startswith("# "):
            yield number, {"scan": line.rstrip("\r\n")}


def _json(line: str) -> dict[str, Any] | ScanRefusedError:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        values = None
    return values if isinstance(values, dict) else ScanRefusedError("The line is no JSON object.")


def _row(number: int, values: dict[str, Any] | ScanRefusedError, operation: Operation) -> Row:
    if isinstance(values, ScanRefusedError):
        return Row(number, None, values)
    try:
        scan = _scan(values)
        asked = _operation(str(values.get("operation") or operation.name))
        manual = str(values.get("manual") or "").lower() in ("1", "true", "yes", "manual")
        reference = values.get("reference") or None
        call = PackCall(asked, scan, manual, None if reference is None else str(reference))
    except ScanError as error:
        return Row(number, None, ScanRefusedError(error.problem, error.advice))
    except ScanRefusedError as error:
        return Row(number, None, error)
    return Row(number, call)


def _operation(word: str) -> Operation:
    name = word.upper().replace("-", "_")
    if name not in Operation.__members__:
        raise ScanRefusedError(f"There is no operation {name.lower()!r}.")
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
