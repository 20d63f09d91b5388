"""Manufacturer, hub and national systems together, each on its own ports: the whole main path."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.loopback_ports import free_port
from emvs.serial_numbers import generate_serial_numbers
from hub.app import Hub
from hub.config import HubConfig, MarketConfig
from nmvs.app import NationalSystem
from nmvs.config import NmvsConfig
from tests.integration.clients import RestTill, SoapTill, WireAnswer
from tests.integration.hub.stand import CLIENT_TOKEN, CODE, Obp, packs, product
from tests.integration.processes import SystemProcess, running_process
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

MEMORY_BYTES_MAX = 8 * 2**30
MILLION = 1_000_000
PER_MESSAGE = 250_000


def token(market: str) -> str:
    return f"interconnect-token-of-{market}"


@dataclass
class Europe:
    """A hub, national systems, a manufacturer, and a pharmacy in each market."""

    hub: Hub
    obp: Obp
    systems: dict[str, RunningSystem]
    tills: dict[str, SoapTill | RestTill]

    async def ask(self, market: str, serial: str, **other: str) -> WireAnswer:
        """Verify a pack in a market's own dialect."""
        identity = {"code": CODE, "serial": serial, "batch": "LOT1", "expiry": "301231"} | other
        return await self.tills[market].ask(**identity)

    async def supply(self, market: str, serial: str) -> WireAnswer:
        """Supply a pack in a market's own dialect."""
        return await self.tills[market].supply(CODE, serial, "LOT1", "301231")


@pytest.fixture
async def europe(dsn: str, schema_name: str) -> AsyncIterator[Europe]:
    """AT (SOAP), PL (SOAP) and IE (REST) around one hub."""
    dialects: dict[str, Any] = {"AT": ("soap",), "PL": ("soap",), "IE": ("rest",)}
    hub_config = {"dsn": dsn, "schema": f"{schema_name}_hub"}
    port = free_port()
    async with AsyncExitStack() as exits:
        http = await exits.enter_async_context(aiohttp.ClientSession())
        systems: dict[str, RunningSystem] = {}
        for market, spoken in dialects.items():
            config = NmvsConfig(
                market=market,
                dsn=dsn,
                schema=f"{schema_name}_{market.lower()}",
                interconnect_token=token(market),
                hub_url=f"http://127.0.0.1:{port}",
                dialects=spoken,
                packs_max=100_000,
                password_hash_cost_log2=6,
            )
            system = await exits.enter_async_context(NationalSystem(config))
            systems[market] = RunningSystem(http, system.ports, passwords_expire=False)
        hub = await exits.enter_async_context(
            Hub(
                HubConfig(
                    **hub_config,
                    port=port,
                    markets={
                        market: MarketConfig(
                            interconnect_url=f"http://127.0.0.1:{system.ports['interconnect']}",
                            token=token(market),
                        )
                        for market, system in systems.items()
                    },
                    national_tokens={market: token(market) for market in systems},
                )
            )
        )
        await register_manufacturer(http, hub.management)
        tills: dict[str, SoapTill | RestTill] = {}
        for market, system in systems.items():
            registration = await system.register("pharmacy", 1)
            if "soap" in dialects[market]:
                tills[market] = SoapTill(http, system.service, registration)
            else:
                rest = RestTill(http, system.service, registration)
                await rest.log_in()
                tills[market] = rest
        yield Europe(hub, Obp(hub.url, http), systems, tills)


async def register_manufacturer(http: aiohttp.ClientSession, management: str) -> None:
    """Register the manufacturer of the tests at the hub."""
    organisation = {
        "organisationId": "10001",
        "name": "Example Pharma",
        "kind": "obp",
        "clientId": "001",
        "token": CLIENT_TOKEN,
    }
    async with http.post(f"{management}/organisations", json=organisation) as response:
        assert response.status == 200, await response.text()


def national(*markets: str) -> dict[str, Any]:
    """Master data; Austria wants a national number."""
    message = product(*markets)
    for part in message["markets"]:
        if part["market"] == "AT":
            part["nationalCode"] = "1234567"
    return message


async def upload(europe: Europe, *markets: str, serials: list[str]) -> None:
    """Upload a product and packs for markets, and wait until they are there."""
    sent = await europe.obp.ended(await europe.obp.send("PMDR", **national(*markets)))
    assert sent["status"] == "STDS", sent
    loaded = await europe.obp.packs(serials)
    assert loaded["status"] == "STDS", loaded


async def test_a_pack_of_two_markets_is_known_in_both_dialects(europe: Europe) -> None:
    await upload(europe, "AT", "IE", serials=["A1", "A2"])
    assert (await europe.ask("AT", "A1")).code == "NMVS_SUCCESS"
    assert (await europe.ask("IE", "A1")).code == "11110100"


