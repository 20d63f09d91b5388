"""CSV (RFC 4180) that a spreadsheet shows as it is: no cell is ever taken for a formula.

A cell that begins like a formula gets an apostrophe in front, as spreadsheets want it. So that a
program can take it away again, a cell that begins with an apostrophe gets one as well: serial
numbers may begin with any of these. Nothing of the content is known here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

_MARK: Final = "'"
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_FULL_WIDTH: Final = ("\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Some spreadsheets take these forms for the first four above."""
_MARKED: Final = (_MARK, *_FORMULA_STARTS, *_FULL_WIDTH)


def protect(text: str) -> str:
    """Return the cell for a text."""
    return _MARK + text if text.startswith(_MARKED) else text


def unprotect(cell: str) -> str:
    """Return the text of a cell."""
    return cell.removeprefix(_MARK)


def csv_lines(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV, each ended by CR LF."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\r\n").writerows(
        [protect(text) for text in row] for row in rows
    )
    return lines.getvalue()
