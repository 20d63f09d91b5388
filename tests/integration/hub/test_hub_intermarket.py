"""Intermarket requests: whom the hub asks, in which order, for how long; what it says itself."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.integration.hub.stand import CODE, Stand, StartStand


async def ask(
    stand: Stand, asking: str = "IE", *, token: str | None = None, **changes: Any
) -> tuple[int, dict[str, Any]]:
    request = {
        "requestId": "0123456789abcdef",
        "market": asking,
        "operation": "SUPPLY",
        "scheme": "GTIN",
        "productCode": CODE,
        "serialNumber": "A1",
        "batchId": "LOT1",
        "expiry": "301231",
        "manual": False,
        "location": 7,
        "role": "pharmacy",
        **changes,
    }
    headers = {"Authorization": f"Bearer {token or f'interconnect-token-of-{asking}'}"}
    url = f"{stand.hub.url}/nmvs/v1/intermarket"
    async with stand.http.post(url, json=request, headers=headers) as response:
        return response.status, await response.json()


async def test_the_first_market_that_knows_the_pack_answers(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE", "FR", "AT")
    await stand.obp.product("IE", "FR", "DE")
    await stand.obp.packs(["A1"])
    stand.wires["DE"].outcome = "DECOMMISSIONED"
    status, answer = await ask(stand)
    assert (status, answer["outcome"], answer["market"]) == (200, "DECOMMISSIONED", "DE")
    asked = {code: len(wire.asked) for code, wire in stand.wires.items()}
    assert asked == {"IE": 0, "FR": 1, "DE": 1, "AT": 0}
    (request,) = stand.wires["DE"].asked
    assert (request.operation, request.location, request.batchId) == ("SUPPLY", 7, "LOT1")


async def test_an_unknown_product_is_said_at_once(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    for code in (CODE, "x" * 100, "a\0b", ""):
        status, answer = await ask(stand, productCode=code)
        assert (status, answer["outcome"], answer["market"]) == (200, "PRODUCT_UNKNOWN", None)
    assert stand.wires["DE"].asked == []


async def test_a_batch_narrows_the_markets_to_those_of_its_version(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE", "DE", "FR")
    await stand.obp.product("IE", "DE")
    await stand.obp.packs(["A1"])
    await stand.obp.product("IE", "FR")
    await ask(stand)
    assert [len(stand.wires[code].asked) for code in ("DE", "FR")] == [1, 0]
    await ask(stand, batchId=None)
    assert [len(stand.wires[code].asked) for code in ("DE", "FR")] == [2, 1]


async def test_if_nobody_knows_the_pack_the_fullest_answer_counts(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE", "FR")
    await stand.obp.product("IE", "DE", "FR")
    await stand.obp.packs(["A1"])
    stand.wires["FR"].outcome = "PRODUCT_UNKNOWN"
    _, answer = await ask(stand)
    assert (answer["outcome"], answer["market"]) == ("SERIAL_UNKNOWN", "DE")


async def test_a_product_of_the_asking_market_alone_is_asked_of_nobody(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("BE", "DE")
    await stand.obp.product("LU", "BE")
    await stand.obp.packs(["A1"])
    _, answer = await ask(stand, "BE")
    assert (answer["outcome"], answer["market"]) == ("SERIAL_UNKNOWN", None)
    _, answer = await ask(stand, "LU", token="interconnect-token-of-BE", batchId="LOT9")
    assert (answer["outcome"], answer["market"]) == ("BATCH_AND_SERIAL_UNKNOWN", None)
    assert stand.wires["BE"].asked == []


async def test_a_market_that_is_away_makes_unknown_uncertain(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE", "FR")
    await stand.obp.product("IE", "DE", "FR")
    await stand.obp.packs(["A1"])
    await stand.wires["DE"].stop()
    _, answer = await ask(stand)
    assert (answer["outcome"], answer["market"]) == ("MARKET_UNREACHABLE", None)
    stand.wires["FR"].outcome = "VERIFIED"
    _, answer = await ask(stand)
    assert (answer["outcome"], answer["market"]) == ("VERIFIED", "FR")


async def test_a_silent_market_takes_its_share_of_the_time_only(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE", "FR", limits={"intermarket_s_max": 1.0})
    await stand.obp.product("IE", "DE", "FR")
    await stand.obp.packs(["A1"])
    stand.wires["DE"].answer_wait_s = 5
    stand.wires["FR"].outcome = "VERIFIED"
    started = time.monotonic()
    _, answer = await ask(stand)
    assert (answer["outcome"], answer["market"]) == ("VERIFIED", "FR")
    assert 0.4 < time.monotonic() - started < 1.5
    stand.wires["FR"].answer_wait_s = 5
    started = time.monotonic()
    _, answer = await ask(stand)
    assert answer["outcome"] == "MARKET_UNREACHABLE"
    assert time.monotonic() - started < 2


async def test_too_many_at_once_are_refused(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE", limits={"intermarket_concurrent_max": 3})
    await stand.obp.product("IE", "DE")
    await stand.obp.packs(["A1"])
    stand.wires["DE"].answer_wait_s = 0.5
    answers = await asyncio.gather(*(ask(stand) for _ in range(10)))
    statuses = [status for status, _ in answers]
    assert statuses.count(200) == 3
    assert statuses.count(503) == 7


async def test_a_national_system_speaks_for_itself_only(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    assert (await ask(stand, "DE", token="interconnect-token-of-IE"))[0] == 403
    assert (await ask(stand, "XX", token="interconnect-token-of-IE"))[0] == 403
    assert (await ask(stand, token="interconnect-token-of-XX"))[0] == 401
    assert (await ask(stand, token=stand.obp.token))[0] == 401
    assert (await ask(stand, location="seven"))[0] == 400
