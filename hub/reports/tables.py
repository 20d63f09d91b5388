"""A report as a table: columns once, rows as dictionaries, written as JSON or CSV."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from emvs.csv_cells import csv_lines
from emvs.report_messages import ReportFormat

_SLICE_COUNT: Final = 500
Row = dict[str, Any]
"""Values are text, numbers, truth values or None."""


@dataclass(slots=True)
class Table:
    """What a report says."""

    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    is_truncated: bool = False

    async def written(self, form: ReportFormat) -> bytes:
        """Return the rows as a JSON array of objects, or as CSV with a heading. Lets the event loop
        run in between."""
        parts: list[bytes] = []
        if form is ReportFormat.CSV:
            parts.append(csv_lines([list(self.columns)]).encode())
        for start in range(0, len(self.rows), _SLICE_COUNT):
            some = self.rows[start : start + _SLICE_COUNT]
            if form is ReportFormat.CSV:
                parts.append(csv_lines(map(self._cells, some)).encode())
            else:
                whole = [{column: row.get(column) for column in self.columns} for row in some]
                parts.append(orjson.dumps(whole)[1:-1])
            await asyncio.sleep(0)
        return b"".join(parts) if form is ReportFormat.CSV else b"[" + b",".join(parts) + b"]"

    def _cells(self, row: Row) -> list[str]:
        return [_cell(row.get(column)) for column in self.columns]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
