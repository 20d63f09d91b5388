"""One pack in several markets: what one of them does, the others know, whatever goes wrong."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from emvs.errors import BadRequestError
from emvs.interconnect import StateChange
from nmvs.synchronisation import check_change
from tests.acceptance.several_markets import (
    ACTIVE,
    SUPPLIED,
    SUPPLIED_ELSEWHERE,
    UNDONE,
    Markets,
    started,
    token,
)
from tests.integration.hub.stand import CODE
from tests.integration.processes import SystemProcess, running_process


@pytest.fixture
async def two(dsn: str, schema_name: str) -> AsyncIterator[Markets]:
    """Austria and Ireland."""
    async with started(dsn, schema_name, "AT", "IE") as markets:
        yield markets


@pytest.fixture
async def three(dsn: str, schema_name: str) -> AsyncIterator[Markets]:
    """Finland, Ireland and Poland."""
    async with started(dsn, schema_name, "FI", "IE", "PL") as markets:
        yield markets


async def test_a_supply_and_its_undo_travel_to_all_other_markets(three: Markets) -> None:
    await three.upload("A1", "A2")
    assert (await three.ask("FI", "A1", "Supplied")).code == SUPPLIED
    for market in ("IE", "PL"):
        await three.until(market, "A1", SUPPLIED_ELSEWHERE)
        refused = await three.ask(market, "A1", "Supplied")
        assert (refused.code, bool(refused.alert_id)) == ("51220200", True)
        assert (await three.ask(market, "A1", "Active")).code == "51420201", "not its supply"
        assert (await three.ask(market, "A2")).code == ACTIVE
    assert (await three.ask("FI", "A1", "Active")).code == UNDONE
    for market in ("IE", "PL"):
        await three.until(market, "A1", ACTIVE)
        entries = await three.trail(market, "A1")
        assert [(entry["operation"], entry["stateAfter"]) for entry in entries] == [
            ("SUPPLY", "SUPPLIED"),
            ("REACTIVATE", "ACTIVE"),
        ]
        assert {(entry["market"], entry["outcome"]) for entry in entries} == {
            ("FI", "SYNCHRONISED")
        }
    assert (await three.ask("PL", "A1", "Stolen")).code == "11310700"
    await three.until("FI", "A1", "11110700")
    await three.assert_agreed("A1", "A2")


async def test_a_tolerated_repeat_stays_in_its_market(two: Markets) -> None:
    await two.upload("A1")
    for code in (SUPPLIED, "11220201", "11220201"):
        assert (await two.ask("AT", "A1", "Supplied")).code == code
    assert (await two.ask("AT", "A1", "Active")).code == UNDONE
    await two.assert_agreed("A1")
    entries = await two.trail("IE", "A1")
    assert [entry["operation"] for entry in entries] == ["SUPPLY", "REACTIVATE"]


async def test_a_version_of_one_market_sends_nothing(two: Markets) -> None:
    await two.upload("A1", markets=("AT",))
    assert (await two.ask("AT", "A1", "Supplied")).code == SUPPLIED
    await two.settled()
    assert (await two.ask("IE", "A1")).code == SUPPLIED_ELSEWHERE, "asked through the hub"
    assert not await two.trail("IE", "A1")


async def test_what_another_market_does_through_the_hub_travels_too(three: Markets) -> None:
    await three.upload("A1", markets=("FI", "IE"))
    assert (await three.ask("PL", "A1", "Supplied")).code == SUPPLIED
    await three.until("IE", "A1", SUPPLIED_ELSEWHERE)
    assert await three.state("FI", "A1") == await three.state("IE", "A1")
    (entry,) = await three.trail("IE", "A1")
    assert entry["market"] == "PL"
    assert (await three.ask("PL", "A1", "Active")).code == UNDONE, "same location, whoever answers"
    await three.until("IE", "A1", ACTIVE)


async def test_a_market_that_was_down_catches_up(two: Markets) -> None:
    await two.upload("A1", "A2", "A3")
    await two.stop_market("IE")
    for serial, state in (("A1", "Supplied"), ("A2", "Supplied"), ("A3", "Locked")):
        assert (await two.ask("AT", serial, state)).status == 200
    assert (await two.ask("AT", "A2", "Active")).code == UNDONE
    await asyncio.sleep(0.3)
    await two.advance_hub_clock(30 * 86_400)  # An upload would be given up after seven days.
    await two.start_market("IE")
    await two.until("IE", "A1", SUPPLIED_ELSEWHERE)
    await two.until("IE", "A3", "11110400")
    await two.assert_agreed("A1", "A2", "A3")
    entries = await two.trail("IE", "A2")
    assert [entry["operation"] for entry in entries] == ["SUPPLY", "REACTIVATE"], "in order"


async def test_without_the_hub_markets_work_and_agree_afterwards(two: Markets) -> None:
    serials = [f"A{number}" for number in range(40)]
    await two.upload(*serials)
    await two.stop_hub()
    rng = random.Random(1)
    answers = await asyncio.gather(
        *(
            two.ask(market, serial, rng.choice(["Supplied", "Locked", "Sample", "Supplied"]))
            for serial in serials
            for market in rng.sample(["AT", "IE", "AT", "IE"], 3)
        )
    )
    assert {answer.status for answer in answers} <= {200, 409}
    await two.start_hub()
    await two.assert_agreed(*serials)


async def test_of_two_changes_at_once_the_earlier_holds_and_the_other_stays_on_record(
    two: Markets,
) -> None:
    await two.upload("A1")
    await two.stop_hub()
    # Within a second the market's code would decide; the clock makes Ireland's the earlier one.
    await two.running["AT"].advance_clock(10)
    assert (await two.ask("AT", "A1", "Supplied")).code == SUPPLIED
    assert (await two.ask("AT", "A1", "Supplied")).code == "11220201", "a repeat wins nothing"
    assert (await two.ask("IE", "A1", "Locked")).code == "11310400"
    await two.start_hub()
    await two.until("AT", "A1", "11110400")
    await two.assert_agreed("A1")
    (here,) = await two.trail("AT", "A1")
    assert (here["outcome"], here["stateBefore"], here["stateAfter"]) == (
        "SYNCHRONISED",
        "SUPPLIED",
        "LOCKED",
    )
    assert here["submitted"]["superseded"]["state"] == "SUPPLIED"
    (there,) = await two.trail("IE", "A1")
    assert (there["outcome"], there["market"], there["stateAfter"]) == (
        "SYNC_SUPERSEDED",
        "AT",
        "LOCKED",
    )
    assert there["submitted"]["superseded"]["market"] == "AT"
    assert (await two.ask("IE", "A1", "Active")).code == UNDONE
    await two.until("AT", "A1", ACTIVE)
    assert (await two.ask("AT", "A1", "Supplied")).code == SUPPLIED
    await two.assert_agreed("A1")


async def test_repeats_win_no_race(two: Markets) -> None:
    """Both markets change what they have heard of once: the earlier change holds, however often
    the other market's pharmacy had repeated its lock before."""
    await two.upload("A1")
    for code in ("11310400", "11320401", "11320401"):
        assert (await two.ask("AT", "A1", "Locked")).code == code
    await two.settled()
    await two.stop_hub()
    await two.running["AT"].advance_clock(10)
    assert (await two.ask("IE", "A1", "Stolen")).code == "11310700"
    assert (await two.ask("AT", "A1", "Active")).code == UNDONE
    await two.start_hub()
    await two.assert_agreed("A1")
    assert (await two.ask("AT", "A1")).code == "11110700"


