"""What stranger or broken senders say must end in an answer to them, and hold up nobody else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.hub.callback_stand import OUR_CODE, distributor
from tests.integration.hub.lossy_postgres import LossyPostgres
from tests.integration.hub.stand import CODE, Stand, StartStand, product
from tests.integration.running import gtin

LOCK = {"productCode": CODE, "batchId": "LOT1", "state": "Locked", "serialNumbers": ["A1"]}
GOOD = {"loadedCount": 1, "runs": [{"count": 1, "outcome": "DECOMMISSIONED", "state": "LOCKED"}]}
ALERTS = 40


async def is_well(stand: Stand) -> bool:
    return (await stand.manage("GET", "/health"))[1]["defects"] == {}


@pytest.mark.parametrize("name", ["\0", "x" * 1_000, "\u200b", CODE])
async def test_a_link_of_unusable_names_is_invalid_and_stops_no_other_request(
    start_stand: StartStand, name: str
) -> None:
    stand = await start_stand("IE")
    ours = await distributor(stand)
    sent = await ours.send(
        "RPLK",
        sources=[{"productCode": name, "batchId": "\0"}],
        targets=[{"productCode": OUR_CODE, "batchId": name}],
    )
    assert (await stand.obp.product("IE"))["status"] == "STDS"
    ended = await ours.ended(sent)
    assert ended["status"] == "STIV"
    assert {one["field"].partition(".")[0] for one in ended["defects"]} == {
        "sources[0]",
        "targets[0]",
    }
    assert await is_well(stand)


async def test_a_message_that_cannot_be_stored_is_invalid_and_stops_no_other(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    pool = stand.hub.database.pool
    # No such message is known: PostgreSQL is made to refuse one.
    await pool.execute(
        "create function refuse() returns trigger language plpgsql as $$ begin"
        " raise exception 'cannot be stored' using errcode = '22P05'; end $$"
    )
    await pool.execute(
        "create trigger refuse before insert on product for each row"
        f" when (new.product_code = '{CODE}') execute function refuse()"
    )
    ended = await stand.obp.product("IE")
    assert (ended["status"], ended["defects"][0]["rule"]) == ("STIV", "not_storable")
    other = await stand.obp.send("PMDR", **product("IE", code=OUR_CODE))
    assert (await stand.obp.ended(other))["status"] == "STDS"
    assert await is_well(stand)


@pytest.mark.parametrize(
    "wrong",
    [
        {"loadedCount": 10**12},
        {"loadedCount": -1},
        {"loadedCount": 2},
        {"alerts": [{"position": 0, "alertId": "\0"}]},
        {"alerts": [{"position": 0, "alertId": "IE-1"}]},
        {"alerts": [{"position": 1, "alertId": "IE-AAA-BBB-CCC-DDD-EEE"}]},
        {"runs": [{"count": 1, "outcome": "NO_SUCH", "state": None}]},
        {"runs": [{"count": 2, "outcome": "VERIFIED", "state": None}]},
    ],
    ids=str,
)
async def test_an_answer_that_cannot_be_is_asked_for_again(
    start_stand: StartStand, wrong: dict[str, Any]
) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    await stand.obp.packs(["A1"])
    ireland = stand.wires["IE"]
    ireland.instead = GOOD | wrong
    sent = await stand.obp.send("PSUDC", **LOCK)
    seen = await stand.obp.attempted(sent, 2)
    assert seen["markets"][0]["lastError"].startswith("the answer")
    assert await is_well(stand)
    ireland.instead = GOOD
    assert (await stand.obp.ended(sent))["status"] == "STDS"


async def test_a_count_of_packs_that_cannot_be_is_asked_for_again(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    stand.wires["IE"].instead = {"loadedCount": 10**12}
    sent = await stand.obp.send("PMDR", **product("IE"))
    seen = await stand.obp.attempted(sent, 2)
    assert seen["markets"][0]["lastError"] == "the answer counts packs that cannot be"
    assert await is_well(stand)


async def test_a_refusal_says_nothing_about_packs(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    await stand.obp.packs(["A1"])
    stand.wires["IE"].instead = {
        "accepted": False,
        "code": "NO",
        "text": "no",
        "runs": [{"count": 7, "outcome": "NO_SUCH", "state": "NEITHER"}],
        "alerts": [{"position": 7, "alertId": "\0"}],
    }
    sent = await stand.obp.send("PSUDC", **LOCK)
    ended = await stand.obp.ended(sent)
    assert (ended["status"], ended["markets"][0]["status"]) == ("STDF", "Refused")
    assert (await stand.obp.get(f"requests/{sent}/packs"))[1]["packs"][0]["markets"] == []


def report(number: int) -> dict[str, Any]:
    """Return a national system's report of an alert."""
    return {
        "alertId": f"IE-AAA-AAA-AAA-AAA-{number:03d}",
        "revision": 0,
        "code": "A3",
        "outcome": "SERIAL_UNKNOWN",
        "nationalReturnCode": "NMVS_NC_PC_02",
        "operation": "SUPPLY",
        "sourceProcess": "Supply",
        "raisingMarket": "IE",
        "initiatingMarket": "IE",
        "eventAt": 1_700_000_000_000,
        "raisedAt": 1_700_000_000_000,
        "manual": False,
        "scheme": "GTIN",
        "productCode": CODE,
        "serialNumber": "X1",
        "batchId": "LOT1",
        "expiry": "301231",
        "storedBatchId": None,
        "storedExpiry": None,
        "storedState": None,
        "locationToken": "t",
        "repeatGroup": "g",
        "state": "New",
        "steps": [],
    }


