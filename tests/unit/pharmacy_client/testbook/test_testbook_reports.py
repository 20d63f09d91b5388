"""The result in its three forms, and how verdicts add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from pharmacy_client.testbook.report import (
    BookResult,
    CaseResult,
    Sent,
    StepResult,
    Verdict,
    joint_verdict,
    result_object,
)
from pharmacy_client.testbook.report_html import html_report
from pharmacy_client.testbook.report_text import text_report

START = datetime(2030, 1, 1, 8, 0, 5, 123456, tzinfo=UTC)


def result(*verdicts: Verdict, answer: str = "HTTP/1.1 409\r\n\r\n{}") -> BookResult:
    steps = tuple(
        StepResult(
            number=number,
            text="Supply <it> again",
            verdict=verdict,
            completed_at=START + timedelta(seconds=number),
            expected="51220201, alert",
            reason="operation code '11210200'" if verdict is Verdict.FAIL else "",
            operation_code="51220201",
            told="It cannot be supplied.",
            alert_ids=("GR-ABC-1",) if verdict is Verdict.PASS else (),
            exchanges=(Sent("PATCH /x", answer),) if verdict is Verdict.FAIL else (),
        )
        for number, verdict in enumerate(verdicts, 1)
    )
    case = CaseResult(
        number="06",
        name="SINGLE_SUPPLY",
        started_at=START,
        completed_at=START + timedelta(seconds=9),
        steps=steps,
    )
    return BookResult(
        system="http://127.0.0.1:1/verification",
        market="GR",
        role="pharmacy",
        login="till",
        repeat_limit=1,
        software="emvs-pharmacy/0.1",
        started_at=START,
        ended_at=START + timedelta(seconds=10),
        cases=(case,),
    )


@pytest.mark.parametrize(
    ("verdicts", "joint"),
    [
        ([Verdict.PASS, Verdict.FAIL, Verdict.NOT_APPLICABLE], Verdict.FAIL),
        ([Verdict.PASS, Verdict.NOT_APPLICABLE], Verdict.PASS),
        ([Verdict.NOT_APPLICABLE], Verdict.NOT_APPLICABLE),
        ([], Verdict.NOT_APPLICABLE),
    ],
)
def test_one_failed_step_fails_the_whole(verdicts: list[Verdict], joint: Verdict) -> None:
    assert joint_verdict(verdicts) is joint
    assert result(*verdicts).verdict is joint


def test_the_object_has_what_the_book_wants() -> None:
    document = result_object(result(Verdict.PASS, Verdict.FAIL))
    assert document["verdict"] == "Fail"
    assert (document["startedAt"], document["endedAt"]) == (
        "2030-01-01T08:00:05.123Z",
        "2030-01-01T08:00:15.123Z",
    )
    case = document["cases"][0]
    assert case["completedAt"] == "2030-01-01T08:00:14.123Z"
    passed, failed = case["steps"]
    assert passed["alertIds"] == ["GR-ABC-1"]
    assert passed["completedAt"] == "2030-01-01T08:00:06.123Z"
    assert failed["exchanges"] == [{"request": "PATCH /x", "answer": "HTTP/1.1 409\r\n\r\n{}"}]


def test_the_text_names_times_alerts_and_what_went_over_the_wire() -> None:
    text = text_report(result(Verdict.PASS, Verdict.FAIL))
    for part in ("FAIL 06 SINGLE_SUPPLY", "08:00:06.123Z", "alert GR-ABC-1", "> PATCH /x"):
        assert part in text
    assert "FAIL: 1 steps passed, 1 failed, 0 n/a" in text


def test_the_page_is_well_formed_and_nothing_gets_out_of_its_place() -> None:
    page = html_report(result(Verdict.PASS, Verdict.FAIL, answer="<script>alert(1)</script>"))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "Supply &lt;it&gt; again" in page
    open_tags: list[str] = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert not any(name in ("src", "onload") for name, _ in attrs)
            if tag not in ("meta", "br"):
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

    Checker().feed(page)
    assert not open_tags