async def test_a_change_that_comes_twice_is_taken_once(two: Markets) -> None:
    await two.upload("A1")
    first = change("A1", version=1, state="SUPPLIED", operation="SUPPLY")
    undo = change("A1", version=2, state="ACTIVE", operation="REACTIVATE")
    stranger = change("X9", version=1, state="SUPPLIED", operation="SUPPLY")
    counts = [
        (await deliver(two, "IE", number, *changes))["loadedCount"]
        for number, changes in enumerate([(first, first), (first, undo), (undo, first), (first,)])
    ]
    assert counts == [1, 1, 0, 0]
    assert (await two.ask("IE", "A1")).code == ACTIVE
    assert len(await two.trail("IE", "A1")) == 2
    unknown = await deliver(two, "IE", 9, stranger)
    assert (unknown["accepted"], unknown["text"]) == (True, "1 of the packs are unknown here")


async def test_a_change_that_comes_before_its_pack_is_taken_over_when_the_pack_comes(
    two: Markets,
) -> None:
    await two.upload("A1")
    first = change("LATE", version=1, state="SUPPLIED", operation="SUPPLY")
    undo = change("LATE", version=2, state="ACTIVE", operation="REACTIVATE")
    again = change("LATE", version=3, state="SUPPLIED", operation="SUPPLY")
    for number, one in enumerate((first, again, undo, again)):
        assert (await deliver(two, "IE", number, one))["loadedCount"] == 0
    assert (await two.ask("IE", "LATE")).code == "41020010"
    await two.stop_market("IE")
    await two.start_market("IE")
    ended = await two.obp.packs(["LATE", "NEVER"], kind="PPDM")
    assert ended["status"] == "STDS", ended
    await two.until("IE", "LATE", SUPPLIED_ELSEWHERE)
    async with asyncio.timeout(10):
        while len(trail := await two.trail("IE", "LATE")) < 3:
            await asyncio.sleep(0.02)
    assert {entry["transactionId"] for entry in trail} == {
        one["transactionId"] for one in (first, undo, again)
    }
    assert (await two.ask("IE", "NEVER")).code == ACTIVE
    await two.assert_sound()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "RECALLED"),
        ("operation", "SELL"),
        ("version", 1 << 16),
        ("setAt", -1),
        ("market", "XX"),
        ("location", 0),
        ("role", "king"),
        ("serialNumber", ""),
        ("transactionId", "z" * 32),
        ("role", "obp"),
        ("state", "DESTROYED"),
        ("operation", "VERIFY"),
        ("operation", "REACTIVATE"),
    ],
)
def test_every_member_that_is_wrong_is_refused(name: str, value: Any) -> None:
    wanted = StateChange(**change("A1", version=1, state="SUPPLIED", operation="SUPPLY"))
    check_change(wanted)
    setattr(wanted, name, value)
    with pytest.raises(BadRequestError):
        check_change(wanted)