async def deadlocks(stand: Stand) -> int:
    count: int = await stand.hub.database.pool.fetchval(
        "select deadlocks from pg_stat_database where datname = current_database()"
    )
    return count


async def test_alerts_and_first_products_do_not_wait_for_each_other(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    before = await deadlocks(stand)

    async def alert(number: int) -> None:
        url = f"{stand.hub.url}/nmvs/v1/alerts"
        headers = {"Authorization": "Bearer interconnect-token-of-IE"}
        message = {"alerts": [report(number)]}
        async with stand.http.post(url, json=message, headers=headers) as response:
            assert response.status == 200, await response.text()

    async def first_product(number: int) -> str:
        return await stand.obp.send("PMDR", **product("IE", code=gtin(7_000 + number)))

    async with asyncio.timeout(20):
        sent, *_ = await asyncio.gather(
            first_product(0),
            *(first_product(number) for number in range(1, ALERTS)),
            *(alert(number) for number in range(ALERTS)),
        )
        assert (await stand.obp.ended(sent))["status"] == "STDS"
    assert await deadlocks(stand) == before


async def test_the_next_market_is_asked_though_the_commit_s_answer_was_lost(
    start_stand: StartStand, dsn: str
) -> None:
    async with LossyPostgres(dsn) as postgres:
        stand = await start_stand("IE", "DE", dsn=postgres.dsn)
        await stand.obp.product("IE", "DE")
        await stand.obp.packs(["A1"])
        stand.wires["DE"].pack_answers = {"A1": ("VERIFIED", "ACTIVE")}
        stand.wires["IE"].open_gate.clear()
        members = {name: LOCK[name] for name in ("productCode", "batchId", "serialNumbers")}
        sent = await stand.obp.send("VBOP", **members)
        async with asyncio.timeout(10):
            while not stand.wires["IE"].in_flight:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)  # What the loader committed has been answered.
        postgres.lose_next_commit_answer()
        stand.wires["IE"].open_gate.set()
        async with asyncio.timeout(10):
            await postgres.lost.wait()
        ended = await stand.obp.ended(sent)
        assert [entry["market"] for entry in ended["markets"]] == ["IE", "DE"]
        assert {entry["status"] for entry in ended["markets"]} == {"Distributed"}
        await stand.hub.__aexit__()
