"""Checks 11 and 13 to 15: who sees what, and what the hub takes from a manufacturer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from emvs.limits import SERIALS_PER_MESSAGE_MAX
from tests.acceptance.goods import Participant, master_data, participant, stocked
from tests.acceptance.several_markets import SUPPLIED, Markets
from tests.integration.clients import RestTill, SoapTill
from tests.integration.hub.stand import ADDRESS, packs

pytestmark = pytest.mark.asyncio(loop_scope="module")

ARRIVAL_S_MAX = 20.0


async def test_check_11_the_manufacturer_sees_code_and_identifiers_but_no_location(
    europe: Markets,
) -> None:
    goods = await stocked(europe, "A1", in_markets=("PL",))
    running = europe.running["PL"]
    registration = await running.register(
        "pharmacy", 7, name="At the Golden Lion", location="lion-square"
    )
    lion = Participant(
        RestTill(europe.http, running.service, registration),
        SoapTill(europe.http, running.service, registration),
    )
    raised = (await goods.soap("PL", "G110", "NONE", by=lion)).alert_id
    assert raised is not None
    listed = await listed_alert(europe, raised)
    expected = {
        "code": "#A3",
        "nationalReturnCode": "NMVS_NC_PC_02",
        "productCode": goods.code,
        "serialNumber": "NONE",
        "batchId": goods.batch,
        "expiry": goods.expiry,
        "raisingMarket": "PL",
        "initiatingMarket": "PL",
        "operation": "VERIFY",
        "sourceProcess": "Verify",
        "manualEntry": False,
        "state": "New",
    }
    assert {name: listed[name] for name in expected} == expected
    assert listed["transactionId"].startswith("ALRT")
    status, opened = await europe.obp.get(f"alerts/{raised}")
    assert status == 200
    stored = await europe.hub.database.pool.fetchval(
        "select report::text from alert where alert_id = $1", raised
    )
    told = f"{json.dumps([listed, opened])} {stored}".lower()
    for secret in ("lion", "golden", "pharmacy00007", "user0007"):
        assert secret not in told
    at_home = await running.ask_management(f"/alerts/{raised}")
    assert at_home["sourceLocationID"] == "lion-square"
    trail = await running.ask_management(
        "/audit", role="obp", product_code=goods.code, serial="NONE"
    )
    tokens = {line["locationToken"] for line in trail["entries"]}
    assert tokens == {listed["locationToken"]}, "a place is one place in alerts and trail"


async def listed_alert(europe: Markets, identifier: str) -> dict[str, Any]:
    """Return an alert as the manufacturer's list shows it, once it is there."""
    async with asyncio.timeout(ARRIVAL_S_MAX):
        while True:
            _, page = await europe.obp.get("alerts", limit="500")
            for alert in page["alerts"]:
                if alert["alertId"] == identifier:
                    found: dict[str, Any] = alert
                    return found
            await asyncio.sleep(0.02)


async def test_check_13_the_authority_sees_all_and_a_wholesaler_its_own(europe: Markets) -> None:
    goods = await stocked(europe, "A1", in_markets=("IE", "PL"))
    wholesaler = await participant(europe.running["IE"], "wholesaler", 3)
    await goods.rest("IE", "A1", by=wholesaler)
    assert (await goods.rest("IE", "A1", "Supplied")).code == SUPPLIED
    await europe.settled()
    await goods.soap("PL", "G120", "A1")

    ask = europe.running["IE"].ask_management
    pack = {"product_code": goods.code, "serial": "A1"}
    full = (await ask("/audit", role="nca", **pack))["entries"]
    assert [(entry["location"], entry["outcome"]) for entry in full] == [
        ("wholesaler-3", "VERIFIED"),
        ("pharmacy-1", "DECOMMISSIONED"),
    ]
    own = (await ask("/audit", role="wholesaler", location="wholesaler-3", **pack))["entries"]
    assert [(entry["location"], entry["outcome"]) for entry in own] == [
        ("wholesaler-3", "VERIFIED")
    ]
    stranger = await ask("/audit", role="wholesaler", location="pharmacy-1", **pack)
    assert "entries" not in stranger, "a pharmacy is no wholesaler"
    async with europe.http.get(f"{europe.hub.management}/audit/pack", params=pack) as response:
        across = await response.json()
    assert [(entry["recordedBy"], entry["outcome"]) for entry in across["entries"]] == [
        ("IE", "VERIFIED"),
        ("IE", "DECOMMISSIONED"),
        ("PL", "SYNCHRONISED"),
        ("PL", "ALREADY_IN_STATE"),
    ]


async def test_check_14_one_serial_number_too_many_is_refused_whole(europe: Markets) -> None:
    goods = await stocked(europe, "A1", in_markets=("IE",))
    serials = [f"S{number:07d}" for number in range(SERIALS_PER_MESSAGE_MAX + 1)]
    assert len(serials) == 250_001
    message = packs(serials, productCode=goods.code, batchId="LOT2")
    message["transactionId"] = europe.obp.transaction_id("PPDC")
    status, answer, _ = await europe.obp.post("PPDC", message)
    assert status == 413, answer
    assert "250001 serial numbers, at most 250000" in answer["detail"]
    assert (await europe.obp.get(f"requests/{message['transactionId']}"))[0] == 404
    assert (await goods.rest("IE", serials[0], batch="LOT2")).code == "41020002"


ABSENT = object()


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("commonName", ABSENT, "A16"),
        ("commonName", "", "I1"),
        ("street", ABSENT, "I1"),
        ("street", "", "A16"),
    ],
)
async def test_check_15_a_missing_element_is_not_an_empty_one(
    europe: Markets, field: str, value: object, code: str
) -> None:
    message = master_data("09506000117843", "IE")
    holder = dict(ADDRESS)
    message["markets"][0]["marketingAuthorisationHolder"] = holder
    changed = message if field == "commonName" else holder
    del changed[field]
    if value is not ABSENT:
        changed[field] = value
    ended = await europe.obp.ended(await europe.obp.send("PMDR", **message))
    assert (ended["status"], ended["markets"]) == ("STIV", [])
    assert [defect["code"] for defect in ended["defects"]] == [code]
    assert ended["defects"][0]["field"].endswith(field)
