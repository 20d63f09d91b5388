"""Packs past their time go, with trail and alerts, and may come again. Real database and clock."""

from __future__ import annotations

import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tests.integration.clients import RestTill
from tests.integration.conftest import StartSystem
from tests.integration.processes import running_process
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

DAY_S = 86_400
FIVE_YEARS_S = (5 * 365 + 2) * DAY_S
SHORT = f"{datetime.now(UTC) + timedelta(days=700):%y%m}00"
"""An expiry date that is a year past in five years."""
LONG = f"{datetime.now(UTC) + timedelta(days=3000):%y%m}00"
"""One that is not."""


async def till_of(running: RunningSystem, kind: str = "pharmacy", number: int = 1) -> RestTill:
    till = RestTill(running.http, running.service, await running.register(kind, number))
    await till.log_in()
    return till


async def move_clock(running: RunningSystem, seconds: int) -> dict[str, Any]:
    """Move the clock and wait until what is due by then is gone."""
    await running.advance_clock(seconds)
    return await purged(running)


async def purged(running: RunningSystem) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while not (report := await running.ask_management("/retention"))["idle"]:
            assert report["failure"] is None, report
            await asyncio.sleep(0.01)
    return report


async def assert_consistent(running: RunningSystem, packs: int) -> None:
    check = await running.ask_management("/check")
    assert check["equal"], check
    assert check["stored_count"] == packs


async def trail_of(running: RunningSystem, serial: str) -> list[dict[str, Any]]:
    answer = await running.ask_management(
        "/trail", product_code=running.product_code, serial=serial
    )
    entries: list[dict[str, Any]] = answer["entries"]
    return entries


_numbers = itertools.count(1)


async def upload(running: RunningSystem, serials: list[str], **other: Any) -> dict[str, Any]:
    return await running.deliver(
        "packs",
        f"again-{next(_numbers)}",
        **{
            "productCode": running.product_code,
            "productVersion": 1,
            "batchId": "LOT1",
            "expiry": SHORT,
            "serialNumbers": serials,
        }
        | other,
    )


async def test_a_purged_serial_number_may_come_again_and_a_stored_one_never(
    start_system: StartSystem,
) -> None:
    running = await start_system("IE")
    due = await running.load_packs(5_000, batch_id="LOT1", expiry=SHORT)
    kept = await running.load_packs(300, batch_id="LOT2", expiry=LONG)
    till = await till_of(running)
    assert (await till.supply(running.product_code, due[0], "LOT1", SHORT)).code == "11210200"
    assert (await till.ask(running.product_code, due[1], "LOT2", SHORT)).alert_id is not None
    assert (await till.supply(running.product_code, kept[0], "LOT2", LONG)).code == "11210200"

    # A day before the time both batches are kept, and no stored serial number is taken again.
    await move_clock(running, FIVE_YEARS_S - 3 * DAY_S)
    await assert_consistent(running, 5_300)
    refused = await upload(running, [due[0], kept[0], "NEW"], batchId="LOT3", expiry=LONG)
    assert [line["serialNumber"] for line in refused["refusedSerials"]] == [due[0], kept[0]]

    report = await move_clock(running, 4 * DAY_S)
    assert (report["packsPurged"], report["batchesPurged"]) == (5_000, 1)
    await assert_consistent(running, 301)
    assert await trail_of(running, due[0]) == []
    assert (await running.ask_management("/alerts"))["alerts"] == []
    assert [entry["outcome"] for entry in await trail_of(running, kept[0])] == ["DECOMMISSIONED"]
    await till.log_in()
    gone = await till.ask(running.product_code, due[0], "LOT1", SHORT)
    assert gone.code.startswith("41020"), gone

    # The same batch and serial numbers again, even with another expiry date; kept ones refused.
    again = await upload(running, [*due[:10], kept[0]], expiry=LONG)
    assert (again["accepted"], again["loadedCount"]) == (True, 10), again
    assert [line["serialNumber"] for line in again["refusedSerials"]] == [kept[0]]
    assert (await till.supply(running.product_code, due[0], "LOT1", LONG)).code == "11210200"
    second = await upload(running, due[:1], batchId="LOT9", expiry=LONG)
    assert second["refusedSerials"][0]["code"] == "NMVS_FE_SN_02"
    await move_clock(running, 30 * DAY_S)
    await assert_consistent(running, 311)

    # A restart finds it so.
    assert running.stop is not None
    await running.stop()
    restarted = await start_system("IE")
    await assert_consistent(restarted, 311)
    assert len(await trail_of(restarted, due[0])) == 2


