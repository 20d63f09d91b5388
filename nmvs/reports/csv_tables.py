"""Reports as CSV: banner lines, header row, lines; several tables in one file. No content is known.

A cell that a spreadsheet would take for a formula is marked (`emvs.csv_cells`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from emvs.csv_cells import csv_lines

Cell = str | int | bool | datetime | None

END_OF_LINE: Final = "\r\n"


def table_lines(rows: Iterable[Sequence[Cell]]) -> str:
    """Return rows as lines of CSV."""
    return csv_lines([cell_text(cell) for cell in row] for row in rows)


def banner_lines(lines: Sequence[str]) -> str:
    """Return the lines in front of a report's header, one quoted cell each. None has a break in
    it: a reader leaves out so many lines, not cells."""
    return "".join(_quoted(" ".join(line.split())) for line in lines)


def table_head(name: str, columns: Sequence[str]) -> str:
    """Return the beginning of one of several tables: a blank line, its name in quotes, header."""
    return END_OF_LINE + _quoted(name) + csv_lines([columns])


def cell_text(cell: Cell) -> str:
    """Return the text of a cell; times are UTC, to the millisecond."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return utc_text(cell)
    return str(cell)


def utc_text(at: datetime) -> str:
    """Return a time as ISO 8601 in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _quoted(text: str) -> str:
    """Return a line with one cell, in quotes whatever is in it."""
    protected = csv_lines([[text]]).removesuffix(END_OF_LINE)
    bare = protected.startswith('"') and protected.endswith('"') and len(protected) > 1
    return (protected if bare else f'"{protected}"') + END_OF_LINE
