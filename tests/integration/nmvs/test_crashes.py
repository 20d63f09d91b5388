"""Killed under load: the national system, then PostgreSQL. Nothing answered is ever lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from emvs.infra.embedded_postgres import EmbeddedPostgres
from tests.integration.clients import RestTill, SoapTill, WireAnswer
from tests.integration.processes import SystemProcess, running_process
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

PACK_COUNT = 4_000
LOAD_S = 1.5
PAUSE_S = 0.1
RECOVERY_S_MAX = 30.0
TECHNICAL = {"B0020000", "NMVS_TE_REQ_01"}


@dataclass
class ProcessSystem(RunningSystem):
    """The same questions, asked of a system in another process."""

    process: SystemProcess = field(kw_only=True)


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server that a test may kill."""
    server = EmbeddedPostgres(tmp_path / "postgres")
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


@pytest.fixture
async def system(own_postgres: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[ProcessSystem]:
    """A national system in a process of its own, speaking both dialects."""
    config: dict[str, Any] = {
        "market": "IE",
        "dsn": own_postgres.dsn("emvs"),
        "interconnect_token": INTERCONNECT_TOKEN,
        "dialects": ["soap", "rest"],
        "packs_max": 1_000_000,
        "password_hash_cost_log2": 6,
    }
    async with (
        running_process("nmvs", config, tmp_path) as process,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        yield ProcessSystem(http, process.ready, process=process)


class Load:
    """Tills that supply packs one after the other, and what they were told."""

    def __init__(self, tills: list[RestTill | SoapTill], serials: list[str], code: str) -> None:
        self._tills = tills
        self._code = code
        self._serials = iter(serials)
        self.answers: dict[str, WireAnswer] = {}
        self.unanswered: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Let every till work, eight requests at a time each."""
        self._tasks = [
            asyncio.create_task(self._work(till)) for till in self._tills for _ in range(8)
        ]

    async def _work(self, till: RestTill | SoapTill) -> None:
        for serial in self._serials:
            try:
                self.answers[serial] = await till.supply(self._code, serial, "LOT1", "301231")
            except (aiohttp.ClientError, OSError):
                self.unanswered.append(serial)
                await asyncio.sleep(PAUSE_S)
            else:
                if self.answers[serial].code in TECHNICAL:
                    await asyncio.sleep(PAUSE_S)

    async def stop(self) -> None:
        """End all work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def told(self, *codes: str) -> set[str]:
        """Serial numbers of packs whose answer had one of these codes."""
        return {serial for serial, answer in self.answers.items() if answer.code in codes}

    @property
    def supplied(self) -> set[str]:
        """Packs that a till was told it had supplied."""
        return self.told("11210200", "NMVS_SUCCESS")


async def prepare(system: RunningSystem) -> tuple[Load, list[RestTill | SoapTill]]:
    """Two pharmacies, one in each dialect, and packs for their load."""
    serials = await system.load_packs(PACK_COUNT)
    rest = RestTill(system.http, system.service, await system.register("pharmacy", 1))
    soap = SoapTill(system.http, system.service, await system.register("pharmacy", 2))
    await rest.log_in()
    await soap.ask(system.product_code, serials[0], "LOT1", "301231")
    tills: list[RestTill | SoapTill] = [rest, soap]
    return Load(tills, serials, system.product_code), tills


async def assert_nothing_answered_is_lost(
    system: RunningSystem, load: Load, tills: list[RestTill | SoapTill]
) -> None:
    """Every pack that was answered as supplied is refused now, and memory equals disk."""
    check = await system.ask_management("/check")
    assert check["equal"], check
    supplied = sorted(load.supplied)
    assert len(supplied) > 50, "the load was too light to prove anything"
    for start in range(0, len(supplied), 100):
        again = await asyncio.gather(
            *(
                tills[0].ask(system.product_code, serial, "LOT1", "301231")
                for serial in supplied[start : start + 100]
            )
        )
        codes = {answer.code[:6] for answer in again}
        assert codes == {"111102"}, codes
    fresh = await system.register("pharmacy", 3)
    other = RestTill(system.http, system.service, fresh)
    await other.log_in()
    refused = await other.supply(system.product_code, supplied[0], "LOT1", "301231")
    assert refused.code == "51220200"
    trail = await system.ask_management(
        "/trail", product_code=system.product_code, serial=supplied[0]
    )
    outcomes = [entry["outcome"] for entry in trail["entries"]]
    assert outcomes.count("DECOMMISSIONED") == 1


async def test_a_killed_national_system_has_everything_it_answered(system: ProcessSystem) -> None:
    load, tills = await prepare(system)
    load.start()
    await asyncio.sleep(LOAD_S)
    await system.process.kill()
    await load.stop()
    await system.process.start()
    await tills[0].log_in()  # type: ignore[union-attr] # The first till speaks REST.
    await assert_nothing_answered_is_lost(system, load, tills)


async def test_postgres_killed_under_load_and_restarted(
    system: ProcessSystem, own_postgres: EmbeddedPostgres
) -> None:
    load, tills = await prepare(system)
    load.start()
    await asyncio.sleep(LOAD_S)
    await asyncio.to_thread(own_postgres.kill)
    await asyncio.sleep(0.5)
    assert load.told(*TECHNICAL), "no technical error was told"
    await asyncio.to_thread(own_postgres.start)
    async with asyncio.timeout(RECOVERY_S_MAX):
        while (await system.ask_management("/health"))["status"] != "ok":
            await asyncio.sleep(0.05)
    before = len(load.supplied)
    await asyncio.sleep(LOAD_S)
    await load.stop()
    assert not load.unanswered, "the national system itself never went away"
    assert len(load.supplied) > before, "service did not resume"
    expected = {"11210200", "NMVS_SUCCESS"} | TECHNICAL
    assert {answer.code for answer in load.answers.values()} <= expected
    await assert_nothing_answered_is_lost(system, load, tills)


async def test_an_idle_system_notices_that_postgres_was_away(
    system: ProcessSystem, own_postgres: EmbeddedPostgres
) -> None:
    (serial,) = await system.load_packs(1)
    till = RestTill(system.http, system.service, await system.register("pharmacy", 1))
    await till.log_in()
    await asyncio.to_thread(own_postgres.kill)
    async with asyncio.timeout(RECOVERY_S_MAX):
        while (await system.ask_management("/health"))["status"] == "ok":
            await asyncio.sleep(0.02)
    await asyncio.to_thread(own_postgres.start)
    async with asyncio.timeout(RECOVERY_S_MAX):
        while (await system.ask_management("/health"))["status"] != "ok":
            await asyncio.sleep(0.05)
    answer = await till.supply(system.product_code, serial, "LOT1", "301231")
    assert answer.code == "11210200"
