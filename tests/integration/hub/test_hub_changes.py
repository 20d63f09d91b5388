"""Changes of multi-market packs in the hub: who is told, who is not, what gathers in a line."""

from __future__ import annotations

import asyncio
from typing import Any

from emvs.limits import CHANGES_PER_MESSAGE_MAX
from tests.integration.hub.stand import CODE, Stand, StartStand, product

IRELAND_TOKEN = "interconnect-token-of-IE"


def change(number: int, **members: Any) -> dict[str, Any]:
    return {
        "transactionId": f"{number:032x}",
        "productCode": CODE,
        "productVersion": 1,
        "serialNumber": f"A{number}",
        "version": 1,
        "operation": "SUPPLY",
        "state": "SUPPLIED",
        "setAt": 1_800_000_000,
        "market": "IE",
        "location": 7,
        "role": "pharmacy",
        **members,
    }


async def tell(stand: Stand, *changes: dict[str, Any], token: str = IRELAND_TOKEN) -> int:
    url = f"{stand.hub.url}/nmvs/v1/changes"
    headers = {"Authorization": f"Bearer {token}"}
    async with stand.http.post(url, json={"changes": changes}, headers=headers) as response:
        answer = await response.json()
        if response.status == 200:
            assert answer == {"acceptedCount": len(changes)}
        return response.status


def told(stand: Stand, code: str) -> list[list[str]]:
    """Return the serial numbers of each delivery of changes that a market was given."""
    return [
        [change["serialNumber"] for change in message["changes"]]
        for kind, message in stand.wires[code].applied.values()
        if kind == "changes"
    ]


async def waiting(stand: Stand) -> list[tuple[str, str]]:
    """Return system and body of what waits."""
    rows = await stand.hub.database.pool.fetch(
        "select system, body from delivery where status = 'Waiting' order by number"
    )
    return [(row["system"], row["body"].decode()) for row in rows]


async def until_nothing_waits(stand: Stand) -> None:
    async with asyncio.timeout(10):
        while await waiting(stand):
            await asyncio.sleep(0.02)


async def test_each_other_system_of_the_version_is_told_once(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "BE", "DE", "FR")
    await stand.obp.product("IE", "BE", "LU", "DE")
    await stand.obp.product("IE", "FR")
    assert await tell(stand, change(1), change(2), change(3, productVersion=2)) == 200
    await until_nothing_waits(stand)
    assert {code: told(stand, code) for code in stand.wires} == {
        "IE": [],
        "BE": [["A1", "A2"]],
        "DE": [["A1", "A2"]],
        "FR": [["A3"]],
    }
    products = [body for kind, body in stand.wires["BE"].applied.values() if kind == "products"]
    assert [body["markets"] for body in products] == [["IE", "BE", "LU", "DE"]]
    rows = await stand.hub.database.pool.fetchval("select count(*) from delivery where body <> ''")
    assert rows == 0, "no serial number stays"


async def test_what_is_not_the_senders_goes_nowhere(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE", "FR")
    await stand.obp.product("DE", "FR")
    strangers = [change(1), change(2, productVersion=9), change(3, productCode="a\0b")]
    assert await tell(stand, *strangers) == 200
    assert await waiting(stand) == []
    assert await tell(stand, change(1), token="wrong") == 401
    assert await tell(stand, change(1, version="one")) == 400
    many = [change(number) for number in range(CHANGES_PER_MESSAGE_MAX + 1)]
    assert await tell(stand, *many) == 400


async def test_changes_gather_while_a_market_is_away(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    await stand.obp.product("IE", "DE")
    await stand.wires["DE"].stop()
    for number in range(10):
        assert await tell(stand, change(number)) == 200
    ((system, body),) = await waiting(stand)
    assert (system, body.count("transactionId")) == ("DE", 10)
    rest = [change(number) for number in range(10, CHANGES_PER_MESSAGE_MAX + 1)]
    assert await tell(stand, *rest) == 200
    assert len(await waiting(stand)) == 2
    await stand.wires["DE"].start()
    await until_nothing_waits(stand)
    serials = [serial for delivery in told(stand, "DE") for serial in delivery]
    assert serials == [f"A{number}" for number in range(CHANGES_PER_MESSAGE_MAX + 1)]


async def test_a_change_added_while_its_delivery_is_under_way_is_sent_too(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE", "DE")
    await stand.obp.product("IE", "DE")
    wire = stand.wires["DE"]
    wire.open_gate.clear()
    assert await tell(stand, change(1)) == 200
    async with asyncio.timeout(10):
        while not wire.in_flight:
            await asyncio.sleep(0.01)
    assert await tell(stand, change(2)) == 200
    wire.open_gate.set()
    await until_nothing_waits(stand)
    assert told(stand, "DE")[-1] == ["A1", "A2"]


async def test_half_of_a_line_is_left_to_manufacturers(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE", limits={"deliveries_waiting_per_market_max": 8})
    await stand.obp.product("IE", "DE")
    await stand.wires["DE"].stop()
    full = [change(number) for number in range(CHANGES_PER_MESSAGE_MAX)]
    assert [await tell(stand, *full) for _ in range(5)] == [200] * 4 + [503]
    await stand.obp.send("PMDR", **product("IE", "DE"))
