"""Reports under pressure: many at once, askers that change, documents that vanish, odd texts."""

from __future__ import annotations

import asyncio
from collections import Counter

import asyncpg
import pytest

from nmvs.reports import limits
from tests.integration.nmvs.report_client import ReportClient, read_lines
from tests.integration.running import RunningSystem

SUMMARY = {"reportTypeId": "OrganisationsSummaryReport"}


async def test_of_many_requests_at_once_no_more_wait_than_may(
    national_system: RunningSystem, dsn: str, schema_name: str
) -> None:
    client = await ReportClient.of(national_system, "nmvo", 9)
    days = {"startDate": "2026-01-01", "endDate": "2026-12-31"}
    asked = {"reportTypeId": "UserActivityReport", "parameters": days}
    connection = await asyncpg.connect(dsn)
    async with connection.transaction():  # No report is made meanwhile.
        await connection.execute(
            f"lock table {schema_name}_ie.background_job_part in exclusive mode"
        )
        answers = await asyncio.gather(
            *(client.ask("POST", "/report/report-request", asked) for _ in range(40))
        )
    await connection.close()
    counts = Counter(answer.status for answer in answers)
    waiting = limits.JOBS_WAITING_PER_LOCATION_MAX
    assert counts == {202: waiting, 429: 40 - waiting}


@pytest.mark.parametrize(
    ("before", "after", "organisation"),
    [("nmvo", "pharmacy", "A"), ("nca", "nmvo", "A"), ("pharmacy", "pharmacy", "B")],
)
async def test_a_report_is_not_shown_to_who_has_become_somebody_else(
    national_system: RunningSystem, before: str, after: str, organisation: str
) -> None:
    await national_system.register("wholesaler", 3)
    registered = await national_system.register(before, 9, organisation="A")
    client = await ReportClient.back(national_system, registered)
    accepted = await client.ask("POST", "/report/report-request", SUMMARY)
    uri = accepted.headers["Location"]
    assert (await client.until_ready(uri)).status == 200
    changed = {"location": f"{before}-9", "rest": None, "soap": None, "name": "other"}
    await national_system.register(after, 9, **changed, organisation="A")
    if after == before:  # Still the same, whatever the name.
        assert (await client.until_ready(uri)).status == 200
    await national_system.register(after, 9, **changed, organisation=organisation)
    answer = await client.ask("GET", uri)
    assert (answer.status, answer.members["operationCode"]) == (404, "45120000")


async def test_the_banner_has_three_lines_whatever_the_report_is_called(
    national_system: RunningSystem,
) -> None:
    client = await ReportClient.of(national_system, "nmvo", 9)
    asked = SUMMARY | {"name": 'first\r\n=second\n"third"', "requestedBy": "\u2028A\n\nB\r"}
    accepted = await client.ask("POST", "/report/report-request", asked)
    text = await (await client.until_ready(accepted.headers["Location"])).text()
    assert text.splitlines()[3].startswith("Organisation,Name,Roles,")
    assert read_lines(text)[0] == ['OrganisationsSummaryReport: first =second "third"']


async def test_a_document_that_is_gone_when_it_is_read_is_unknown(
    national_system: RunningSystem, dsn: str, schema_name: str
) -> None:
    client = await ReportClient.of(national_system, "nmvo", 9)
    accepted = await client.ask("POST", "/report/report-request", SUMMARY)
    uri = accepted.headers["Location"]
    assert (await client.until_ready(uri)).status == 200
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"delete from {schema_name}_ie.background_job_part")  # noqa: S608
    await connection.close()
    answer = await client.ask("GET", uri)
    assert (answer.status, answer.members["operationCode"]) == (404, "45120000")


async def test_json_nested_without_end_is_a_bad_body(national_system: RunningSystem) -> None:
    client = await ReportClient.of(national_system, "nmvo", 9)
    for path, code in (("/report/report-request", "65120000"), ("/alerts", "60020000")):
        async with national_system.http.post(
            client.base + path, data=b'{"x":' + b"[" * 200_000, headers=client.headers
        ) as response:
            assert response.status == 422
            assert (await response.json())["operationCode"] == code


async def test_a_day_is_a_day_in_either_form(national_system: RunningSystem) -> None:
    client = await ReportClient.of(national_system, "nmvo", 9)
    accepted = await client.ask("POST", "/report/report-request", SUMMARY)
    (listed,) = (await client.ask("GET", "/report/report-requests")).members["reports"]
    day = listed["requestedAt"][:10]
    assert accepted.members["id"] == listed["id"]
    for form in (day, day.replace("-", "")):
        found = await client.ask("GET", "/report/report-requests", fromDate=form, toDate=form)
        assert [row["id"] for row in found.members["reports"]] == [listed["id"]]


async def test_the_oldest_go_when_all_together_are_too_large(
    national_system: RunningSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await ReportClient.of(national_system, "nmvo", 9)
    made = []
    for _ in range(4):
        accepted = await client.ask("POST", "/report/report-request", SUMMARY)
        made.append(accepted.headers["Location"])
        response = await client.until_ready(made[-1])
        size = len(await response.read())
        monkeypatch.setattr(limits, "BYTES_KEPT_PER_LOCATION_MAX", 2 * size)
    statuses = [(await client.until_ready(uri)).status for uri in made]
    assert statuses == [404, 200, 200, 200]
