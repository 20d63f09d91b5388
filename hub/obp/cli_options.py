"""Options that several commands of `obp` have, and what is read from the files they name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from hub.obp.errors import InputError
from hub.obp.serial_sources import SerialFormat, checked, read_serial_numbers, unchecked

WHAT: Final = "What"
"""Heading of the options that say what a command is about."""
_WAIT: Final = "Waiting"
_DOCUMENT_BYTES_MAX: Final = 16 * 1024 * 1024

CodeOption = Annotated[
    str, typer.Option("--product", help="GTIN, NTIN or PPN.", rich_help_panel=WHAT)
]
BatchOption = Annotated[str, typer.Option("--batch", help="Batch.", rich_help_panel=WHAT)]
SerialsOption = Annotated[
    Path,
    typer.Option(
        "--serials",
        help="File of serial numbers: text, .csv, .ndjson, each also .gz; - is standard input.",
        rich_help_panel=WHAT,
    ),
]
FormatOption = Annotated[
    SerialFormat | None,
    typer.Option("--format", help="Form of that file, if its name does not tell."),
]
ColumnOption = Annotated[
    str | None, typer.Option(help="Column (CSV) or member (NDJSON) with the serial numbers.")
]
UncheckedOption = Annotated[
    bool, typer.Option("--unchecked", help="Send what the hub will refuse, too.")
]
ReasonOption = Annotated[str, typer.Option(help="Reason, a text.", rich_help_panel=WHAT)]
MarketsOption = Annotated[
    list[str], typer.Option("--market", help="Market such as IE; repeat it.", rich_help_panel=WHAT)
]
NoWaitOption = Annotated[
    bool,
    typer.Option(
        "--no-wait", help="Return when the hub has acknowledged it.", rich_help_panel=_WAIT
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(help="Wait at most so many seconds for the end.", min=0, rich_help_panel=_WAIT),
]


def serial_numbers_of(
    path: Path, product_code: str, form: SerialFormat | None, column: str | None, *, all_of: bool
) -> Any:
    """Return an iterator over a file's serial numbers; `all_of` leaves them unchecked."""
    numbered = read_serial_numbers(path, form=form, column=column)
    if all_of:
        return unchecked(numbered)
    return checked(numbered, product_code=product_code, source=str(path))


def read_document(path: Path, kind: Any) -> Any:
    """Return the JSON document in a file. Raises InputError."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_DOCUMENT_BYTES_MAX), type=kind)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # msgspec's errors are; also a null character in the name.
        raise InputError(f"{path} is not such a JSON document: {error}.") from error
