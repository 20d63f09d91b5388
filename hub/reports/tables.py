"""A report as a table: columns once, rows as dictionaries, written as JSON or CSV."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from emvs.csv_cells import csv_lines
from emvs.report_messages import ReportFormat

Row = dict[str, Any]
"""Values are text, numbers, truth values or None."""


@dataclass(slots=True)
class Table:
    """What a report says."""

    columns: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)
    is_truncated: bool = False

    def written(self, form: ReportFormat) -> bytes:
        """Return the rows as a JSON array of objects, or as CSV with a heading."""
        if form is ReportFormat.JSON:
            return orjson.dumps(self.rows)
        return csv_lines(self._cells()).encode()

    def _cells(self) -> Iterable[list[str]]:
        yield list(self.columns)
        for row in self.rows:
            yield [_cell(row.get(column)) for column in self.columns]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
