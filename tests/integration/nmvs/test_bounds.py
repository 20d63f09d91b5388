"""What grows is bounded and what waits is short: deliveries' answers, partitions, slips, master
data that stays. Real database and clock."""

from __future__ import annotations

import asyncio
from importlib import resources
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from emvs.errors import ConfigurationError
from emvs.infra.database import Database
from emvs.infra.migrations import migrate
from nmvs import retention
from nmvs.config import NmvsConfig
from tests.integration.clients import RestTill
from tests.integration.conftest import StartSystem
from tests.integration.nmvs.test_identification import RestTill as TypingTill
from tests.integration.nmvs.test_retention import move_clock
from tests.integration.running import RunningSystem

DAY_S = 86_400
ARTICLE = {"strength": "10 mg", "atcCodes": "N02BE01,N02BE51"}


async def connect(dsn: str, schema_name: str) -> asyncpg.Connection[asyncpg.Record]:
    return await asyncpg.connect(dsn, server_settings={"search_path": f"{schema_name}_ie"})


def product_message(running: RunningSystem, version: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "scheme": "GTIN",
        "productCode": running.product_code,
        "version": version,
        "name": "Examplol",
        "commonName": "examplol",
        **more,
    }


async def test_answers_to_old_deliveries_are_forgotten_but_never_the_last_ones(
    start_system: StartSystem, dsn: str, schema_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_DELIVERIES_KEPT_COUNT", 2)
    running: RunningSystem = await start_system("IE")
    await running.load_packs(2)
    recall = {"productCode": running.product_code, "reason": "glass"}
    for number in range(5):
        await running.deliver("recalls", f"r{number}", batchId=f"B{number}", **recall)
        await asyncio.sleep(0.002)
    last = await running.deliver("recalls", "last", batchId=running.batch_id, **recall)
    assert last["accepted"]
    connection = await connect(dsn, schema_name)
    try:
        await move_clock(running, 29 * DAY_S)
        assert await connection.fetchval("select count(*) from delivery") == 8
        await move_clock(running, 2 * DAY_S)
        kept = await connection.fetch("select delivery_id from delivery order by received_at")
    finally:
        await connection.close()
    assert [row[0] for row in kept] == ["r4", "last"]
    # The hub did not get the answer and asks again, a year later by this system's clock.
    await move_clock(running, 366 * DAY_S)
    assert await running.deliver("recalls", "last", batchId=running.batch_id, **recall) == last


async def test_master_data_is_stored_with_the_newest_version(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    running: RunningSystem = await start_system("IE")
    newer = ARTICLE | {"strength": "20 mg"}
    for version, fields in ((1, ARTICLE), (3, newer), (2, ARTICLE)):
        answer = await running.deliver(
            "products", f"p{version}", **product_message(running, version, articleFields=fields)
        )
        assert answer["accepted"]
    unfit = await running.http.put(
        f"http://127.0.0.1:{running.ports['interconnect']}/hub/v1/products/p4",
        json=product_message(running, 4, articleFields={"strength": "\0"}),
        headers={"Authorization": "Bearer hub-token-of-the-tests"},
    )
    assert unfit.status == 400, "and is not sent again for ever"
    connection = await connect(dsn, schema_name)
    try:
        stored = await connection.fetchrow(
            "select version, article_fields ->> 'strength', article_fields ->> 'atcCodes'"
            " from product"
        )
    finally:
        await connection.close()
    assert stored is not None
    assert tuple(stored) == (3, "20 mg", ARTICLE["atcCodes"])


async def test_a_reader_of_the_trail_holds_up_neither_clock_nor_other_readers(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    running: RunningSystem = await start_system("IE", rest={"token_life_s": 200 * DAY_S})
    (serial,) = await running.load_packs(1)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    identity = (running.product_code, serial, "LOT1", "301231")
    pack = {"product_code": running.product_code, "serial": serial}
    reader = await connect(dsn, schema_name)
    try:
        async with reader.transaction():
            await reader.execute("select count(*) from trail_default")
            moving = asyncio.create_task(running.advance_clock(100 * DAY_S))
            async with asyncio.timeout(10):
                while not moving.done():
                    assert (await till.ask(*identity)).code == "11110100"
                    async with asyncio.timeout(1):
                        await running.ask_management("/trail", **pack)
                    await asyncio.sleep(0.01)
                await moving
        await till.log_in()
        assert (await till.supply(*identity)).code == "11210200", "the default takes its entry"
        # A scan that was under way when the clock moved may be there as well.
        assert await reader.fetchval("select count(*) from trail_default") in {1, 2}
        await running.advance_clock(0)
        assert await reader.fetchval("select count(*) from trail_default") == 0, "made now"
    finally:
        await reader.close()
    trail = await running.ask_management("/trail", **pack)
    assert trail["entries"][-1]["outcome"] == "DECOMMISSIONED"


async def test_a_month_of_which_the_default_holds_much_stays_there(
    start_system: StartSystem, dsn: str, schema_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nmvs.trail_partitions._MOVED_ROWS_MAX", 10)
    running: RunningSystem = await start_system("IE")
    connection = await connect(dsn, schema_name)
    try:
        await connection.execute(
            "insert into trail select gen_random_uuid(), now() + interval '200 days',"
            " gen_random_uuid(), 0, 1, 42, 0, 0, false, 'rest' from generate_series(1, 11)"
        )
        await running.advance_clock(200 * DAY_S)
        assert await connection.fetchval("select count(*) from trail_default") == 11
        assert await connection.fetchval("select count(*) from trail") == 11
    finally:
        await connection.close()


async def test_a_slip_that_was_decided_twice_counts_once(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    running: RunningSystem = await start_system("IE")
    held, foreign, third = await running.load_packs(3)
    for number in (1, 2):
        await running.register("pharmacy", number)
    till = await TypingTill(running, 1).log_in()
    other = await TypingTill(running, 2).log_in()

    async def slip() -> bool:
        return (await till.ask(third, batch="WRONG", manual=True)).alerts

    blocker = await connect(dsn, schema_name)
    try:
        await blocker.execute(
            "update pack set state = 4, set_by = 1, version = version + 1 where serial_number = $1",
            foreign,
        )
        async with blocker.transaction():
            await blocker.execute("select from pack where serial_number = $1 for update", held)
            first = asyncio.create_task(other.ask(held, state="Supplied"))
            await asyncio.sleep(0.2)
            together = asyncio.gather(other.ask(foreign, state="Supplied"), slip())
            await asyncio.sleep(0.2)
        assert (await first).code == "11210200"
        refused, slipped = await together
    finally:
        await blocker.close()
    assert refused.code == "51220400", "somebody else's write was noticed"
    assert (await running.ask_management("/health"))["status"] == "ok"
    assert not slipped
    assert not await slip(), "the second of two that are forgiven"
    assert await slip()
    trail = await running.ask_management("/trail", product_code=running.product_code, serial=third)
    assert len(trail["entries"]) == 3


@pytest.mark.parametrize(
    "rules",
    [
        {"supply_repeat_tolerance": 256},
        {"supply_repeat_tolerance": -1},
        {"other_repeat_tolerance": 256},
        {"typing_tolerance": -1},
        {"undo_window_s": -1},
        {"sync_delay_s": -0.1},
        {"sync_delay_s": float("nan")},
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(rules: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(rules))):
        NmvsConfig("IE", "dsn", "t" * 16, rules=rules).market_rules()


async def test_an_older_database_keeps_the_tokens_that_left_it_and_forgets_the_others(
    dsn: str, schema_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    for file in resources.files("nmvs").joinpath("sql/migrations").iterdir():
        if file.name < "0008":
            (folder / file.name).write_bytes(file.read_bytes())
    database = Database(dsn, schema_name)
    await database.open()
    try:
        with monkeypatch.context() as patched:
            patched.setattr("emvs.infra.migrations.resources.files", lambda _: tmp_path)
            await migrate(database.pool, "nmvs", "migrations")
        await database.pool.execute(
            "insert into system values ('location_token_secret', 'kept'),"
            " ('audit_location_secret', 'gone');"
            "insert into product values ('P', 'GTIN', 1, 'X', 'x')"
        )
        await migrate(database.pool, "nmvs")
        settings = await database.pool.fetch("select name, value from system")
        assert {row["name"]: row["value"] for row in settings} == {"location_token_secret": "kept"}
        assert await database.pool.fetchval("select article_fields::text from product") == "{}"
    finally:
        await database.close()
