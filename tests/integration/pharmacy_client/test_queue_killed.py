"""Kill -9 of a till in the middle: every pack that it told about is supplied, and just once."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

from emvs.states import State
from pharmacy_client.offline_queue import OfflineQueue
from pharmacy_client.queue_entries import Standing
from tests.integration.pharmacy_client.fault_proxy import Fault, fault_proxy
from tests.integration.pharmacy_client.test_national_system import DIALECTS, Town, town

__all__ = ["town"]

PROGRAM = Path(__file__).with_name("queueing_process.py")
PACKS = 12
KILLS = 2


async def run_till(arguments: list[str], kill_after_s: float | None) -> list[str]:
    """Run it until its end or its kill; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    lines: list[str] = []
    try:
        first = await asyncio.wait_for(process.stdout.readline(), 60)
        lines.append(first.decode())
        async with asyncio.timeout(kill_after_s or 60):
            while line := await process.stdout.readline():
                lines.append(line.decode())
    except TimeoutError:
        assert kill_after_s is not None, lines
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return lines


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_killed_till_does_everything_once(town: Town, tmp_path: Path, dialect: str) -> None:
    rng = random.Random(dialect)
    serials = town.packs[:PACKS]
    async with fault_proxy(town.system.ports["service"]) as proxy:
        endpoints = tmp_path / "proxied.json"
        direct = f"http://127.0.0.1:{town.system.ports['service']}"
        endpoints.write_text(town.endpoints.read_text().replace(direct, proxy.url))
        changes = rb"G120Request|G195Request|^PATCH|^POST [^ ]*/packs"
        arguments = [
            str(endpoints),
            dialect,
            str(tmp_path / "queue.sqlite"),
            ",".join(serials),
            town.system.product_code,
            town.system.batch_id,
            town.system.expiry,
        ]
        for number in range(KILLS + 1):
            for _ in range(4):
                proxy.fail(rng.choice([Fault.ANSWER_LOST, Fault.REQUEST_LOST, Fault.BUSY]), changes)
            lines = await run_till(arguments, rng.uniform(0.02, 0.5) if number < KILLS else None)
            # Whatever is in the file has happened; the rest is still to be scanned.
            with OfflineQueue(tmp_path / "queue.sqlite", "me") as queue:
                kept = {entry.call.scan.serial_number: entry for entry in queue.entries()}
            told = {line.split()[0] for line in lines} & set(serials)
            assert told <= kept.keys()
            arguments[3] = ",".join(serial for serial in serials if serial not in kept)
        assert lines[-1] == "drained\n"
    assert list(kept) == serials
    assert {entry.standing for entry in kept.values()} == {Standing.SETTLED}
    async with town.client(dialect) as client:
        for number in range(PACKS):
            assert (await client.verify(town.scan(number))).state is State.SUPPLIED
    assert await supplies(town, serials) == dict.fromkeys(serials, 1)


async def supplies(town: Town, serials: list[str]) -> dict[str, int]:
    """Count the supplies of each pack in the system's audit trail."""
    found: dict[str, int] = {}
    for serial in serials:
        answer = await town.system.ask_management(
            "/audit", role="nca", product_code=town.system.product_code, serial=serial
        )
        found[serial] = sum(entry["operation"] == "SUPPLY" for entry in answer["entries"])
    return found