async def test_requests_during_a_purge_are_answered_and_the_system_does_not_stall(
    start_system: StartSystem,
) -> None:
    running = await start_system("IE")
    serials = await running.load_packs(60_000, expiry=SHORT)
    till = await till_of(running)
    await move_clock(running, FIVE_YEARS_S - 5 * DAY_S)
    await till.log_in()
    stalls: list[float] = []

    async def watch() -> None:
        while True:  # Processor time, as the machine may have other work.
            started = time.thread_time()
            await asyncio.sleep(0)
            stalls.append(time.thread_time() - started)

    answers: set[str] = set()

    async def ask(part: list[str]) -> None:
        for serial in part:
            known = await till.ask(running.product_code, serial, "LOT1", SHORT)
            supplied = await till.supply(running.product_code, serial, "LOT1", SHORT)
            answers.update((known.code, supplied.code))

    await running.advance_clock(6 * DAY_S)
    await till.log_in()
    watching = asyncio.create_task(watch())
    await asyncio.gather(*(ask(serials[start : start + 40]) for start in range(0, 60_000, 7_500)))
    waiting = await upload_until_taken(running, serials[:1])
    watching.cancel()
    await purged(running)
    # Known and expired before its pack went, unknown afterwards; nothing else, nothing technical.
    assert answers <= {"11111100", "51221100", "41020000", "41020001", "41020002", "41020003"}
    assert waiting["loadedCount"] == 1
    await assert_consistent(running, 1)
    assert max(stalls) < 0.1, sorted(stalls)[-5:]


async def upload_until_taken(running: RunningSystem, serials: list[str]) -> dict[str, Any]:
    """Upload as the hub does: a batch that is being purged is put off, and tried again."""
    url = f"http://127.0.0.1:{running.ports['interconnect']}/hub/v1/packs/once-more"
    message = {
        "productCode": running.product_code,
        "productVersion": 1,
        "batchId": "LOT1",
        "expiry": LONG,
        "serialNumbers": serials,
    }
    headers = {"Authorization": f"Bearer {INTERCONNECT_TOKEN}"}
    async with asyncio.timeout(30):
        while True:
            async with running.http.put(url, json=message, headers=headers) as response:
                answer: dict[str, Any] = await response.json()
                if response.status == 200:
                    return answer
                assert response.status == 503, answer
            await asyncio.sleep(0.02)


async def test_months_are_dropped_whole_and_entries_about_unknown_packs_go_after_five_years(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    running = await start_system("IE")
    serials = await running.load_packs(3, expiry=SHORT)
    kept = await running.load_packs(3, batch_id="LOT2", expiry=LONG)
    till = await till_of(running)
    await till.ask(running.product_code, serials[0], "LOT1", SHORT)
    await till.ask(running.product_code, "UNKNOWN1", "LOT1", SHORT)
    await move_clock(running, 100 * DAY_S)
    await till.log_in()
    await till.ask(running.product_code, kept[0], "LOT2", LONG)
    await till.ask(running.product_code, "UNKNOWN2", "LOT1", SHORT)
    assert len((await running.ask_management("/alerts"))["alerts"]) == 2

    report = await move_clock(running, FIVE_YEARS_S + 40 * DAY_S)
    assert report["packsPurged"] == 3
    assert report["trailPartitionsDropped"] >= 1
    assert await trail_of(running, "UNKNOWN1") == []
    assert [entry["outcome"] for entry in await trail_of(running, kept[0])] == ["VERIFIED"]
    await till.log_in()
    assert (await till.ask(running.product_code, kept[0], "LOT2", LONG)).code == "11110100"
    await assert_consistent(running, 3)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"set search_path to {schema_name}_ie")
        rows = await connection.fetchval("select count(*) from trail")
        alerts = await connection.fetchval("select count(*) from alert")
    finally:
        await connection.close()
    assert (rows, alerts) == (2, 0)


