"""Versions of the interface: which is served, and what it leaves out where a market wants that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.alerts import Alert
from emvs.outcomes import Outcome
from emvs.states import Operation, State
from nmvs.requests import Answer
from nmvs.rest.answers import render_answer
from nmvs.rest.versions import VERSIONS, hidden_members, served_version


@pytest.mark.parametrize(
    ("requested", "served"),
    [
        (None, "3.1"),
        ("", "3.1"),
        ("2.4", "2.4"),
        (" 2.4 ", "2.4"),
        ("v3.4", "3.4"),
        ("2", "1.0"),
        ("3.0", "2.4"),
        ("99.9", "3.4"),
        ("0.9", "3.1"),
        ("latest", "3.1"),
    ],
)
def test_a_request_is_served_as_a_known_version(requested: str | None, served: str) -> None:
    assert served_version(requested, "3.1") == served


@given(st.text())
def test_no_version_raises(requested: str) -> None:
    assert served_version(requested, "2.4") in VERSIONS


def test_the_first_version_has_none_of_what_came_later() -> None:
    answer = Answer(
        Outcome.ALREADY_IN_STATE,
        "0" * 32,
        1_893_456_000_000,
        State.SUPPLIED,
        State.SUPPLIED,
        alert=Alert("IE-7Q2-0KD-M41-99Z-A0B", "A7"),
    )
    full = render_answer(answer, Operation.SUPPLY, "https://ams.example/")
    assert full == render_answer(
        answer, Operation.SUPPLY, "https://ams.example/", "en", hidden_members("3.1")
    )
    first = render_answer(
        answer, Operation.SUPPLY, "https://ams.example/", "en", hidden_members("1.0")
    )
    assert first == (
        409,
        (
            b'{"operationCode":"51220200","state":"Supplied",'
            b'"warning":"The pack cannot be supplied. It has been supplied.",'
            b'"alertId":"IE-7Q2-0KD-M41-99Z-A0B"}'
        ),
    )
    assert set(hidden_members("2.4")) == {"nhrn", "batchState"}