async def test_what_nobody_knows_is_unknown_here(europe: Europe) -> None:
    nobody = await europe.ask("IE", "P1", code="09506000117843")
    assert (nobody.code, nobody.alert_id) == ("41020000", None)
    await upload(europe, "PL", serials=["P1"])
    unknown_serial = await europe.ask("PL", "X9")
    assert unknown_serial.code == "NMVS_NC_PC_02"
    assert unknown_serial.alert_id is not None
    elsewhere = await europe.ask("IE", "X9")
    assert elsewhere.code == "41020001", "the product is known, though not here"
    assert elsewhere.alert_id is not None
    assert elsewhere.alert_id.startswith("IE-")


async def test_a_falsified_pack_of_a_foreign_product_raises_an_alert_here(europe: Europe) -> None:
    await upload(europe, "PL", serials=["P1"])
    made_up = await europe.ask("IE", "X9", batch="NONE")
    assert made_up.code == "41020002"
    assert made_up.alert_id is not None
    assert made_up.alert_id.startswith("IE-")
    known_batch = await europe.ask("AT", "X9")
    assert known_batch.code == "NMVS_NC_PC_02"
    assert known_batch.alert_id is not None


async def test_a_typed_pack_of_another_market_is_found_though_the_product_is_known_here(
    europe: Europe,
) -> None:
    await upload(europe, "IE", "PL", serials=["A1"])
    sent = await europe.obp.ended(await europe.obp.send("PMDR", **national("PL")))
    assert sent["status"] == "STDS", sent
    loaded = await europe.obp.packs(["P9"], batchId="LOT9")
    assert loaded["status"] == "STDS", loaded
    till = europe.tills["IE"]
    assert isinstance(till, RestTill)
    typed = await till.ask_typed(CODE, "P9")
    assert (typed.code, typed.alert_id) == ("11110100", None)


async def test_without_the_hub_a_foreign_pack_is_told_so(europe: Europe) -> None:
    await upload(europe, "PL", serials=["P1"])
    await europe.hub.__aexit__(None, None, None)
    away = await europe.ask("IE", "P1")
    assert (away.status, away.code) == (503, "B1020000")
    assert (await europe.ask("AT", "P1")).code == "NMVS_TE_REQ_03"
    assert (await europe.ask("PL", "P1")).code == "NMVS_SUCCESS"


async def test_a_recall_reaches_its_markets_only(europe: Europe) -> None:
    await upload(europe, "AT", "IE", serials=["A1"])
    recall = {"productCode": CODE, "batchId": "LOT1", "reason": "glass", "markets": ["IE"]}
    ended = await europe.obp.ended(await europe.obp.send("RCBR", **recall))
    assert ended["status"] == "STDS", ended
    refused = await europe.supply("IE", "A1")
    assert (refused.code, refused.alert_id) == ("51221000", None)
    assert (await europe.supply("AT", "A1")).code == "NMVS_SUCCESS"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_million_packs_in_one_go_stay_inside_eight_gibibytes(
    postgres: EmbeddedPostgres, schema_name: str, tmp_path: Path
) -> None:
    dsn = postgres.dsn("emvs")
    nmvs_config = {
        "market": "IE",
        "dsn": dsn,
        "schema": f"{schema_name}_ie",
        "interconnect_token": INTERCONNECT_TOKEN,
        "dialects": ["rest"],
        "packs_max": 2 * MILLION,
    }
    async with (
        running_process("nmvs", nmvs_config, tmp_path) as nmvs,
        running_process("hub", hub_config(dsn, schema_name, nmvs), tmp_path) as hub,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=32)) as http,
    ):
        await register_manufacturer(http, hub.ready["management"])
        obp = Obp(hub.ready["url"], http)
        assert (await obp.product("IE"))["status"] == "STDS"
        serials = list(generate_serial_numbers(MILLION, rng=random.Random(1)))
        sent = [
            await obp.send(
                "PPDM" if start else "PPDC", **packs(serials[start : start + PER_MESSAGE])
            )
            for start in range(0, MILLION, PER_MESSAGE)
        ]
        for transaction_id in sent:
            ended = await obp.ended(transaction_id)
            assert ended["status"] == "STDS", ended
        running = RunningSystem(http, nmvs.ready, passwords_expire=False)
        till = RestTill(http, running.service, await running.register("pharmacy", 1))
        await till.log_in()
        sample = random.Random(2).sample(serials, 1_000)
        answers = await asyncio.gather(
            *(till.ask(CODE, serial, "LOT1", "301231") for serial in sample)
        )
        assert {answer.code for answer in answers} == {"11110100"}
        assert (await running.ask_management("/health"))["packs"] == MILLION
        assert hub.memory_bytes_max + nmvs.memory_bytes_max < MEMORY_BYTES_MAX


def hub_config(dsn: str, schema_name: str, nmvs: SystemProcess) -> dict[str, Any]:
    """A hub that delivers to one national system in another process."""
    interconnect = f"http://127.0.0.1:{nmvs.ready['interconnect']}"
    return {
        "dsn": dsn,
        "schema": f"{schema_name}_hub",
        "markets": {"IE": {"interconnect_url": interconnect, "token": INTERCONNECT_TOKEN}},
        "national_tokens": {"IE": INTERCONNECT_TOKEN},
    }
