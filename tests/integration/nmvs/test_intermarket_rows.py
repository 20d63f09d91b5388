"""When the hub gives no answer that can be used: what a pharmacy reads, and how soon."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from zlib import crc32

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.loopback_ports import free_port
from nmvs.app import NationalSystem
from nmvs.config import NmvsConfig
from tests.integration.clients import RestTill, SoapTill
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem, gtin

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUDGET_S = 0.3
SLACK_S = 0.5
"""For a machine that has other things to do."""
FOREIGN = gtin(123)


class HubWire:
    """The other end of the wire: answers as it is told to."""

    def __init__(self) -> None:
        self.behaviour = ""
        self.asked: list[dict[str, Any]] = []
        self._runner: web.AppRunner | None = None
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_post("/nmvs/v1/intermarket", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()

    async def stop(self) -> None:
        """Refuse connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == f"Bearer {INTERCONNECT_TOKEN}"
        asked = json.loads(await request.read())
        self.asked.append(asked)
        name, _, figure = self.behaviour.partition(" ")
        if name == "status":
            return web.Response(status=int(figure), text="told to")
        if name == "silent":
            await asyncio.sleep(10)
        if name == "hangs":
            assert request.transport is not None
            request.transport.abort()
        if name in {"drips", "endless"}:
            return await self._pieces(request, name)
        if name == "bytes":
            return web.Response(body=bytes.fromhex(figure))
        good = {
            "requestId": asked["requestId"],
            "market": "PL",
            "outcome": "VERIFIED",
            "state": "ACTIVE",
            "effective": "ACTIVE",
            "productName": "Examplol",
        }
        changes = {} if name == "good" else {name: figure or None}
        return web.json_response(good | changes)

    @staticmethod
    async def _pieces(request: web.Request, name: str) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        piece, wait_s = (b" ", 0.05) if name == "drips" else (b" " * 10_000, 0.0)
        for _ in range(100):
            await response.write(piece)
            await asyncio.sleep(wait_s)
        return response


class World:
    """Ireland, a pharmacy that speaks both dialects, and the wire to the hub."""

    def __init__(
        self, running: RunningSystem, hub: HubWire, rest: RestTill, soap: SoapTill
    ) -> None:
        self.running = running
        self.hub = hub
        self.rest = rest
        self.soap = soap

    async def outcomes(self, serial: str) -> list[str]:
        """Return what the audit trail has of a pack."""
        trail = await self.running.ask_management("/trail", product_code=FOREIGN, serial=serial)
        return [entry["outcome"] for entry in trail["entries"]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(postgres: EmbeddedPostgres) -> AsyncIterator[World]:
    hub = HubWire()
    config = NmvsConfig(
        market="IE",
        dsn=postgres.dsn("emvs"),
        schema="intermarket_rows",
        interconnect_token=INTERCONNECT_TOKEN,
        hub_url=hub.url,
        intermarket_s_max=BUDGET_S,
        dialects=("soap", "rest"),  # type: ignore[arg-type] # Converted as from a file.
        packs_max=1_000,
        password_hash_cost_log2=6,
    )
    await hub.start()
    async with aiohttp.ClientSession() as http, NationalSystem(config) as system:
        running = RunningSystem(http, system.ports)
        registration = await running.register("pharmacy", 1)
        rest = RestTill(http, running.service, registration)
        soap = SoapTill(http, running.service, registration)
        await rest.log_in()
        yield World(running, hub, rest, soap)
    await hub.stop()


# What the hub does; the outcome on record; codes in the SOAP and the REST dialect.
ROWS = """
away                  HUB_UNREACHABLE    TE_REQ_03  B1020000
hangs up              HUB_UNREACHABLE    TE_REQ_03  B1020000
status 500            HUB_UNREACHABLE    TE_REQ_03  B1020000
status 503            HUB_UNREACHABLE    TE_REQ_03  B1020000
status 401            HUB_UNREACHABLE    TE_REQ_03  B1020000
bytes 7b22            HUB_UNREACHABLE    TE_REQ_03  B1020000
bytes ff22fe          HUB_UNREACHABLE    TE_REQ_03  B1020000
endless               HUB_UNREACHABLE    TE_REQ_03  B1020000
requestId other       HUB_UNREACHABLE    TE_REQ_03  B1020000
outcome NONSENSE      HUB_UNREACHABLE    TE_REQ_03  B1020000
outcome SYNCHRONISED  HUB_UNREACHABLE    TE_REQ_03  B1020000
state SOLD            HUB_UNREACHABLE    TE_REQ_03  B1020000
effective SOLD        HUB_UNREACHABLE    TE_REQ_03  B1020000
silent                HUB_TIMEOUT        TE_REQ_04  B1020000
drips                 HUB_TIMEOUT        TE_REQ_04  B1020000
outcome MARKET_UNREACHABLE MARKET_UNREACHABLE TE_REQ_05 B1020000
"""


def rows() -> list[Any]:
    split = [line.rsplit(maxsplit=3) for line in ROWS.strip().splitlines()]
    return [pytest.param(*row, id=row[0].strip()) for row in split]


@pytest.mark.parametrize(("behaviour", "outcome", "soap_code", "rest_code"), rows())
async def test_trouble_on_the_way_is_told_in_time_and_alerts_nobody(
    world: World, behaviour: str, outcome: str, soap_code: str, rest_code: str
) -> None:
    world.hub.behaviour = behaviour.strip()
    if behaviour.strip() == "away":
        await world.hub.stop()
    serial = f"S{crc32(behaviour.encode())}"
    try:
        started = time.monotonic()
        soap = await world.soap.ask(FOREIGN, serial, "LOT1", "301231", "G120")
        rest = await world.rest.ask(FOREIGN, serial, "LOT1", "301231", "Supplied")
        took_s = time.monotonic() - started
    finally:
        if behaviour.strip() == "away":
            await world.hub.start()
    assert (soap.status, soap.code, soap.alert_id) == (200, f"NMVS_{soap_code}", None)
    assert (rest.status, rest.code, rest.alert_id) == (503, rest_code, None)
    assert took_s < 2 * BUDGET_S + SLACK_S
    assert outcome != "HUB_TIMEOUT" or took_s >= 2 * BUDGET_S
    # The pack may have been supplied there all the same: both attempts are on record.
    assert await world.outcomes(serial) == [outcome] * 2


async def test_the_hub_is_asked_once_and_told_no_name(world: World) -> None:
    world.hub.behaviour = "good"
    world.hub.asked.clear()
    answer = await world.rest.ask(FOREIGN, "S1", "LOT1", "301231")
    assert (answer.code, answer.intermarket) == ("11110100", True)
    (asked,) = world.hub.asked
    assert asked["location"] == 1
    assert "harmacy" not in json.dumps(asked).replace('"role": "pharmacy"', "")


async def test_after_trouble_the_next_request_goes_through(world: World) -> None:
    world.hub.behaviour = "silent"
    silent = await asyncio.gather(
        *(world.rest.ask(FOREIGN, f"S{number}", "LOT1", "301231") for number in range(20))
    )
    assert {answer.code for answer in silent} == {"B1020000"}
    world.hub.behaviour = "good"
    assert (await world.soap.ask(FOREIGN, "S1", "LOT1", "301231")).code == "NMVS_SUCCESS"
