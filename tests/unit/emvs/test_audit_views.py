"""The table of who reads what, and cells that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.audit_views import AUDIT_VIEWS, AuditView
from emvs.csv_cells import csv_lines, protect, unprotect
from emvs.roles import Role

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def test_only_the_authority_reads_everything_and_only_the_manufacturer_by_product() -> None:
    by_view: dict[AuditView, set[Role]] = {}
    for role, view in AUDIT_VIEWS.items():
        by_view.setdefault(view, set()).add(role)
    assert by_view[AuditView.EVERYTHING] == {Role.NCA}
    assert by_view[AuditView.INVESTIGATED_PACKS] == {Role.NMVO}
    assert by_view[AuditView.OWN_PRODUCTS] == {Role.OBP}


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "'x"]
)
def test_a_cell_that_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert protect(text) == "'" + text


@pytest.mark.parametrize("text", ["", "1=1", "A'", " x", "é"])
def test_another_cell_stays_as_it_is(text: str) -> None:
    assert protect(text) == text


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=4), max_size=5))
def test_csv_is_read_back_as_it_was_written(rows: list[list[str]]) -> None:
    text = csv_lines(rows)
    read = [[unprotect(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]
    assert read == rows


@given(TEXTS)
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert not protect(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
