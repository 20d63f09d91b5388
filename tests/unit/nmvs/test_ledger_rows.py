"""Rows in text form: only what PostgreSQL reads as one word goes without quotes."""

from __future__ import annotations

import pytest

from nmvs.ledger_rows import array_of, quoted


@pytest.mark.parametrize("text", ["rest", "T20260302-0001", "0a1b", "NULL", "12.5", "2026:1"])
def test_plain_words_go_as_they_are(text: str) -> None:
    assert quoted(text) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", r"\"\""),
        ("a b", r"\"a b\""),
        ("a,b", r"\"a,b\""),
        ('a"b', r"\"a\\\"b\""),
        ("a\\b", r"\"a\\\\b\""),
        ("{(x)}", r"\"{(x)}\""),
        ("ü", r"\"ü\""),
        ("a\n", '\\"a\n\\"'),
    ],
)
def test_everything_else_is_quoted_on_both_levels(text: str, written: str) -> None:
    assert quoted(text) == written


def test_null_differs_from_an_empty_text() -> None:
    assert array_of([(None, "", b"\x01\xff", True, -3)]) == r'{"(,\"\",01ff,True,-3)"}'
