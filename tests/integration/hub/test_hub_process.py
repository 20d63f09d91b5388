"""The hub as a process, killed and restarted; PostgreSQL killed under it; a quarter of a million
packs in one message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import msgspec
import pytest

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.limits import SERIALS_PER_MESSAGE_MAX
from tests.integration.hub.national_wire import NationalWire
from tests.integration.hub.stand import Obp, StartStand, hub_settings, packs, register
from tests.integration.processes import SystemProcess

StartWires = Callable[..., Awaitable[dict[str, NationalWire]]]


class HubProcess(SystemProcess):
    """`python -m hub`; its ports are in the ready file."""

    _port_keys: ClassVar[dict[str, str]] = {}


def process_settings(dsn: str, schema: str, wires: dict[str, NationalWire]) -> dict[str, Any]:
    settings: dict[str, Any] = msgspec.to_builtins(hub_settings(dsn, schema, wires))
    return settings


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(more, marks=pytest.mark.bench) for more in (1, 2))]
)
async def test_nothing_acknowledged_is_lost_when_the_hub_is_killed(
    seed: int,
    dsn: str,
    schema_name: str,
    http: aiohttp.ClientSession,
    start_wires: StartWires,
    tmp_path: Path,
) -> None:
    wires = await start_wires("IE", "DE")
    hub = HubProcess("hub", process_settings(dsn, schema_name, wires), tmp_path)
    await hub.start()
    assert hub.ready.keys() == {"url", "tls_url", "management", "pid"}
    await register(http, hub.ready["management"])
    obp = Obp(hub.ready["url"], http)
    await obp.product("IE", "DE")
    acknowledged: list[str] = []
    stopped = asyncio.Event()

    async def upload(sender: int) -> None:
        for number in range(500):
            batch_id = f"L{sender}-{number}"
            serials = [f"{sender}.{number}.{position}" for position in range(20)]
            message = {
                "transactionId": obp.transaction_id("PPDC"),
                **packs(serials, batchId=batch_id),
            }
            while not stopped.is_set():
                try:
                    status, _, _ = await obp.post("PPDC", message)
                except aiohttp.ClientError:
                    await asyncio.sleep(0.02)  # Killed: the same message again until it is taken.
                else:
                    assert status in {202, 503}
                    if status == 202:
                        acknowledged.append(message["transactionId"])
                        break

    senders = [asyncio.create_task(upload(sender)) for sender in range(4)]
    for round_number in range(3):
        await asyncio.sleep(0.4 + 0.15 * ((seed + round_number) % 3))
        await hub.kill()
        await hub.start()
        obp.url = hub.ready["url"]
    await asyncio.sleep(0.5)
    stopped.set()
    await asyncio.gather(*senders)
    assert len(acknowledged) > 20
    for transaction_id in acknowledged:
        ended = await obp.ended(transaction_id)
        assert ended["status"] == "STDS", ended
        assert [entry["loadedCount"] for entry in ended["markets"]] == [20, 20]
    for wire in wires.values():
        effects = [message["batchId"] for kind, message in wire.applied.values() if kind == "packs"]
        assert len(effects) == len(set(effects))
        assert wire.in_flight_max == 1
        for sender in range(4):
            own = [effect for effect in effects if effect.startswith(f"L{sender}-")]
            assert own == [f"L{sender}-{number}" for number in range(len(own))]
    assert await hub.stop() == 0


async def test_the_hub_resumes_by_itself_when_postgresql_comes_back(
    tmp_path: Path, http: aiohttp.ClientSession, start_wires: StartWires
) -> None:
    wires = await start_wires("IE", "DE")
    server = EmbeddedPostgres(tmp_path / "pg")
    await asyncio.to_thread(server.start)
    hub = HubProcess("hub", process_settings(server.dsn("emvs"), "hub", wires), tmp_path)
    try:
        await hub.start()
        await register(http, hub.ready["management"])
        obp = Obp(hub.ready["url"], http)
        await obp.product("IE", "DE")
        wires["IE"].open_gate.clear()
        before = await obp.send("PPDC", **packs(["A1"]))
        await obp.ended(before, until={"STLD"})
        await asyncio.to_thread(server.kill)

        message = {"transactionId": obp.transaction_id("PPDC"), **packs(["B1"], batchId="LOT2")}
        status, problem, headers = await obp.post("PPDC", message)
        assert (status, problem["title"]) == (503, "Not available")
        assert "Retry-After" in headers
        assert (await obp.get(f"requests/{before}"))[0] == 503
        async with http.get(f"{hub.ready['management']}/health") as response:
            assert response.status == 503
        wires["IE"].open_gate.set()  # The answer comes while it cannot be written down.
        await asyncio.sleep(0.3)

        await asyncio.to_thread(server.start)
        async with asyncio.timeout(20):
            while (await obp.post("PPDC", message))[0] != 202:
                await asyncio.sleep(0.05)
        for transaction_id in (before, message["transactionId"]):
            ended = await obp.ended(transaction_id)
            assert ended["status"] == "STDS"
            assert [entry["loadedCount"] for entry in ended["markets"]] == [1, 1]
        async with http.get(f"{hub.ready['management']}/health") as response:
            health = await response.json()
        assert (health["status"], health["waiting"]) == ("ok", {"IE": 0, "DE": 0})
    finally:
        await hub.stop()
        await asyncio.to_thread(server.stop)


async def test_a_full_message_reaches_three_markets(
    start_stand: StartStand, record_testsuite_property: Callable[[str, object], None]
) -> None:
    stand = await start_stand("IE", "DE", "FR")
    await stand.obp.product("IE", "DE", "FR")
    serials = [f"{number:020d}" for number in range(SERIALS_PER_MESSAGE_MAX)]
    message = {"transactionId": stand.obp.transaction_id("PPDC"), **packs(serials)}
    body = msgspec.json.encode(message)
    started, cpu = time.monotonic(), time.process_time()
    status, answer, _ = await stand.obp.post("PPDC", body)
    acknowledged_s = time.monotonic() - started
    assert status == 202, answer
    ended = await stand.obp.ended(message["transactionId"])
    total_s, cpu_s = time.monotonic() - started, time.process_time() - cpu
    assert ended["status"] == "STDS"
    assert [entry["loadedCount"] for entry in ended["markets"]] == [SERIALS_PER_MESSAGE_MAX] * 3
    # The manufacturer and the three markets, in this process as well, are most of it.
    record_testsuite_property("acknowledged_s", round(acknowledged_s, 2))
    record_testsuite_property("distributed_s", round(total_s, 2))
    record_testsuite_property("cpu_s", round(cpu_s, 2))
    assert cpu_s < 10

    message["serialNumbers"] = [*serials, "X"]
    message["transactionId"] = stand.obp.transaction_id("PPDC")
    status, problem, _ = await stand.obp.post("PPDC", message)
    assert (status, "250001" in problem["detail"]) == (413, True)


async def test_a_hub_that_cannot_start_says_why(tmp_path: Path, dsn: str) -> None:
    for config, said in (
        ({"dsn": dsn, "markets": {"XX": {"interconnect_url": "x", "token": "y"}}}, "XX"),
        ({"dsn": dsn, "colour": "red"}, "colour"),
        ({"dsn": "postgresql://nobody@127.0.0.1:1/x"}, "database"),
    ):
        hub = HubProcess("hub", config, tmp_path)
        with pytest.raises(AssertionError):
            await hub.start()
        assert said in hub.log
        assert "Traceback" not in hub.log
        (tmp_path / "hub.log").unlink()