async def test_a_partition_is_made_although_the_default_holds_entries_of_its_month(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    running = await start_system("IE")
    serials = await running.load_packs(1)
    month = (datetime.now(UTC) + timedelta(days=400)).replace(day=15)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"set search_path to {schema_name}_ie")
        await connection.execute(
            "insert into trail select gen_random_uuid(), $1, gen_random_uuid(),"
            " 0, 1, 42, 0, 0, false, 'rest' from generate_series(1, 1000)",
            month,
        )
        await move_clock(running, int((month - datetime.now(UTC)).total_seconds()))
        till = await till_of(running)
        await till.ask(running.product_code, serials[0], "LOT1", running.expiry)
        held = await connection.fetchval("select count(*) from trail_default")
        count = await connection.fetchval(
            "select count(*) from trail where tableoid = to_regclass($1)", f"trail_{month:%Y_%m}"
        )
    finally:
        await connection.close()
    assert (held, count) == (0, 1_001)
    assert len(await trail_of(running, serials[0])) == 1


async def test_killed_half_way_through_a_purge_memory_equals_disk_and_the_rest_goes(
    dsn: str, schema_name: str, tmp_path: Path
) -> None:
    config: dict[str, Any] = {
        "market": "IE",
        "dsn": dsn,
        "schema": schema_name,
        "interconnect_token": INTERCONNECT_TOKEN,
        "dialects": ["rest"],
        "packs_max": 1_000_000,
        "password_hash_cost_log2": 6,
    }
    async with (
        running_process("nmvs", config, tmp_path) as process,
        aiohttp.ClientSession() as http,
    ):
        running = RunningSystem(http, process.ready)
        await running.load_packs(40_000, expiry=SHORT)
        kept = await running.load_packs(500, batch_id="LOT2", expiry=LONG)
        await running.advance_clock(FIVE_YEARS_S)
        async with asyncio.timeout(20):
            while not (await running.ask_management("/retention"))["packsPurged"]:
                await asyncio.sleep(0.005)
        await process.kill()
        await process.start()
        check = await running.ask_management("/check")
        assert check["equal"], check
        assert 500 < check["stored_count"] < 40_500, "the purge was not under way"
        await purged(running)
        await assert_consistent(running, 500)
        again = await upload(running, kept[:1], batchId="LOT7", expiry=LONG)
        assert again["loadedCount"] == 0


async def test_packs_return_to_memory_when_a_purge_fails(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    """Somebody holds a pack's row, so that the deletion waits; it is cut off, again and again."""
    running = await start_system("IE")
    serials = await running.load_packs(3_000, expiry=SHORT)
    till = await till_of(running)
    holder = await asyncpg.connect(dsn)
    other = await asyncpg.connect(dsn)
    try:
        holding = holder.transaction()
        await holding.start()
        await holder.execute(f"set local search_path to {schema_name}_ie")
        await holder.execute("select from pack for key share")
        await running.advance_clock(FIVE_YEARS_S)
        await till.log_in()
        failed = False
        async with asyncio.timeout(30):
            while not failed or (await running.ask_management("/health"))["packs"] < 3_000:
                cut_off = await other.fetch(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where query like 'delete from pack%' and wait_event_type = 'Lock'"
                )
                failed = failed or bool(cut_off)
        assert (await running.ask_management("/retention"))["packsPurged"] == 0
        await holding.rollback()
    finally:
        await holder.close()
        await other.close()
    async with asyncio.timeout(30):
        while not (report := await running.ask_management("/retention"))["idle"]:
            await asyncio.sleep(0.02)
    assert (report["packsPurged"], report["failure"]) == (3_000, None)
    await assert_consistent(running, 0)
    assert (await till.ask(running.product_code, serials[0], "LOT1", SHORT)).status == 404


async def test_batches_of_an_older_version_count_from_the_systems_now(
    dsn: str, schema_name: str
) -> None:
    """What the migration gives to batches that are stored already."""
    files = resources.files("nmvs").joinpath("sql/migrations")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"create schema {schema_name}; set search_path to {schema_name}")
        await connection.execute(files.joinpath("0001_initial.sql").read_text("utf-8"))
        await connection.execute(
            "insert into system values ('clock_offset_s', '86400');"
            "insert into product values ('P', 'GTIN', 1, 'N', 'C');"
            "insert into batch values ('P', 'LOT1', 1, '301231', 1)"
        )
        await connection.execute(files.joinpath("0004_retention.sql").read_text("utf-8"))
        uploaded = await connection.fetchval("select first_uploaded_at from batch")
    finally:
        await connection.close()
    assert abs(uploaded - datetime.now(UTC) - timedelta(days=1)) < timedelta(minutes=1)
