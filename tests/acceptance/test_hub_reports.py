"""Reports of a manufacturer from a hub and two real markets, discrepancies made for real."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from emvs.csv_cells import unprotect
from tests.acceptance.several_markets import Markets, started, token
from tests.integration.hub.stand import CODE, register

BOTH = ("IE", "PL")
REPORT_S_MAX = 30.0


@pytest_asyncio.fixture
async def markets(dsn: str, schema_name: str) -> AsyncIterator[Markets]:
    """Ireland and Poland around a hub."""
    async with started(dsn, schema_name, *BOTH) as running:
        yield running


async def asked(stand: Markets, report_type: str, **members: Any) -> dict[str, Any]:
    """Ask for a report and return it once it is made."""
    obp = stand.obp
    message = {"transactionId": obp.transaction_id("RPRQ"), "reportType": report_type, **members}
    status, report, _ = await obp.post("RPRQ", message)
    assert status == 202, report
    async with asyncio.timeout(REPORT_S_MAX):
        while True:
            status, found = await obp.get(f"reports/{report['reportId']}")
            assert status == 200, found
            if found["status"] != "Waiting":
                return found
            await asyncio.sleep(0.02)


async def reconciled(markets: Markets) -> dict[str, dict[str, Any]]:
    """Return the reconciliation of the batch, by market."""
    found = await asked(markets, "RECONCILIATION", productCode=CODE, batchId="LOT1")
    assert found["status"] == "Done", found
    return {row["market"]: row for row in found["rows"]}


def numbers(row: dict[str, Any]) -> dict[str, Any]:
    names = ("result", "sent", "refused", "loaded", "held", "missing", "extra")
    return {name: row[name] for name in names}


async def test_what_was_sent_is_compared_with_what_markets_hold(markets: Markets) -> None:
    await markets.upload(*(f"S{number}" for number in range(1, 6)))
    ended = await markets.obp.packs(["S5", "S6", "S7"], kind="PPDM")
    assert ended["markets"][0]["refusedCount"] == 1
    await markets.ask("IE", "S1", "Supplied")
    await markets.settled()
    rows = await reconciled(markets)
    good = {
        "result": "Agrees",
        "sent": 8,
        "refused": 1,
        "loaded": 7,
        "held": 7,
        "missing": 0,
        "extra": 0,
    }
    assert {market: numbers(row) for market, row in rows.items()} == {"IE": good, "PL": good}
    assert (rows["IE"]["ACTIVE"], rows["IE"]["SUPPLIED"]) == (6, 1)

    # Poland loses a pack, and has another instead: counts agree, packs do not.
    pool = markets.hub.database.pool
    schema = f"{markets._schema_name}_pl"
    exchange = f"update {schema}.pack set serial_number = 'X1' where serial_number = 'S2'"  # noqa: S608
    await pool.execute(exchange)
    rows = await reconciled(markets)
    assert numbers(rows["IE"]) == good
    assert numbers(rows["PL"]) == good | {"result": "Different", "missing": 1, "extra": 1}
    await pool.execute(f"delete from {schema}.pack where serial_number in ('S3', 'S4')")  # noqa: S608
    rows = await reconciled(markets)
    assert numbers(rows["PL"]) == good | {
        "result": "Different",
        "held": 5,
        "missing": 3,
        "extra": 1,
    }

    await markets.stop_market("PL")
    rows = await reconciled(markets)
    assert rows["PL"]["result"] == "NotAnswered"
    assert "no answer" in rows["PL"]["notAnswered"]
    assert numbers(rows["IE"]) == good


async def test_every_kind_of_report_and_both_formats(markets: Markets) -> None:
    await markets.upload("S1", "S2")
    members = {"productCode": CODE, "batchId": "LOT1"}
    sent = await markets.obp.send(
        "PSUDC", **members, state="Locked", reason="inquiry", serialNumbers=["S1"]
    )
    assert (await markets.obp.ended(sent))["status"] == "STDS"
    await markets.ask("IE", "S2", "Supplied")
    await markets.settled()

    found = await asked(markets, "PRODUCT_STATUS")
    assert [(row["market"], row["status"], row["distribution"]) for row in found["rows"]] == [
        ("IE", "Placed", "Distributed"),
        ("PL", "Placed", "Distributed"),
    ]
    found = await asked(markets, "BATCH_STATUS", markets=["IE"])
    assert [(row["held"], row["LOCKED"], row["SUPPLIED"]) for row in found["rows"]] == [(2, 1, 1)]
    found = await asked(markets, "MARKET", markets=["PL"])
    assert [(row["market"], row["batchId"]) for row in found["rows"]] == [("PL", "LOT1")]
    found = await asked(markets, "ALERT", since="2020-01-01T00:00:00Z")
    assert (found["status"], found["rows"]) == ("Done", [])

    # Of a pack's trail its manufacturer sees what it did itself, in both markets (Art. 38).
    found = await asked(markets, "PACK_AUDIT", productCode=CODE, serialNumber="S1")
    assert {(row["recordedBy"], row["operation"]) for row in found["rows"]} == {
        ("IE", "LOCK"),
        ("PL", "LOCK"),
    }
    assert "pharmacy" not in str(found)
    found = await asked(markets, "PACK_AUDIT", productCode=CODE, serialNumber="S2")
    assert found["rows"] == []

    obp = markets.obp
    message = {
        "transactionId": obp.transaction_id("RPRQ"),
        "reportType": "BATCH_STATUS",
        "format": "CSV",
    }
    status, report, _ = await obp.post("RPRQ", message)
    assert status == 202
    assert (await obp.post("RPRQ", message))[1]["reportId"] == report["reportId"]
    assert (await obp.post("RPRQ", message | {"format": "JSON"}))[0] == 409
    retrieval = {"transactionId": obp.transaction_id("RRRQ"), "reportId": report["reportId"]}
    headers = {"Authorization": f"Bearer {obp.token}"}
    async with asyncio.timeout(REPORT_S_MAX):
        while True:
            async with markets.http.post(
                f"{obp.url}/obp/v1/RRRQ", json=retrieval, headers=headers
            ) as response:
                text = await response.text()
                if response.content_type == "text/csv":
                    break
                assert response.status == 200, text
            await asyncio.sleep(0.02)
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [(unprotect(line["batchId"]), line["held"]) for line in lines] == [
        ("LOT1", "2"),
        ("LOT1", "2"),
    ]


async def test_a_market_counts_for_the_hub_alone(markets: Markets) -> None:
    url = f"http://127.0.0.1:{markets.running['IE'].ports['interconnect']}/hub/v1/batch-counts"
    headers = {"Authorization": f"Bearer {token('IE')}"}
    batch = {"productCode": CODE, "batchId": "NONE", "key": "00" * 32}
    for shown, batches, status, told in (
        ({}, [batch], 401, "bearer token"),
        (headers, [batch | {"key": "zz"}], 400, "hexadecimal"),
        (headers, [batch | {"key": "00"}], 400, "bytes"),
        (headers, [batch, batch], 400, "once"),
        (headers, [batch | {"batchId": str(number)} for number in range(201)], 400, "200"),
        (headers, [batch], 200, '"isKnown":false'),
    ):
        async with markets.http.post(url, json={"batches": batches}, headers=shown) as response:
            answer = await response.text()
            assert response.status == status, answer
            assert told in answer


async def test_reports_are_their_organisations_own(markets: Markets) -> None:
    await markets.upload("S1")
    report = await asked(markets, "PRODUCT_STATUS")
    theirs = await register(
        markets.http,
        markets.hub.management,
        organisationId="20002",
        name="Other",
        token="token-of-somebody-else",
    )
    own = markets.obp
    markets.obp = type(own)(own.url, own.http, organisation_id="20002", token=theirs)
    assert (await markets.obp.get(f"reports/{report['reportId']}"))[0] == 404
    for report_type in ("PRODUCT_STATUS", "BATCH_STATUS", "MARKET", "RECONCILIATION"):
        assert (await asked(markets, report_type))["rows"] == []
    markets.obp = own
    await markets.advance_hub_clock(8 * 86_400)
    async with asyncio.timeout(REPORT_S_MAX):
        while (await own.get(f"reports/{report['reportId']}"))[0] != 404:
            await asyncio.sleep(0.02)
