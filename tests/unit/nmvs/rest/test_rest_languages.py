"""Languages: which one a client gets, and that no table lacks a text."""

from __future__ import annotations

from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmvs.rest.languages import choose_language, language_of
from nmvs.rest.texts import ENGLISH, TEXTS, display_text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("sv-SE", "sv"),
        ("en", "en"),
        ("EN_gb", "en"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en;q=0.5, pl;q=0.7", "pl"),
        ("pl;q=0.7, en;q=0.7", "pl"),
        ("fr-FR", "fi"),
        ("fr-FR, el;q=0.1", "el"),
        ("*", "fi"),
        ("de;q=0, *;q=0.1", "fi"),
        ("de;q=x, sv;q=0.3", "sv"),
        ("", "fi"),
        (",;q=,;", "fi"),
        ("de" + " " * 300 + ", sv", "de"),
    ],
)
def test_the_best_language_there_is(accepted: str, language: str) -> None:
    assert choose_language(accepted, "fi") == language


@pytest.mark.parametrize(
    ("locale", "language"), [("fi-FI", "fi"), ("el-GR", "el"), ("lt-LT", "en"), ("", "en")]
)
def test_a_market_speaks_its_language_or_english(locale: str, language: str) -> None:
    assert language_of(locale) == language


@given(st.text())
def test_no_header_raises(accepted: str) -> None:
    assert choose_language(accepted, "en") in TEXTS


def placeholders(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text)} - {None}


def test_the_languages_on_offer() -> None:
    assert {"en", "de", "pl", "fi", "sv", "el"} <= TEXTS.keys()


@pytest.mark.parametrize("language", sorted(TEXTS))
def test_every_text_is_there_with_the_same_placeholders(language: str) -> None:
    texts = TEXTS[language]
    assert texts.keys() == ENGLISH.keys()
    for key, text in texts.items():
        assert text.strip() == text != "", key
        assert text.endswith("."), key
        assert placeholders(text) == placeholders(ENGLISH[key]), key


def test_a_language_is_not_another_ones_copy() -> None:
    for language in TEXTS.keys() - {"en"}:
        same = [key for key in ENGLISH if TEXTS[language][key] == ENGLISH[key]]
        assert not same, language


def test_texts_are_put_together_in_the_language_asked_for() -> None:
    assert display_text("51220700", "de") == (
        "Die Packung kann nicht abgegeben werden. Sie wurde als gestohlen gemeldet."
    )
    assert "είναι ενεργή" in display_text("11110100", "el")
    assert display_text("11110100", "xx") == "The pack is active."
