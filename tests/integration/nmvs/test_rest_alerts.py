"""The alert interface of the REST dialect: a query, its pages, a truncation that is lifted."""

from __future__ import annotations

import msgspec
import pytest

from nmvs.reports import making
from nmvs.rest.alert_calls import AlertsPage
from tests.integration.clients import RestTill
from tests.integration.conftest import StartSystem
from tests.integration.nmvs.report_client import ReportClient, times_around_now
from tests.integration.running import RunningSystem

MONTH = {"startTimestamp": "2026-11-01T00:00:00Z", "endTimestamp": "2026-11-30T00:00:00.123Z"}
MEMBERS = {
    "alertDateTime",
    "uniqueAlertID",
    "errorCode",
    "transactionID",
    "errorMessage",
    "attemptedOperation",
    "organisationID",
    "clientID",
    "userAgent",
    "apiVersion",
    "manualEntry",
    "operationCode",
    "eventMessage",
    "isIntermarket",
    "numberOfDispenseAttempts",
    "numberOfDecommissionAttempts",
    "productCodeScheme",
    "productCode",
    "productName",
    "serialNumber",
    "providedBatchNumber",
    "providedExpiryDate",
    "storedBatchNumber",
    "storedExpiryDate",
    "sourceMarket",
    "sourceLocationID",
    "requestedPackTargetState",
    "currentPackState",
    "packLastUpdateLocationID",
    "packLastUpdateTimestamp",
    "packLastUpdateMarket",
    "storedNHRN",
    "sourceBusinessProcess",
    "alertRecencyValue",
}
COUNT = 5


@pytest.fixture
async def alerted(start_system: StartSystem) -> tuple[RunningSystem, list[str]]:
    """A market in which five alerts were raised; their ids, oldest first."""
    running: RunningSystem = await start_system("IE")
    serials = await running.load_packs(COUNT)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    raised = []
    for serial in serials:
        await till.supply(running.product_code, serial, "LOT1", running.expiry)
        # The second time is tolerated where the market's rules say so.
        for _ in range(3):
            answer = await till.supply(running.product_code, serial, "LOT1", running.expiry)
            if answer.alert_id:
                raised.append(answer.alert_id)
                break
    assert len(raised) == COUNT
    return running, raised


async def window(running: RunningSystem) -> dict[str, str]:
    """Return thirty days around now, as a query."""
    start, end = await times_around_now(running, 15)
    return {"startTimestamp": start.isoformat(), "endTimestamp": end.isoformat()}


async def test_alerts_come_in_pages_with_all_their_members(
    alerted: tuple[RunningSystem, list[str]],
) -> None:
    running, raised = alerted
    nmvo = await ReportClient.of(running, "nmvo", 9)
    accepted = await nmvo.ask("POST", "/alerts", await window(running))
    assert accepted.status == 202, accepted
    ids = {accepted.members[name] for name in ("requestID", "requestId", "id")}
    assert len(ids) == 1
    location = accepted.headers["Location"]
    assert location.startswith(f"{running.service}/verification/alerts/")
    response = await nmvo.until_ready(f"{location}?page=1&pageSize=2")
    assert response.status == 200
    first = await response.json()
    msgspec.convert(first, AlertsPage)
    assert (first["pages"], first["isTruncated"], first["isOverLimit"]) == (3, False, False)
    found = [entry["uniqueAlertID"] for entry in first["data"]]
    for page in ("2", "3", "4"):
        answer = await nmvo.ask("GET", location, page=page, pageSize="2")
        found += [entry["uniqueAlertID"] for entry in answer.members["data"]]
    assert found == raised
    entry = first["data"][0]
    assert entry.keys() >= MEMBERS
    assert (entry["attemptedOperation"], entry["currentPackState"]) == ("Supply", "Supplied")
    assert (entry["errorCode"], entry["packLastUpdateLocationID"]) == ("#A7", "pharmacy-1")
    assert entry["alertDateTime"][-5] == "."
    assert entry["alertDateTime"][-1] == "Z"


async def test_a_truncation_is_told_and_lifted(
    alerted: tuple[RunningSystem, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, raised = alerted
    monkeypatch.setattr(making, "ALERTS_PER_QUERY_MAX", 2)
    monkeypatch.setattr(making, "ALERTS_PER_FULL_QUERY_MAX", 4)
    nmvo = await ReportClient.of(running, "nmvo", 9)
    accepted = await nmvo.ask("POST", "/alerts", await window(running))
    location = accepted.headers["Location"]
    response = await nmvo.until_ready(location)
    page = await response.json()
    assert (response.status, page["isTruncated"], page["isOverLimit"]) == (206, True, False)
    assert len(page["data"]) == 2
    lifted = await nmvo.ask("POST", f"/alerts/fulldataset/{accepted.members['id']}")
    assert (lifted.status, lifted.headers["Location"]) == (202, location)
    response = await nmvo.until_ready(location)
    page = await response.json()
    assert (response.status, page["isOverLimit"]) == (206, True)
    assert [entry["uniqueAlertID"] for entry in page["data"]] == raised[:4]


async def test_who_is_no_authority_reads_no_alerts(national_system: RunningSystem) -> None:
    pharmacy = await ReportClient.of(national_system, "pharmacy", 1)
    refused = await pharmacy.ask("POST", "/alerts", MONTH)
    assert (refused.status, refused.members["operationCode"]) == (403, "30020000")
    nmvo = await ReportClient.of(national_system, "nmvo", 9)
    for body in (
        {},
        {"startTimestamp": "x", "endTimestamp": "y"},
        MONTH | {"endTimestamp": "2027-11-01"},
        MONTH | {"errorCode": "A1"},
    ):
        answer = await nmvo.ask("POST", "/alerts", body)
        assert (answer.status, answer.members["operationCode"]) == (422, "60020000")
    accepted = await nmvo.ask("POST", "/alerts", MONTH)
    nca = await ReportClient.of(national_system, "nca", 8)
    assert (await nca.ask("GET", accepted.headers["Location"])).status == 404
    wrong = await nmvo.ask("GET", accepted.headers["Location"], page="0")
    assert (wrong.status, wrong.members["operationCode"]) == (422, "60020000")
