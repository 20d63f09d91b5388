"""Which clock `pharmacy doctor` compares with, and what it says."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest

from pharmacy_client.doctor_checks import Verdict
from pharmacy_client.doctor_clock import check_clock, deciding_clock, machine_clock
from pharmacy_client.exchange import HttpReply

NOW = datetime(2026, 12, 1, 3, 0, 0, tzinfo=UTC)
RIGHT, LATE = "Tue, 01 Dec 2026 03:00:02 GMT", "Tue, 01 Dec 2026 03:05:00 GMT"


def token(claims: object) -> bytes:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return json.dumps({"access_token": f"e30.{body}.c2ln"}).encode()


def soap(time: str) -> bytes:
    return f"<a:Transaction><a:Timestamp> {time} </a:Timestamp></a:Transaction>".encode()


@pytest.mark.parametrize(
    ("date", "body", "verdict", "words"),
    [
        ("", b"", Verdict.WARNING, "tells no time"),
        ("yesterday", b"{}", Verdict.WARNING, "tells no time"),
        (LATE, b"<html>", Verdict.FAILED, "300 s behind the system, by HTTP's Date"),
        (RIGHT, b"<html>", Verdict.OK, "2 s behind the system, by HTTP's Date"),
        # What says nothing about the clock that decides leaves the Date.
        (RIGHT, soap("2026-12-01T04:00:00"), Verdict.OK, "HTTP's Date"),
        (RIGHT, soap("soon"), Verdict.OK, "HTTP's Date"),
        (RIGHT, b'{"access_token":"opaque"}', Verdict.OK, "HTTP's Date"),
        (RIGHT, b'{"access_token":"a.!!!.b"}', Verdict.OK, "HTTP's Date"),
        (RIGHT, token({"exp": 1}), Verdict.OK, "HTTP's Date"),
        (RIGHT, token({"iat": 1e300}), Verdict.OK, "HTTP's Date"),
        (RIGHT, token([]), Verdict.OK, "HTTP's Date"),
        # It was moved: not this computer's fault.
        (
            RIGHT,
            soap("2026-12-11T04:00:00+01:00"),
            Verdict.WARNING,
            "10 days behind the system, by",
        ),
        (RIGHT, token({"iat": NOW.timestamp() + 3600}), Verdict.WARNING, "3600 s behind"),
        (
            RIGHT,
            token({"iat": NOW.timestamp() + 3600}),
            Verdict.WARNING,
            "by HTTP's Date it is right",
        ),
        (LATE, soap("2026-12-01T03:05:00Z"), Verdict.FAILED, "by the Timestamp of its replies"),
        # What it decides by is what counts.
        (LATE, soap("2026-12-01T03:00:01.123Z"), Verdict.OK, "by the Timestamp of its replies"),
        (
            "",
            token({"iat": NOW.timestamp() - 1}),
            Verdict.OK,
            "1 s ahead of the system, by the time",
        ),
    ],
)
def test_clock(date: str, body: bytes, verdict: Verdict, words: str) -> None:
    reply = HttpReply(200, {"date": date} if date else {}, body, 1.0)
    check = check_clock(machine_clock(reply), deciding_clock(reply), NOW)
    assert (check.verdict, words in check.found) == (verdict, True), check
    assert bool(check.advice) is (verdict is not Verdict.OK)
    if verdict is Verdict.FAILED:
        assert "NTP" in check.advice
