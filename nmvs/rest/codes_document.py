"""`python -m nmvs.rest.codes_document` prints docs/operation-codes.md."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from emvs.operation_code_table import CODE_TABLE, CodeRow
from emvs.operation_codes import OPERATIONS, STATUS_CLASSES, parse, without_body
from emvs.rules_document import table
from emvs.states import State
from nmvs.rest import codes, document_codes
from nmvs.rest.texts import display_text

_DOCUMENT: Final = """\
# Operation codes

Made from the code by `python -m nmvs.rest.codes_document > docs/operation-codes.md`; a test holds
that it is up to date.

A code of the REST-built national systems reads `H OO I SS RR`. The grammar is read from two
clients, the rest as each row says: *certain* (one source says so), *two sources* (and another
agrees), *inferred*, *unknown*. Treat a code as opaque: letters occur, and new ones appear in all
versions of the interface at once.

## H: HTTP status

{status_classes}
## OO: operation

{operations}
## I: text

`0` neither, `1` information, `2` warning.

## SS: state

01 and 02 are certain, all others inferred; open are which of 03 and 07 is which, and the order of
05, 06 and 08. `00` tells no state.

{states}
## RR: reason

Mostly `01` if the asking location has set the state and `00` if not; else see the row.

## Made by clients

A client without an answer shows `0`, the operation and `20000`: `{no_answer}` for a supply. If an
answer has no body it shows the same with the class of the status: `{empty}` for a supply that got
a bare 409, which is a real code as well.

## Known codes

The certainty is that of the meaning. Colour: how one client shows it. Alert: whether the answer
comes with one.

{known}
## Made here by the grammar

Codes that this simulator answers with where none is known. Our choice, all of them.

{ours}"""


def codes_document() -> str:
    """Return the whole document."""
    return _DOCUMENT.format(
        status_classes=table(
            ("H", "HTTP status", "certainty"),
            (
                (
                    f"`{letter}`",
                    str(row.status or ("none" if letter == "0" else "?")),
                    row.certainty,
                )
                for letter, row in STATUS_CLASSES.items()
            ),
        ),
        operations=table(
            ("OO", "operation", "certainty"),
            ((f"`{digits}`", row.text, row.certainty) for digits, row in OPERATIONS.items()),
        ),
        states=table(
            ("SS", "state"),
            ((f"`{state:02d}`", state.name.lower().replace("_", " ")) for state in State),
        ),
        no_answer=without_body("12", None),
        empty=without_body("12", 409),
        known="\n".join(_known()),
        ours=table(
            ("code", "HTTP status", "text"),
            ((f"`{code}`", _status(code), display_text(code)) for code in our_codes()),
        ),
    )


def our_codes() -> list[str]:
    """Return the codes that are answered here and stand in no public source."""
    named = [
        value
        for module in (codes, document_codes)
        for value in vars(module).values()
        if isinstance(value, str) and parse(value) is not None
    ]
    return sorted({code for code in (*named, *codes.FIXED.values()) if code not in CODE_TABLE})


def _known() -> Iterable[str]:
    rows = sorted(CODE_TABLE.values(), key=_operation_of)
    for digits, group in groupby(rows, _operation_of):
        text = OPERATIONS[digits].text
        yield f"### {text[0].upper()}{text[1:]}\n"
        yield table(
            ("code", "HTTP status", "meaning", "certainty", "colour", "alert"),
            (
                (
                    f"`{row.code}`",
                    _status(row.code),
                    row.meaning,
                    row.certainty,
                    row.colour or "",
                    row.alert or "",
                )
                for row in group
            ),
        )


def _operation_of(row: CodeRow) -> str:
    return row.parts.operation


def _status(code: str) -> str:
    parts = parse(code)
    assert parts is not None
    return str(parts.status or "?")


if __name__ == "__main__":
    sys.stdout.write(codes_document())
