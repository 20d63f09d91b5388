"""Reports: asked for, made in the background, fetched as CSV; who may have which of whose data."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from nmvs.reports import runner
from nmvs.reports.limits import JOBS_WAITING_PER_LOCATION_MAX
from tests.integration.clients import RestTill
from tests.integration.conftest import StartSystem
from tests.integration.nmvs.report_client import ReportClient, by_column, details, times_around_now
from tests.integration.nmvs.rest_login import manage
from tests.integration.running import RunningSystem

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
CONNECTOR = {"organisation_id": "conn-1", "name": "Chain server", "is_connector": True}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


class Story:
    """A market in which two pharmacies did things, one of them wrong."""

    def __init__(self, running: RunningSystem, serials: list[str]) -> None:
        self.running = running
        self.serials = serials
        self.registrations: dict[str, dict[str, Any]] = {}

    async def client(self, kind: str, number: int) -> ReportClient:
        """Return a client of a participant of the story or a new one."""
        known = self.registrations.get(f"{kind}{number}")
        if known is not None:
            return await ReportClient.back(self.running, known)
        return await ReportClient.of(self.running, kind, number)


@pytest.fixture
async def story(start_system: StartSystem) -> Story:
    running: RunningSystem = await start_system("IE")
    told = Story(running, await running.load_packs(2))
    code, (first, second) = running.product_code, told.serials
    for number in (1, 2):
        registration = await running.register("pharmacy", number, organisation=f"Org {number}")
        told.registrations[f"pharmacy{number}"] = registration
        till = RestTill(running.http, running.service, registration)
        await till.log_in()
        assert (await till.ask(code, second, "LOT1", running.expiry)).status == 200
        await till.supply(code, first, "LOT1", running.expiry)
        if number == 2:
            wrong = await till.ask(code, second, "=LOT", running.expiry)
            assert wrong.alert_id is not None
    return told


async def instants(running: RunningSystem) -> dict[str, str]:
    """Return a time span around now, as parameters."""
    start, end = await times_around_now(running, 2)
    return {"startDateTime": start.isoformat(), "endDateTime": end.isoformat()}


async def days(running: RunningSystem) -> dict[str, str]:
    """Return some days around now, as parameters."""
    start, end = await times_around_now(running, 2)
    return {"startDate": start.date().isoformat(), "endDate": end.date().isoformat()}


async def test_types_are_told_with_their_parameters_to_those_who_may_have_them(
    story: Story,
) -> None:
    nmvo = await story.client("nmvo", 9)
    types = {
        entry["id"]: entry
        for entry in (await nmvo.ask("GET", "/report/report-types")).members["reportTypes"]
    }
    assert list(types) == [
        "DailySnapshot",
        "OrganisationsSummaryReport",
        "ExceptionsAuditTrailReport",
        "UserActivityReport",
        "Transactions by Transaction Type Metric",
    ]
    parameters = {p["name"]: p["type"] for p in types["ExceptionsAuditTrailReport"]["parameters"]}
    assert parameters == {
        "startDateTime": "dateTime",
        "endDateTime": "dateTime",
        "syntheticMonitoring": "boolean",
    }
    one = await nmvo.ask("GET", "/Report/Report-Types/UserActivityReport")
    assert one.members["operationCode"] == "15100000"
    assert [p["name"] for p in one.members["parameters"]] == ["startDate", "endDate"]
    pharmacy = await story.client("pharmacy", 1)
    own = (await pharmacy.ask("GET", "/report/report-types")).members["reportTypes"]
    assert "DailySnapshot" not in {entry["id"] for entry in own}
    refused = await pharmacy.ask("GET", "/report/report-types/DailySnapshot")
    assert (refused.status, refused.members["operationCode"]) == (403, "30020000")
    missing = await nmvo.ask("GET", "/report/report-types/Nothing")
    assert (missing.status, missing.members["operationCode"]) == (404, "45120001")


async def test_the_national_organisation_reads_exceptions_that_raised_an_alert(
    story: Story,
) -> None:
    nmvo = await story.client("nmvo", 9)
    lines = await nmvo.report("ExceptionsAuditTrailReport", **await instants(story.running))
    assert lines[0] == ["ExceptionsAuditTrailReport: N"]
    assert lines[1][0].endswith(" by B")
    entries = by_column(lines)
    # These raised one: the second supply of the first, the wrong batch of the second.
    assert [entry["Event Code"] for entry in entries] == ["51220200", "41020008"]
    second = entries[1]
    assert TIME.fullmatch(second["Date and Time (UTC)"])
    assert (second["Category"], second["Severity"]) == ("Alert", "Critical")
    pairs = details(second["Event Details"])
    assert pairs["BatchId"] == "=LOT"
    assert pairs["StoredBatchId"] == "LOT1"
    assert pairs["ProductName"] == "Examplol 10 mg"
    assert pairs["StoredNHRN"] == "280012345678"
    assert pairs["ClientOrganisationId"] == "Org 2"
    assert pairs["EmvsErrorCode"] == "#A68"
    assert pairs["ClientId"] == story.registrations["pharmacy2"]["rest"]["client_id"]
    assert pairs["UserAgent"] == ""
    assert len(pairs) == 37
    assert details(entries[0]["Event Details"])["PackLastUpdateLocation"] == "pharmacy-1"


async def test_a_pharmacy_reads_only_what_it_did_itself(story: Story) -> None:
    first, second = await story.client("pharmacy", 1), await story.client("pharmacy", 2)
    assert (
        by_column(await first.report("ExceptionsAuditTrailReport", **await instants(story.running)))
        == []
    )
    own = by_column(
        await second.report("exceptions audit trail report", **await instants(story.running))
    )
    assert len(own) == 2
    assert {details(e["Event Details"])["ClientLocation"] for e in own} == {"pharmacy-2"}
    pairs = details(own[1]["Event Details"])
    assert (pairs["StoredBatchId"], pairs["PackLastUpdateLocation"]) == ("", "")
    for type_id, parameters in (
        ("UserActivityReport", await days(story.running)),
        ("Transactions by Transaction Type Metric", await days(story.running)),
        ("OrganisationsSummaryReport", {}),
    ):
        text = str(await second.report(type_id, **parameters))
        assert "pharmacy-1" not in text
        assert "Org 1" not in text
    counted = by_column(await second.report("UserActivityReport", **await days(story.running)))
    assert [(e["Location"], e["Total Requests"]) for e in counted] == [("pharmacy-2", "3")]


async def test_the_market_is_counted_for_the_national_organisation(story: Story) -> None:
    nmvo = await story.client("nmvo", 9)
    activity = by_column(await nmvo.report("UserActivityReport", **await days(story.running)))
    assert [
        (e["Location"], e["Number of Verify Requests"], e["Number of Supply Requests"])
        for e in activity
    ] == [("pharmacy-1", "1", "1"), ("pharmacy-2", "2", "1")]
    metric = by_column(
        await nmvo.report("Transactions by Transaction Type Metric", **await days(story.running))
    )
    assert {(e["Transaction Type"], e["Result"]): e["Number of Transactions"] for e in metric} == {
        ("VERIFY", "VERIFIED"): "2",
        ("SUPPLY", "DECOMMISSIONED"): "1",
        ("SUPPLY", "ALREADY_IN_STATE"): "1",
        ("VERIFY", "BATCH_MISMATCH"): "1",
    }
    await manage(story.running, "POST", "/organisations", CONNECTOR, status=201)
    await manage(story.running, "POST", "/equipments", {"organisation_id": "conn-1"}, status=201)
    summary = by_column(await nmvo.report("OrganisationsSummaryReport"))
    facts = ("Organisation", "Name", "Roles", "Number of Locations", "Number of REST Clients")
    assert [tuple(entry[fact] for fact in facts) for entry in summary] == [
        ("Nmvo 9", "Nmvo 9", "nmvo", "1", "1"),
        ("Org 1", "Org 1", "pharmacy", "1", "1"),
        ("Org 2", "Org 2", "pharmacy", "1", "1"),
        ("conn-1", "Chain server", "connector", "0", "1"),
    ]


async def test_reports_are_listed_with_filters_and_seen_by_nobody_else(story: Story) -> None:
    nmvo, pharmacy = await story.client("nmvo", 9), await story.client("pharmacy", 1)
    plain = {"reportTypeId": "OrganisationsSummaryReport", "requestedBy": "Eva", "name": "Monthly"}
    accepted = await nmvo.ask("POST", "/report/report-request", plain)
    assert accepted.status == 202
    assert accepted.members["uri"] == accepted.headers["Location"]
    assert TIME.fullmatch(accepted.members["eta"])
    await nmvo.report("UserActivityReport", **await days(story.running))

    async def listed(client: ReportClient, **query: str) -> list[str]:
        answer = await client.ask("GET", "/report/report-requests", **query)
        assert answer.members["operationCode"] == "15100000"
        return [entry["reportTypeId"] for entry in answer.members["reports"]]

    assert await listed(nmvo) == ["UserActivityReport", "OrganisationsSummaryReport"]
    assert await listed(nmvo, requestedBy="Eva") == ["OrganisationsSummaryReport"]
    assert await listed(nmvo, title="Monthly") == ["OrganisationsSummaryReport"]
    assert await listed(nmvo, reportType="useractivityreport") == ["UserActivityReport"]
    assert await listed(nmvo, fromDate="2026-01-01", toDate="2026-01-02") == []
    assert await listed(pharmacy) == []
    uri = accepted.headers["Location"]
    foreign = await pharmacy.ask("GET", uri)
    assert (foreign.status, foreign.members["operationCode"]) == (404, "45120000")


BAD_REQUESTS: list[tuple[Any, int, str]] = [
    ({"reportTypeId": "UserActivityReport"}, 422, "65120001"),
    ({"reportTypeId": "UserActivityReport", "parameters": {"startDate": "x"}}, 422, "65120001"),
    ({"parameters": {}}, 422, "65120000"),
    ([], 422, "65120000"),
    ({"reportTypeId": "DailySnapshot"}, 422, "65120001"),
    ({"reportTypeId": "Nothing"}, 404, "45120001"),
    ({"reportTypeId": "OrganisationsSummaryReport", "name": "\x00"}, 422, "65120001"),
]


async def test_a_bad_request_is_told_what_is_wrong(national_system: RunningSystem) -> None:
    nmvo = await ReportClient.of(national_system, "nmvo", 9)
    for body, status, code in BAD_REQUESTS:
        answer = await nmvo.ask("POST", "/report/report-request", body)
        assert (answer.status, answer.members["operationCode"]) == (status, code), answer
        assert answer.members["warning"]
    for path in (UNKNOWN, "no-id"):
        gone = await nmvo.ask("GET", f"/report/reports/{path}")
        assert (gone.status, gone.members["operationCode"]) == (404, "45120000")


async def test_the_snapshot_is_made_by_the_clock_and_expires_by_it(story: Story) -> None:
    running = story.running
    nmvo = await story.client("nmvo", 9)
    assert (await nmvo.ask("GET", "/report/report-requests")).members["reports"] == []
    await running.advance_clock(86_400)
    nmvo = await story.client("nmvo", 9)  # The token has expired.
    for _ in range(200):
        reports = (await nmvo.ask("GET", "/report/report-requests")).members["reports"]
        if reports:
            break
        await asyncio.sleep(0.02)
    (snapshot,) = reports
    assert (snapshot["reportTypeId"], snapshot["requestedBy"]) == ("DailySnapshot", "System")
    lines = await nmvo.lines(snapshot["uri"])
    blocks: list[list[list[str]]] = [[]]
    for line in lines:
        if line:
            blocks[-1].append(line)
        else:
            blocks.append([])
    assert [block[0][0] for block in blocks[1:]] == [
        "Products",
        "Batches",
        "Organisations",
        "Locations",
        "API Versions",
    ]
    (batch,) = [dict(zip(blocks[2][1], line, strict=True)) for line in blocks[2][2:]]
    assert batch["Batch Id"] == running.batch_id
    assert batch["Min SN Length"] == str(min(map(len, story.serials)))
    assert batch["SN Format"].startswith("digits")
    assert (batch["Batch Length"], batch["Is Multimarket"]) == ("4", "false")
    pharmacy = await story.client("pharmacy", 1)
    assert (await pharmacy.ask("GET", snapshot["uri"])).status == 404
    await running.advance_clock(32 * 86_400)
    nmvo = await story.client("nmvo", 9)
    assert (await nmvo.ask("GET", snapshot["uri"])).status == 404


async def test_what_was_accepted_is_made_by_the_next_process(
    start_system: StartSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(runner.DocumentRunner, "ring", lambda _: None)
        running: RunningSystem = await start_system("IE")
        registration = await running.register("nmvo", 9)
        nmvo = await ReportClient.back(running, registration)
        asked = {"reportTypeId": "OrganisationsSummaryReport"}
        answers = [
            await nmvo.ask("POST", "/report/report-request", asked)
            for _ in range(JOBS_WAITING_PER_LOCATION_MAX + 1)
        ]
        assert [answer.status for answer in answers[:-1]] == [202] * JOBS_WAITING_PER_LOCATION_MAX
        refused = answers[-1]
        assert (refused.status, refused.members["operationCode"]) == (429, "70020000")
        assert refused.headers["Retry-After"] == "30"
        waiting = await nmvo.ask("GET", answers[0].headers["Location"])
        assert (waiting.status, waiting.members["operationCode"]) == (409, "55110000")
    assert running.stop is not None
    await running.stop()
    again: RunningSystem = await start_system("IE")
    nmvo = await ReportClient.back(again, registration)
    for answer in answers[:-1]:
        path = answer.headers["Location"].partition("/verification")[2]
        assert len(await nmvo.lines(nmvo.base + path)) == 5


async def test_a_report_that_cannot_be_made_is_told_so_and_stops_no_other(
    start_system: StartSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: RunningSystem = await start_system("IE")
    nmvo = await ReportClient.of(running, "nmvo", 9)

    async def outcome() -> tuple[int, str]:
        asked = {"reportTypeId": "OrganisationsSummaryReport"}
        accepted = await nmvo.ask("POST", "/report/report-request", asked)
        response = await nmvo.until_ready(accepted.headers["Location"])
        return response.status, (await response.json())["operationCode"]

    with monkeypatch.context() as patch:
        patch.setattr(runner, "ROWS_MAX", 0)
        assert await outcome() == (422, "65120002")
    with monkeypatch.context() as patch:
        patch.setattr("nmvs.reports.standing.table_lines", None)
        patch.setattr("nmvs.reports.making.table_lines", None)
        assert await outcome() == (404, "45120002")
    with monkeypatch.context() as patch:
        patch.setattr(runner, "JOB_ATTEMPTS_MAX", 0)
        assert await outcome() == (404, "45120002")
    assert len(await nmvo.report("OrganisationsSummaryReport")) == 5


async def test_a_long_report_arrives_whole_in_pieces_and_in_the_markets_encoding(
    start_system: StartSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PART_BYTES", 64)
    monkeypatch.setattr("nmvs.reports.standing._ROWS_AT_ONCE", 1)
    running: RunningSystem = await start_system("IE", reports={"encoding": "iso-8859-1"})
    for number in range(1, 4):
        await running.register("pharmacy", number, organisation=f"Gäddan € {number}")
    nmvo = await ReportClient.of(running, "nmvo", 9)
    entries = by_column(await nmvo.report("OrganisationsSummaryReport"))
    names = [entry["Organisation"] for entry in entries]
    assert names == [*(f"Gäddan ? {number}" for number in range(1, 4)), "Nmvo 9"]
