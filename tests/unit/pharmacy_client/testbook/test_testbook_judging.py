"""What is held against an answer, and that each deviation is found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pharmacy_client.exchange import HttpReply
from pharmacy_client.testbook.book import Expected
from pharmacy_client.testbook.judging import problems_of, read_answer

REFUSED = {
    "operationCode": "51220201",
    "state": "Supplied",
    "warning": "The pack cannot be supplied.",
    "alertId": "GR-1",
    "alertCode": "#A7",
}
EXPECTED = Expected(
    codes=("51220201", "5132.20."), alert=True, alert_codes=("#A7", "#A24"), state="Supplied"
)


def problems(members: Any, *, status: int = 409, expected: Expected = EXPECTED) -> list[str]:
    body = members if isinstance(members, bytes) else json.dumps(members).encode()
    return problems_of(read_answer(HttpReply(status, {}, body, 1.0)), expected)


def test_what_is_as_expected_has_no_problem() -> None:
    assert problems(REFUSED) == []
    assert problems(REFUSED | {"operationCode": "51320200", "state": "supplied"}) == []
    assert problems(REFUSED | {"unknownMember": [1]}) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"operationCode": "51220200"}, "expected 51220201"),
        ({"operationCode": 51220201}, "no text of eight"),
        ({"operationCode": "5122020"}, "no text of eight"),
        ({"operationCode": None}, "missing"),
        ({"operationCode": "11220201"}, "HTTP 409 with operation code 11220201"),
        ({"alertId": ""}, "no alert id"),
        ({"alertId": None}, "no alert id"),
        ({"alertCode": "#A3"}, "alert code #A3"),
        ({"state": "Active"}, "state 'Active'"),
        ({"state": None}, "state missing"),
        ({"information": "Fine."}, "information and warning"),
        ({"warning": None}, "neither information nor warning"),
    ],
)
def test_a_deviation_is_found(change: dict[str, Any], problem: str) -> None:
    found = problems(REFUSED | change)
    assert any(problem in one for one in found), found


def test_an_alert_where_none_belongs_is_found() -> None:
    quiet = Expected(codes=("51220201",), alert=False)
    assert problems(REFUSED, expected=quiet) == ["alert 'GR-1', expected none"]
    open_question = Expected(codes=("51220201",), alert=None)
    assert problems(REFUSED, expected=open_question) == []


def test_further_members_are_compared() -> None:
    expected = Expected(codes=("11110100",), members={"isIntermarket": True})
    answer: dict[str, Any] = {"operationCode": "11110100", "information": "Active."}
    assert problems(answer, status=200, expected=expected) == [
        "isIntermarket missing, expected True"
    ]
    assert problems(answer | {"isIntermarket": True}, status=200, expected=expected) == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"text"', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_a_problem_and_no_error(body: bytes) -> None:
    (problem,) = problems(body, status=502)
    assert problem.startswith("HTTP 502: the body is no JSON")
