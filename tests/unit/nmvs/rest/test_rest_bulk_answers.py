"""Tickets and results of many packs, byte for byte."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emvs.alerts import Alert
from emvs.outcomes import Outcome
from emvs.states import Operation, State
from nmvs.bulk.jobs import Item, Worked
from nmvs.requests import Answer
from nmvs.rest.bulk_answers import instant, render_bulk, render_results, render_worked
from nmvs.rest.bulk_forms import BULK, RECOVERY
from nmvs.rest.codes import http_status

AMS = "https://ams.example/"
ECHO = b'{"productCodeScheme":"gs1" ,"serialNumber":"A1","more":[1]}'
AT_MS = 1_900_000_000_000


def worked(answer: Answer | None, defect: str = "", operation: Operation = Operation.SUPPLY) -> str:
    each = Worked(0, Item(defect=defect, echo=ECHO), operation, answer)
    return render_worked(each, AMS).decode()


def test_codes_of_both_forms() -> None:
    names = ["accepted", "delivered", "not_ready", "unknown", "count_differs", "body_invalid"]
    names.append("too_many")
    assert [getattr(BULK, name) for name in names] == (
        ["22100000", "12200000", "52210000", "42220000", "62120001", "62120002", "62120003"]
    )
    assert [getattr(RECOVERY, name) for name in names] == (
        ["23100000", "13200000", "53210000", "43220000", "63120001", "63120002", "63120003"]
    )
    statuses = [http_status(getattr(BULK, name)) for name in names]
    assert statuses == [202, 200, 409, 404, 422, 422, 422]


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("22100000", '{"operationCode":"22100000","eta":"@"}'),
        (
            "52210000",
            '{"operationCode":"52210000","information":"The results are not ready yet.","eta":"@"}',
        ),
        (
            "62120003",
            (
                '{"operationCode":"62120003",'
                '"warning":"There are too many packs in the request.","eta":"@"}'
            ),
        ),
    ],
)
def test_a_code_has_the_text_that_its_third_part_says(code: str, body: str) -> None:
    assert render_bulk(code, eta="@").decode() == body


def test_an_instant_has_three_digits_and_a_z() -> None:
    assert instant(datetime(2030, 1, 1, 0, 0, 5, tzinfo=UTC)) == "2030-01-01T00:00:05.000Z"
    assert instant(datetime(2030, 1, 1, 0, 0, 5, 123_999, UTC)) == "2030-01-01T00:00:05.123Z"


def test_a_pack_stands_there_as_it_was_sent() -> None:
    answer = Answer(Outcome.DECOMMISSIONED, "0" * 32, AT_MS, State.SUPPLIED, State.SUPPLIED, True)
    assert worked(answer) == (
        '{"pack":' + ECHO.decode() + ',"result":{"operationCode":"11210200","state":"Supplied",'
        '"information":"The pack has been supplied.","isIntermarket":false,"canReactivate":false}}'
    )


def test_an_alert_stands_there_under_both_names() -> None:
    alert = Alert("IE-AAA-BBB-CCC-DDD-EEE", "A3")
    answer = Answer(Outcome.SERIAL_UNKNOWN, "0" * 32, AT_MS, alert=alert)
    result = json.loads(worked(answer))["result"]
    assert result == {
        "operationCode": "41020001",
        "warning": "Unknown serial number.",
        "alertId": "IE-AAA-BBB-CCC-DDD-EEE",
        "alertCode": "#A3",
        "amsLink": "https://ams.example/IE-AAA-BBB-CCC-DDD-EEE",
        "uprc": "IE-AAA-BBB-CCC-DDD-EEE",
    }


def test_a_defect_has_its_own_code() -> None:
    result = json.loads(worked(None, "61020011"))["result"]
    assert result == {"operationCode": "61020011", "warning": "The serial number is invalid."}


VECTORS = Path(__file__).parents[3] / "vectors" / "rest"
ROWS = [
    line.split()
    for line in (VECTORS / "outcome_codes.txt").read_text().splitlines()
    if line[0] != "#"
]


@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_no_result_breaks_a_client_that_reads_codes_as_numbers(row: list[str]) -> None:
    operation, outcome, state, place, _, _ = row
    effective = None if state == "-" else State[state]
    answer = Answer(Outcome[outcome], "0" * 32, AT_MS, effective, effective, place == "h")
    result = json.loads(worked(answer, operation=Operation[operation]))["result"]
    assert result["operationCode"].isdigit()
    assert "eta" not in result


async def test_results_come_in_pieces_that_make_one_body() -> None:
    async def slices() -> AsyncIterator[list[Worked]]:
        for start in (0, 250):
            yield [
                Worked(at, Item(defect="61020011", echo=b"%d" % at), Operation.VERIFY, None)
                for at in range(start, start + 250)
            ]

    rests = 0

    async def rest() -> None:
        nonlocal rests
        rests += 1

    pieces = [piece async for piece in render_results(RECOVERY, slices(), AMS, "en", rest)]
    assert len(pieces) - 1 == rests == 10
    body = json.loads(b"".join(pieces))
    assert body["operationCode"] == "13200000"
    assert [each["pack"] for each in body["packs"]] == list(range(500))
