"""Codes that are answered here are known ones, or follow the grammar; the page tells them all."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from emvs.operation_code_table import CODE_TABLE
from emvs.operation_codes import OPERATIONS, parse
from emvs.outcomes import NEVER_ANSWERED, Outcome
from emvs.states import Operation, State
from nmvs.rest import document_codes
from nmvs.rest.codes import FIXED, HINTED, http_status, operation_code
from nmvs.rest.codes_document import codes_document, our_codes
from nmvs.rest.document_codes import TEXTS

PAGE = Path(__file__).parents[4] / "docs" / "operation-codes.md"


def test_the_committed_page_is_up_to_date() -> None:
    command = "python -m nmvs.rest.codes_document > docs/operation-codes.md"
    assert PAGE.read_text() == codes_document(), command


def test_the_page_tells_every_code_and_every_operation() -> None:
    document = codes_document()
    for code in (*CODE_TABLE, *our_codes()):
        assert f"`{code}`" in document
    for digits in OPERATIONS:
        assert f"| `{digits}` |" in document


def test_every_code_of_a_pack_is_known_or_follows_the_grammar() -> None:
    made = {*FIXED.values(), *HINTED.values()}
    depends = set(Outcome) - NEVER_ANSWERED - FIXED.keys()
    for outcome, operation, state, here in product(depends, Operation, State, (False, True)):
        made.add(operation_code(outcome, operation, state, here=here))
    for code in made:
        parts = parse(code)
        assert parts is not None, code
        assert parts.status == http_status(code), code


def test_codes_that_depend_on_nothing_are_known_ones() -> None:
    assert {*FIXED.values(), *HINTED.values()} <= CODE_TABLE.keys()


def test_every_code_of_a_document_has_its_text_if_it_announces_one() -> None:
    for name, code in vars(document_codes).items():
        if name.isupper() and isinstance(code, str):
            parts = parse(code)
            assert parts is not None, name
            assert (code in TEXTS) == (parts.kind.value != "0"), name
