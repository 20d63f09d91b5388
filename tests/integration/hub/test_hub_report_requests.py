"""Asking for reports: what is refused, what is announced, what is bounded."""

from __future__ import annotations

import asyncio
from typing import Any

from hub.config import ReportConfig
from tests.integration.hub.stand import Obp, StartStand, register

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "$.reportType"),
    ({"reportType": "WEATHER"}, "PRODUCT_STATUS"),
    ({"reportType": "MARKET", "format": "PDF"}, "$.format"),
    ({"reportType": "MARKET", "markets": ["XX"]}, "$.markets[0]"),
    ({"reportType": "MARKET", "serialNumber": "S1"}, "$.serialNumber"),
    ({"reportType": "MARKET", "batchId": "x" * 41}, "$.batchId"),
    ({"reportType": "MARKET", "since": "2026-01-01T00:00:00Z"}, "ALERT"),
    ({"reportType": "ALERT", "since": "yesterday"}, "since is no ISO 8601"),
    ({"reportType": "ALERT", "until": "1812-01-01"}, "until is from"),
    ({"reportType": "PACK_AUDIT", "productCode": "1"}, "serialNumber"),
    ({"reportType": "MARKET", "colour": "blue"}, "colour"),
]


async def test_a_request_that_asks_for_no_report(start_stand: StartStand) -> None:
    stand = await start_stand()
    for members, told in REFUSED:
        message = {"transactionId": stand.obp.transaction_id("RPRQ"), **members}
        status, answer, _ = await stand.obp.post("RPRQ", message)
        assert (status, told in answer["detail"]) == (400, True), (members, answer)


async def test_whoever_subscribed_is_told_that_a_report_is_made(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    message = {"transactionId": obp.transaction_id("SBRS"), "reportTypes": ["MARKET"]}
    status, answer, _ = await obp.post("SBRS", message)
    assert (status, answer["reportTypes"]) == (200, ["MARKET"])
    assert (await obp.post("SBRS", message | {"reportTypes": ["WEATHER"]}))[0] == 409
    for report_type in ("PRODUCT_STATUS", "MARKET"):
        asked = {"transactionId": obp.transaction_id("RPRQ"), "reportType": report_type}
        assert (await obp.post("RPRQ", asked))[0] == 202
    while (listed := (await obp.get("reports"))[1]["reports"])[-1]["status"] == "Waiting":
        pass
    _, notices = await obp.get("notices", messageType="RPRQ")
    told = [notice["content"] for notice in notices["notices"]]
    assert [(one["reportId"], one["status"]) for one in told] == [(listed[1]["reportId"], "Done")]


async def test_a_report_is_bounded_and_says_so(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "PL", reports=ReportConfig(rows_max=1))
    obp = stand.obp
    await obp.product("IE", "PL")
    asked = {"transactionId": obp.transaction_id("RPRQ"), "reportType": "PRODUCT_STATUS"}
    _, report, _ = await obp.post("RPRQ", asked)
    while (found := (await obp.get(f"reports/{report['reportId']}"))[1])["status"] == "Waiting":
        pass
    assert (found["rowCount"], found["truncated"]) == (1, True)
    assert (await obp.get("reports/PSUDCTXHEUHUB001202600100000000001"))[0] == 404


async def test_old_reports_and_account_messages_are_forgotten(
    start_stand: StartStand,
) -> None:
    stand = await start_stand()
    obp, pool = stand.obp, stand.hub.database.pool
    asked = {"transactionId": obp.transaction_id("RPRQ"), "reportType": "MARKET"}
    _, report, _ = await obp.post("RPRQ", asked)
    async with asyncio.timeout(20):
        while (await obp.get(f"reports/{report['reportId']}"))[1]["status"] == "Waiting":
            await asyncio.sleep(0.02)
    retrieval = {"transactionId": obp.transaction_id("RRRQ"), "reportId": report["reportId"]}
    assert (await obp.post("RRRQ", retrieval))[0] == 200
    kept = {"transactionId": obp.transaction_id("SBRS"), "reportTypes": ["MARKET"]}
    assert (await obp.post("SBRS", kept))[0] == 200

    async def counts() -> tuple[int, int]:
        return (
            await pool.fetchval("select count(*) from report"),
            await pool.fetchval("select count(*) from account_message"),
        )

    await stand.manage("POST", "/clock", advance_s=29 * 86_400)
    assert await counts() == (1, 2)
    await stand.manage("POST", "/clock", advance_s=2 * 86_400)
    async with asyncio.timeout(20):
        while await counts() != (0, 0):
            await asyncio.sleep(0.02)
    assert (await obp.post("SBRS", kept))[0] == 200


async def test_nobody_waits_for_the_long_reports_of_another(start_stand: StartStand) -> None:
    stand = await start_stand("IE", reports=ReportConfig(at_once_max=2))
    one, wire = stand.obp, stand.wires["IE"]
    other = Obp(one.url, stand.http, organisation_id="10002", token="token-of-another-one")
    await register(stand.http, stand.hub.management, organisationId="10002", token=other.token)
    await one.product("IE")
    await one.packs(["S1"])

    async def ask(obp: Obp, report_type: str) -> str:
        asked = {"transactionId": obp.transaction_id("RPRQ"), "reportType": report_type}
        status, report, _ = await obp.post("RPRQ", asked)
        assert status == 202, report
        return str(report["reportId"])

    async def made(obp: Obp, report_id: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while (found := (await obp.get(f"reports/{report_id}"))[1])["status"] == "Waiting":
                await asyncio.sleep(0.02)
        return found

    long = [await ask(one, "RECONCILIATION") for _ in range(3)]
    async with asyncio.timeout(20):
        while not wire.counting:
            await asyncio.sleep(0.02)
    for _ in range(3):
        assert (await made(other, await ask(other, "MARKET")))["status"] == "Done"
    assert wire.counting == 1  # Of one organisation one report at a time.
    assert (await one.get(f"reports/{long[0]}"))[1]["status"] == "Waiting"
    wire.counts_gate.set()
    times = [(await made(one, report_id))["madeAt"] for report_id in long]
    assert times == sorted(times)
