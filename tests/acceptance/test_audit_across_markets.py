"""A pack's history across its markets, asked through a real hub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from hub.app import Hub
from hub.config import HubConfig, LimitsConfig, MarketConfig
from nmvs.app import NationalSystem
from nmvs.config import NmvsConfig
from tests.integration.clients import RestTill
from tests.integration.hub.stand import CODE, Obp, product, register
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

SERIAL = "+1&=%/'"
BUDGET_S = 1.0


class World:
    """A hub, IE and FI, and a pharmacy in each."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.running: dict[str, RunningSystem] = {}
        self.stops: dict[str, AsyncExitStack] = {}
        self.tills: dict[str, RestTill] = {}
        self.management = ""

    async def history(self, **query: str) -> tuple[int, dict[str, Any]]:
        async with self.http.get(f"{self.management}/audit/pack", params=query) as response:
            return response.status, await response.json()


@pytest.fixture
async def world(dsn: str, schema_name: str) -> AsyncIterator[World]:
    async with AsyncExitStack() as exits:
        world = World(await exits.enter_async_context(aiohttp.ClientSession()))
        for market in ("IE", "FI"):
            stop = world.stops[market] = AsyncExitStack()
            exits.push_async_callback(stop.aclose)
            config = NmvsConfig(
                market=market,
                dsn=dsn,
                schema=f"{schema_name}_{market.lower()}",
                interconnect_token=INTERCONNECT_TOKEN,
                dialects=("rest",),
                packs_max=10_000,
                password_hash_cost_log2=6,
            )
            system = await stop.enter_async_context(NationalSystem(config))
            running = world.running[market] = RunningSystem(
                world.http, system.ports, passwords_expire=False
            )
            till = RestTill(world.http, running.service, await running.register("pharmacy", 1))
            await till.log_in()
            world.tills[market] = till
        hub = await exits.enter_async_context(
            Hub(
                HubConfig(
                    dsn=dsn,
                    schema=f"{schema_name}_hub",
                    markets={
                        market: MarketConfig(
                            f"http://127.0.0.1:{running.ports['interconnect']}", INTERCONNECT_TOKEN
                        )
                        for market, running in world.running.items()
                    },
                    limits=LimitsConfig(intermarket_s_max=BUDGET_S),
                )
            )
        )
        world.management = hub.management
        await register(world.http, hub.management)
        obp = Obp(hub.url, world.http)
        sent = await obp.ended(await obp.send("PMDR", **product("IE", "FI")))
        assert sent["status"] == "STDS", sent
        assert (await obp.packs([SERIAL, "A2"]))["status"] == "STDS"
        yield world


async def test_the_history_of_a_pack_is_put_together_from_all_its_markets(world: World) -> None:
    identity = (CODE, SERIAL, "LOT1", "301231")
    for market, state in (("IE", None), ("FI", None), ("IE", "Supplied"), ("FI", None)):
        answer = await world.tills[market].ask(*identity, state)
        assert answer.status == 200, answer
    await world.tills["IE"].ask(CODE, "A2", "LOT1", "301231")
    status, history = await world.history(product_code=CODE, serial=SERIAL)
    assert status == 200
    assert history["notAnswered"] == []
    seen = [
        (entry["recordedBy"], entry["outcome"], entry["location"]) for entry in history["entries"]
    ]
    assert seen == [
        ("IE", "VERIFIED", "pharmacy-1"),
        ("FI", "VERIFIED", "pharmacy-1"),
        ("IE", "DECOMMISSIONED", "pharmacy-1"),
        ("FI", "VERIFIED", "pharmacy-1"),
    ]
    assert {market["market"]: market["truncated"] for market in history["markets"]} == {
        "IE": False,
        "FI": False,
    }
    assert history["markets"][0] == {"market": "IE", "state": "SUPPLIED", "truncated": False}

    # One market is away: the other's part is there all the same, and who is missing is told.
    await world.stops["FI"].aclose()
    status, partial = await world.history(product_code=CODE, serial=SERIAL)
    assert status == 200
    assert [entry["recordedBy"] for entry in partial["entries"]] == ["IE", "IE"]
    assert [market["market"] for market in partial["notAnswered"]] == ["FI"]


async def test_a_wrong_question_is_told_so(world: World) -> None:
    assert (await world.history(product_code="09506000117843", serial="1"))[0] == 404
    assert (await world.history(product_code=CODE))[0] == 400
    assert (await world.history(product_code="1\0", serial="1"))[0] == 400
    url = f"http://127.0.0.1:{world.running['IE'].ports['interconnect']}/hub/v1/audit/{CODE}"
    async with world.http.get(url, params={"serial": SERIAL}) as response:
        assert response.status == 401
    headers = {"Authorization": f"Bearer {INTERCONNECT_TOKEN}"}
    async with world.http.get(url, headers=headers) as response:
        assert response.status == 400
    async with world.http.get(url, params={"serial": "X"}, headers=headers) as response:
        unknown = await response.json()
    assert (unknown["state"], unknown["entries"]) == (None, [])
