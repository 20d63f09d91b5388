"""A write that hangs: it is given up, ended on the server too, and nobody is told wrong things."""

from __future__ import annotations

import asyncio
from collections import Counter

import asyncpg
import pytest

from nmvs import ledger
from tests.integration.clients import RestTill, SoapTill
from tests.integration.conftest import StartSystem
from tests.integration.running import RunningSystem

WRITE_S_MAX = 0.5


async def test_a_write_given_up_never_commits_afterwards(
    start_system: StartSystem, dsn: str, schema_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "LEDGER_WRITE_S_MAX", WRITE_S_MAX)
    running: RunningSystem = await start_system("IE")
    serials = await running.load_packs(2)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    blocker = await asyncpg.connect(dsn, server_settings={"search_path": f"{schema_name}_ie"})
    try:
        transaction = blocker.transaction()
        await transaction.start()
        await blocker.execute("select * from pack for update")
        stuck = await till.supply(running.product_code, serials[0], "LOT1", "301231")
        assert (stuck.status, stuck.code) == (503, "B0020000")
        async with asyncio.timeout(10):
            while (await running.ask_management("/health"))["status"] != "ok":
                await asyncio.sleep(0.02)
        await transaction.rollback()
    finally:
        await blocker.close()
    after = await till.ask(running.product_code, serials[0], "LOT1", "301231")
    assert after.code == "11110100"
    supplied = await till.supply(running.product_code, serials[0], "LOT1", "301231")
    assert supplied.code == "11210200"
    trail = await running.ask_management(
        "/trail", product_code=running.product_code, serial=serials[0]
    )
    assert [entry["outcome"] for entry in trail["entries"]] == ["VERIFIED", "DECOMMISSIONED"]
    assert (await running.ask_management("/check"))["equal"]


async def test_requests_beyond_the_queue_are_refused_and_change_nothing(
    start_system: StartSystem, dsn: str, schema_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL stalls: the queue stays bounded, and each dialect says so in its own way."""
    monkeypatch.setattr(ledger, "LEDGER_WAITING_COUNT_MAX", 5)
    running: RunningSystem = await start_system("IE")
    serials = await running.load_packs(40)
    registration = await running.register("pharmacy", 1)
    rest = RestTill(running.http, running.service, registration)
    soap = SoapTill(running.http, running.service, registration)
    await rest.log_in()
    tills: list[RestTill | SoapTill] = [rest, soap]
    # The login's first use is a KDF; the stall is not about that.
    assert (await soap.ask(running.product_code, serials[0], "LOT1", "301231")).status == 200
    blocker = await asyncpg.connect(dsn, server_settings={"search_path": f"{schema_name}_ie"})
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute("lock table trail in access exclusive mode")
    supplies = [
        asyncio.create_task(tills[at % 2].supply(running.product_code, serial, "LOT1", "301231"))
        for at, serial in enumerate(serials)
    ]
    # All but those in the write and in the queue are answered while nothing can be written.
    async with asyncio.timeout(8):
        while sum(task.done() for task in supplies) < len(supplies) // 2:
            assert (await running.ask_management("/health"))["waiting"] <= 5
            await asyncio.sleep(0.02)
    refused = {(at % 2, task.result().code) for at, task in enumerate(supplies) if task.done()}
    assert refused == {(0, "B0020000"), (1, "NMVS_TE_TX_03")}
    await transaction.rollback()
    await blocker.close()
    codes = [(await task).code for task in supplies]
    for serial, code in zip(serials, codes, strict=True):
        done = code in {"11210200", "NMVS_SUCCESS"}
        now = await rest.ask(running.product_code, serial, "LOT1", "301231")
        assert now.code == ("11110201" if done else "11110100")
    assert any(code == "11210200" for code in codes)
    assert (await running.ask_management("/check"))["equal"]


async def test_a_pack_changed_behind_our_back_is_decided_again(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    running: RunningSystem = await start_system("IE")
    serials = await running.load_packs(30)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    connection = await asyncpg.connect(dsn, server_settings={"search_path": f"{schema_name}_ie"})
    await connection.execute("update pack set state = 4, set_by = 1, version = version + 1")
    await connection.close()
    # Three for each pack at once: none may build on what another only believed.
    answers = await asyncio.gather(
        *(
            till.supply(running.product_code, serial, "LOT1", "301231")
            for serial in serials
            for _ in range(3)
        )
    )
    codes = {answer.code for answer in answers}
    assert "51220401" in codes
    # A request that comes in while the packs are read again may be asked to come back.
    assert codes <= {"51220401", "B0020000"}
    for serial in serials:  # Whoever comes back is answered; each pack has been read again then.
        again = await till.supply(running.product_code, serial, "LOT1", "301231")
        assert again.code == "51220401"
    assert (await running.ask_management("/check"))["equal"]


async def test_an_unknown_pack_in_a_group_with_a_foreign_write_is_answered_all_the_same(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    running: RunningSystem = await start_system("IE")
    (serial,) = await running.load_packs(1)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    connection = await asyncpg.connect(dsn, server_settings={"search_path": f"{schema_name}_ie"})
    batch = (running.product_code, "UNKNOWN", "LOT1", "301231")
    told = 0
    for _ in range(20):
        await connection.execute("update pack set state = 4, set_by = 1, version = version + 1")
        answers = await asyncio.gather(
            till.supply(running.product_code, serial, "LOT1", "301231"),
            *(till.ask(*batch) for _ in range(10)),
        )
        # Those that come in while the packs are read again are asked to come back: on a busy
        # machine that may be all of them.
        codes = Counter(answer.code for answer in answers[1:])
        assert codes.keys() <= {"41020010", "B0020000"}
        told += codes["41020010"]
        trail = await running.ask_management(
            "/trail", product_code=running.product_code, serial="UNKNOWN"
        )
        assert len(trail["entries"]) == told
        if told:
            break
    await connection.close()
    assert told


async def test_the_check_finds_no_difference_while_packs_move(
    national_system: RunningSystem,
) -> None:
    running = national_system
    serials = await running.load_packs(20)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()

    async def move() -> None:
        for _ in range(15):
            for state in ("Supplied", "Active"):
                await asyncio.gather(
                    *(
                        till.ask(running.product_code, serial, "LOT1", "301231", state)
                        for serial in serials
                    )
                )

    moving = asyncio.create_task(move())
    checks = []
    while not moving.done():
        checks.append((await running.ask_management("/check"))["equal"])
    await moving
    assert len(checks) > 3
    assert all(checks)


async def test_the_clock_may_jump_far_while_requests_run(start_system: StartSystem) -> None:
    running: RunningSystem = await start_system("IE")
    (serial,) = await running.load_packs(1)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    stop = asyncio.Event()

    async def verify() -> None:
        while not stop.is_set():
            await till.ask(running.product_code, serial, "LOT1", "301231")

    tasks = [asyncio.create_task(verify()) for _ in range(8)]
    for _ in range(4):
        await running.advance_clock(200 * 86_400)
    stop.set()
    await asyncio.gather(*tasks)
    assert running.stop is not None
    await running.stop()
    again: RunningSystem = await start_system("IE")
    assert (await again.ask_management("/clock"))["offset_s"] == 800 * 86_400