async def test_the_manufacturers_recall_is_for_the_market_it_names(two: Markets) -> None:
    await two.upload("A1")
    recall = {"productCode": CODE, "batchId": "LOT1", "reason": "glass", "markets": ["IE"]}
    ended = await two.obp.ended(await two.obp.send("RCBR", **recall))
    assert ended["status"] == "STDS", ended
    await two.settled()
    assert (await two.ask("AT", "A1")).code == ACTIVE
    assert (await two.ask("AT", "A1", "Supplied")).code == SUPPLIED
    await two.until("IE", "A1", "11111000")
    await two.assert_agreed("A1")


async def test_what_the_manufacturer_made_of_a_pack_in_a_market_stays(
    dsn: str, schema_name: str
) -> None:
    async with started(dsn, schema_name, "AT", "IE") as markets:
        await markets.upload("A1")
        await markets.stop_market("IE")
        database = await asyncpg.connect(dsn)
        stolen = "set state = 7, set_at_s = 1, version = 16"
        await database.execute(f"update {schema_name}_ie.pack {stolen}")
        await database.close()
        await markets.start_market("IE")
        assert (await markets.ask("AT", "A1", "Locked")).code == "11310400"
        assert (await markets.ask("AT", "A1", "Active")).code == UNDONE
        await markets.settled()
        assert (await markets.ask("IE", "A1")).code == "11110700"
        assert [entry["outcome"] for entry in await markets.trail("IE", "A1")] == [
            "SYNC_SUPERSEDED"
        ] * 2


async def test_a_killed_sender_has_lost_nothing(dsn: str, schema_name: str, tmp_path: Path) -> None:
    async with started(dsn, schema_name, "AT", "IE") as markets:
        serials = [f"A{number}" for number in range(20)]
        await markets.upload(*serials)
        await markets.stop_market("AT")
        settings = markets.settings("AT")
        async with running_process("nmvs", settings, tmp_path) as process:
            await markets.stop_hub()
            await markets.tills["AT"].log_in()
            for some in (serials[:10], serials[10:]):
                answers = await asyncio.gather(
                    *(markets.ask("AT", serial, "Supplied") for serial in some)
                )
                assert {answer.code for answer in answers} == {SUPPLIED}
                if some[0] == serials[0]:
                    await until_logged(process, "changes_not_sent")
            await process.kill()  # Answered, and nobody else knows.
            await markets.start_hub()
            assert (await markets.ask("IE", serials[0])).code == ACTIVE
            await process.start()
            await markets.tills["AT"].log_in()
            for serial in serials:
                await markets.until("IE", serial, SUPPLIED_ELSEWHERE)
            await markets.assert_agreed(*serials)


async def until_logged(process: SystemProcess, action: str) -> None:
    """Wait until a process has logged an action."""
    async with asyncio.timeout(20):
        while action not in process.log:
            await asyncio.sleep(0.02)


def change(serial: str, *, version: int, state: str, operation: str) -> dict[str, Any]:
    """Return a change as Austria's location 7 would have made it."""
    return {
        "transactionId": f"{version:032x}",
        "productCode": CODE,
        "productVersion": 1,
        "serialNumber": serial,
        "version": version,
        "operation": operation,
        "state": state,
        "setAt": 1_800_000_000 + version,
        "market": "AT",
        "location": 7,
        "role": "pharmacy",
    }


async def deliver(
    markets: Markets, market: str, number: int, *changes: dict[str, Any]
) -> dict[str, Any]:
    """Deliver changes as the hub would."""
    port = markets.running[market].ports["interconnect"]
    async with markets.http.put(
        f"http://127.0.0.1:{port}/hub/v1/changes/test-{number}",
        json={"changes": changes},
        headers={"Authorization": f"Bearer {token(market)}"},
    ) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer
