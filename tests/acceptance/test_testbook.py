"""`pharmacy testbook`: our own system passes as a whole; one that breaks rules fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pharmacy_client.errors import LoginRefusedError, SystemUnreachableError
from pharmacy_client.testbook.report import Verdict
from tests.acceptance.book_stand import BookStand, Fault, book_stand, of_members, steps_of

PHARMACY = Path(sys.executable).parent / "pharmacy"
WHOLE_S_MAX = 100.0


def pharmacy(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `pharmacy testbook` to its end, in a folder of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PHARMACY_")}
    return subprocess.run(  # noqa: S603 - the command under test
        [str(PHARMACY), "testbook", *arguments],
        capture_output=True,
        text=True,
        timeout=WHOLE_S_MAX,
        check=False,
        cwd=folder,
        env=environment | {"HOME": str(folder)},
    )


@pytest.fixture
async def stand(dsn: str, schema_name: str, tmp_path: Path) -> AsyncIterator[BookStand]:
    """Greece as it is in our tables, with Ireland beside it."""
    async with book_stand(dsn, schema_name, tmp_path) as made:
        yield made


def test_the_whole_book_passes_against_a_system_of_its_own(tmp_path: Path) -> None:
    files = {kind: tmp_path / f"book.{kind}" for kind in ("json", "html", "text")}
    options = [text for kind, file in files.items() for text in (f"--{kind}", str(file))]
    before = datetime.now(UTC).isoformat()
    folders = set(Path(tempfile.gettempdir()).glob("emvs-testbook-*"))
    done = pharmacy("--self-contained", *options, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(files["json"].read_bytes())
    assert (result["verdict"], result["failed"], result["market"]) == ("Pass", 0, "GR")
    assert before < result["startedAt"] < result["endedAt"]
    verdicts = {case["number"]: case["verdict"] for case in result["cases"]}
    assert verdicts.pop("08") == "N/A"
    assert set(verdicts.values()) == {"Pass"}
    assert len(verdicts) == 13
    skipped = {
        step["reason"]
        for case in result["cases"]
        for step in case["steps"]
        if step["verdict"] == "N/A"
    }
    assert skipped <= {
        "not for a pharmacy",
        "this market has no packs with PPN codes",
        "the result was there at once",  # The machine was slower in asking than in answering.
    }
    alerts = next(case for case in result["cases"] if case["number"] == "09")
    ids = {alert_id for step in alerts["steps"] for alert_id in step["alertIds"]}
    assert len(ids) == 15
    assert all(
        result["startedAt"] < step["completedAt"] < result["endedAt"]
        for case in result["cases"]
        for step in case["steps"]
    )
    assert min(ids) in files["html"].read_text()
    assert "Pass 12 INVALID_GS1_ELEMENTS" in files["text"].read_text()
    assert "Pass 07 SINGLE_REACTIVATE" in done.stdout
    assert set(Path(tempfile.gettempdir()).glob("emvs-testbook-*")) <= folders, "it is removed"


async def test_a_wholesaler_passes_too_and_twice_on_the_same_system(stand: BookStand) -> None:
    registration = await stand.markets.running["GR"].register("wholesaler", 1)
    stand.document["participants"].append(
        {"market": "GR", "kind": "wholesaler", "rest": registration["rest"]}
    )
    for _ in range(2):
        result = await stand.run("05", "07", "08", role="wholesaler")
        assert not steps_of(result, Verdict.FAIL), steps_of(result, Verdict.FAIL)
        assert not steps_of(result, Verdict.NOT_APPLICABLE)
    assert await stand.markets.running["GR"].ask_management("/non-fmd") == {"product_codes": []}


async def test_a_market_that_tolerates_too_many_repeats_fails(
    dsn: str, schema_name: str, tmp_path: Path
) -> None:
    async with book_stand(dsn, schema_name, tmp_path, supply_repeat_tolerance=3) as stand:
        result = await stand.run("02", "06")
        failed = steps_of(result, Verdict.FAIL)
        # Beyond Greece's limit of one: by bulk in the third result, singly in the third step.
        assert set(failed) == {("02", 6), ("06", 3)}
        step = failed["06", 3]
        assert step.operation_code == "11220201"
        assert "expected 51220201" in step.reason
        assert "no alert id" in step.reason
        (sent,) = step.exchanges
        assert sent.request.startswith("PATCH http://")
        assert '{"state":"Supplied"}' in sent.request
        assert "Bearer ***" in sent.request
        assert '"operationCode":"11220201"' in sent.answer
        right = await stand.run("02", "06", repeat_limit=3)
        assert right.verdict is Verdict.PASS, steps_of(right, Verdict.FAIL)


def _other_status(path: str, status: int, body: bytes) -> tuple[int, bytes]:
    return (400 if status == 422 else status), body


def _no_json(path: str, status: int, body: bytes) -> tuple[int, bytes]:
    return status, b"<html>Bad gateway</html>"


def _swap(old: bytes, new: bytes) -> Fault:
    return lambda path, status, body: (status, body.replace(old, new))


EVERY_ALERT = {("09", number) for number in range(1, 16)}
FAULTS: list[tuple[str, Fault, tuple[str, ...], set[tuple[str, int]]]] = [
    (
        "a code about another place",
        _swap(b'"operationCode":"51220201"', b'"operationCode":"51220200"'),
        ("06",),
        {("06", 3)},
    ),
    (
        "alerts without id",
        of_members(lambda members: members.pop("alertId", None)),
        ("09",),
        EVERY_ALERT,
    ),
    (
        "an alert for every pack",
        of_members(lambda members: members.update(alertId="GR-1")),
        ("12",),
        {("12", number) for number in range(1, 10)},
    ),
    (
        "a status that old clients can't bear",
        _other_status,
        ("12",),
        {("12", n) for n in range(1, 9)},
    ),
    (
        "codes as numbers",
        of_members(lambda m: m.update(operationCode=int(m["operationCode"]))),
        ("10",),
        {("10", number) for number in range(1, 8)},
    ),
    ("another batch's alert", _swap(b'"#A68"', b'"#A3"'), ("09",), {("09", n) for n in (7, 8, 9)}),
    (
        "no word of another market",
        _swap(b'"isIntermarket":true', b'"isIntermarket":false'),
        ("06",),
        {("06", 11)},
    ),
    ("answers that are none", _no_json, ("13",), {("13", n) for n in (1, 2, 3, 4)}),
]


async def test_a_system_that_breaks_a_rule_fails_where_it_does(stand: BookStand) -> None:
    for name, fault, cases, expected in FAULTS:
        result = await stand.run(*cases, fault=fault)
        assert set(steps_of(result, Verdict.FAIL)) == expected, name
        assert result.verdict is Verdict.FAIL


async def test_a_system_that_goes_away_fails_the_rest_without_being_waited_for(
    stand: BookStand,
) -> None:
    stand.proxy.answers_left = 12
    result = await stand.run("10", "11", "12")
    assert result.verdict is Verdict.FAIL
    failed = steps_of(result, Verdict.FAIL)
    assert failed["12", 9].reason == "not tried: the system no longer answers"
    assert steps_of(result, Verdict.PASS)
    stand.proxy.answers_left = 0
    with pytest.raises(SystemUnreachableError):
        await stand.run("06")
    stand.document["participants"][0]["rest"]["client_secret"] = "wrong"
    with pytest.raises(LoginRefusedError):
        await stand.run("06")


async def test_without_a_stand_its_steps_do_not_apply_and_say_why(stand: BookStand) -> None:
    stand.document |= {"hub": {}, "participants": stand.document["participants"][:1]}
    for market in stand.document["markets"].values():
        del market["management"]
    result = await stand.run()
    assert not steps_of(result, Verdict.FAIL)
    skipped = steps_of(result, Verdict.NOT_APPLICABLE)
    assert "needs a hub" in skipped["06", 1].reason
    assert "needs the market's management address" in skipped["05", 7].reason
    assert set(steps_of(result, Verdict.PASS)) >= {("05", 9), ("06", 12), ("13", 4)}


def test_a_system_that_is_away_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    away = tmp_path / "away.toml"
    away.write_text(
        'dialect = "rest"\nurl = "http://127.0.0.1:9"\nclient_id = "a"\nclient_secret = "b"\n'
        'token_url = "http://127.0.0.1:9/connect/token"\n'
    )
    done = pharmacy("--profile", str(away), folder=tmp_path)
    assert done.returncode == 6, done
    assert "No connection to http://127.0.0.1:9" in done.stderr
    assert done.stderr.count("\n") == 1
