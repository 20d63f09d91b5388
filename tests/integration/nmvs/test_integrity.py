"""Memory compared with the database while both are in use, and a start that tells how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from emvs.errors import ConfigurationError
from emvs.infra.loopback_ports import free_port
from nmvs import integrity
from tests.integration.clients import RestTill
from tests.integration.conftest import StartSystem
from tests.integration.running import RunningSystem

PACK_COUNT = 12_000


@pytest.fixture
async def packed(start_system: StartSystem) -> tuple[RunningSystem, list[str], RestTill]:
    """A system with packs, and a till."""
    running: RunningSystem = await start_system("IE", dialects=("rest",))
    serials = await running.load_packs(PACK_COUNT)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    return running, serials, till


async def supply_until(
    stop: asyncio.Event, till: RestTill, code: str, serials: Sequence[str]
) -> int:
    """Supply packs, sixteen at once, until told to stop; return how many."""
    count = 0
    for start in range(0, len(serials), 16):
        if stop.is_set():
            break
        part = serials[start : start + 16]
        await asyncio.gather(*(till.supply(code, serial, "LOT1", "301231") for serial in part))
        count += len(part)
    return count


async def test_packs_that_change_meanwhile_are_no_differences(
    packed: tuple[RunningSystem, list[str], RestTill], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, serials, till = packed
    monkeypatch.setattr(integrity, "_SUSPECTS_AT_ONCE", 4)  # Looked at again and again.
    stop = asyncio.Event()
    load = asyncio.create_task(supply_until(stop, till, running.product_code, serials))
    reports = [await running.ask_management("/check") for _ in range(4)]
    stop.set()
    assert await load > 0
    for report in reports:
        assert report["equal"], report
        assert report["stored_count"] == report["indexed_count"] == PACK_COUNT


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("update pack set version = version + 1 where serial_number = $1", 1),
        ("update pack set set_at_s = 5 where serial_number = $1", 1),
        ("delete from pack where serial_number = $1", 0),
    ],
)
async def test_one_pack_that_differs_is_found(
    packed: tuple[RunningSystem, list[str], RestTill],
    dsn: str,
    schema_name: str,
    damage: str,
    said: int,
) -> None:
    running, serials, _ = packed
    connection = await asyncpg.connect(dsn, server_settings={"search_path": f"{schema_name}_ie"})
    key = await connection.fetchval(
        "select pack_key from pack where serial_number = $1", serials[7]
    )
    await connection.execute(damage, serials[7])
    await connection.close()
    async with running.http.get(f"{running.management}/check") as response:
        report: dict[str, Any] = await response.json()
        assert response.status == 500
    assert not report["equal"]
    assert report["differences"] == [key.hex] * said
    assert report["indexed_count"] - report["stored_count"] == 1 - said


async def test_many_differences_are_told_up_to_a_bound(
    packed: tuple[RunningSystem, list[str], RestTill], dsn: str, schema_name: str
) -> None:
    running, _, _ = packed
    connection = await asyncpg.connect(dsn, server_settings={"search_path": f"{schema_name}_ie"})
    await connection.execute("update pack set state = 4")
    await connection.close()
    report = await running.ask_management("/check")
    assert not report["equal"]
    assert len(report["differences"]) == 100
    assert report["stored_count"] == PACK_COUNT


_WAITS = "select count(*) from pg_locks where not granted and relation = $1::regclass"


@pytest.mark.parametrize("table", ["pack", "bulk_job"])
async def test_a_system_that_starts_says_so_until_it_is_ready(
    start_system: StartSystem, dsn: str, schema_name: str, table: str
) -> None:
    # Held at its packs, and at the last thing it reads: nobody may find that nobody listens.
    first: RunningSystem = await start_system("IE", dialects=("rest",))
    await first.load_packs(5)
    assert first.stop is not None
    await first.stop()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    connection = await asyncpg.connect(dsn, server_settings={"search_path": f"{schema_name}_ie"})
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(f"lock table {table} in access exclusive mode")
    starting = asyncio.create_task(start_system("IE", dialects=("rest",), management_port=port))
    async with asyncio.timeout(30):
        while not await connection.fetchval(_WAITS, table):
            await asyncio.sleep(0.02)
    async with first.http.get(f"{url}/ready") as response:
        assert response.status == 503
        assert (await response.json())["status"] == "loading"
    assert not starting.done()
    await transaction.rollback()
    await connection.close()
    second = await starting
    async with first.http.get(f"{url}/ready") as response:
        assert response.status == 200
        assert (await response.json())["packs"] == 5
    assert second.ports["management"] == port


async def test_a_start_with_too_little_room_says_what_to_do(start_system: StartSystem) -> None:
    first: RunningSystem = await start_system("IE", dialects=("rest",))
    await first.load_packs(5)
    assert first.stop is not None
    await first.stop()
    with pytest.raises(ConfigurationError, match="raise packs_max"):
        await start_system("IE", dialects=("rest",), packs_max=4)
    enough: RunningSystem = await start_system("IE", dialects=("rest",), packs_max=5)
    assert (await enough.ask_management("/health"))["packs"] == 5
