"""Really concurrent requests for one pack, through both dialects: one winner, all in the trail."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp

from tests.integration.clients import RestTill, SoapTill
from tests.integration.running import RunningSystem

PHARMACY_COUNT = 200


async def test_two_hundred_supplies_of_one_pack_have_one_winner(
    national_system: RunningSystem,
) -> None:
    running = national_system
    (serial,) = await running.load_packs(1)
    gate = asyncio.Semaphore(8)

    async def register(number: int) -> RestTill | SoapTill:
        async with gate:
            registration = await running.register("pharmacy", number)
        if number % 2:
            return SoapTill(http, running.service, registration)
        till = RestTill(http, running.service, registration)
        await till.log_in()
        return till

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        tills = await asyncio.gather(*(register(number) for number in range(PHARMACY_COUNT)))
        await asyncio.gather(  # Logins are verified before the race.
            *(till.ask(running.product_code, serial, "LOT1", "301231") for till in tills)
        )
        answers = await asyncio.gather(
            *(till.supply(running.product_code, serial, "LOT1", "301231") for till in tills)
        )
    codes = Counter(answer.code for answer in answers)
    successes = codes["NMVS_SUCCESS"] + codes["11210200"]
    assert successes == 1, codes
    assert codes["NMVS_NC_PCK_22"] + codes["51220200"] == PHARMACY_COUNT - 1
    alerts = {answer.alert_id for answer in answers} - {None}
    assert len(alerts) == PHARMACY_COUNT - 1
    trail = await running.ask_management("/trail", product_code=running.product_code, serial=serial)
    outcomes = Counter(entry["outcome"] for entry in trail["entries"])
    assert outcomes == {
        "VERIFIED": PHARMACY_COUNT,
        "DECOMMISSIONED": 1,
        "ALREADY_IN_STATE": PHARMACY_COUNT - 1,
    }
    assert (await running.ask_management("/check"))["equal"]


async def test_a_supply_and_its_undo_by_many_leave_index_and_database_equal(
    national_system: RunningSystem,
) -> None:
    running = national_system
    serials = await running.load_packs(20)
    registration = await running.register("pharmacy", 1)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        till = RestTill(http, running.service, registration)
        await till.log_in()

        async def flip(serial: str, state: str) -> str:
            answer = await till.ask(running.product_code, serial, "LOT1", "301231", state)
            return answer.code

        codes = await asyncio.gather(
            *(
                flip(serial, "Supplied" if turn % 2 == 0 else "Active")
                for turn in range(30)
                for serial in serials
            )
        )
    assert len(codes) == 600
    assert not [code for code in codes if code.startswith(("B", "7"))]
    check = await running.ask_management("/check")
    assert check["equal"], check
    one = await running.ask_management(
        "/trail", product_code=running.product_code, serial=serials[0]
    )
    assert len(one["entries"]) == 30
    for before, after in zip(one["entries"], one["entries"][1:], strict=False):
        assert before["stateAfter"] == after["stateBefore"]


async def test_an_authority_reads_without_raising_alerts(national_system: RunningSystem) -> None:
    running = national_system
    await running.load_packs(30)  # Enough for all kinds of characters to be among their serials.
    till = RestTill(running.http, running.service, await running.register("nca", 1))
    await till.log_in()
    unknown = await till.ask(running.product_code, "NOBODY000000", "LOT1", "301231")
    assert (unknown.code, unknown.alert_id) == ("41020001", None)
    assert (await running.ask_management("/alerts"))["alerts"] == []
