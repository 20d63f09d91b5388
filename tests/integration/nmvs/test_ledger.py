"""The ledger's rows arrive as they were given, whatever text is in them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from emvs.infra.database import Database
from emvs.infra.migrations import migrate
from nmvs.ledger import AlertEntry, Entry, Ledger, PackChange, PackConflictError
from tests.integration.clients import RestTill
from tests.integration.running import RunningSystem

TEXTS = ["", "plain-1", 'a"b\\c', "{(1,2)}", " blank ", "null", "NULL", "ü€\U0001f48a\n\t", "'"]


@pytest.fixture
async def database(dsn: str, schema_name: str) -> AsyncIterator[Database]:
    """An empty schema of a national system."""
    opened = Database(dsn, schema_name, connections_max=2)
    await opened.open()
    await migrate(opened.pool, "nmvs")
    yield opened
    await opened.close()


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    """A ledger whose groups a test writes itself."""

    async def on_failure(_: list[Entry], error: BaseException) -> None:
        raise error

    opened = Ledger(database.connect, on_failure, ownership_s_max=0.3)
    await opened.open()
    yield opened
    await opened.close()


def entry(number: int, **values: Any) -> Entry:
    """Return an entry about a pack of its own."""
    usual: dict[str, Any] = {
        "pack_key": number.to_bytes(16, "big"),
        "at_ms": 1_790_000_000_123,
        "transaction_id": f"{number:032x}",
        "location_number": 7,
        "operation": 1,
        "outcome": 2,
        "state_before": 1,
        "state_after": 2,
        "manual": False,
        "dialect": "rest",
        "client_transaction_id": None,
        "submitted": None,
        "change": None,
        "alert": None,
    }
    return Entry(**usual | values)


async def write(ledger: Ledger, *entries: Entry) -> None:
    """Write a group."""
    await ledger._write(list(entries))


async def test_any_text_is_recorded_as_it_was_given(ledger: Ledger, database: Database) -> None:
    await write(
        ledger,
        *(
            entry(
                number,
                manual=number % 2 == 1,
                client_transaction_id=text,
                submitted={"serialNumber": text, "batchId": None},
                alert=AlertEntry(f"IE-{number}", "A3", text, {"x": text}, None),
                outgoing=text,
            )
            for number, text in enumerate(TEXTS)
        ),
        entry(99),
    )
    trail = await database.pool.fetch("select * from trail order by pack_key")
    assert [row["client_transaction_id"] for row in trail] == [*TEXTS, None]
    assert [row["manual"] for row in trail][:2] == [False, True]
    submitted = [row["submitted"] and json.loads(row["submitted"]) for row in trail]
    assert submitted == [*({"serialNumber": text, "batchId": None} for text in TEXTS), None]
    assert [row["alert_id"] for row in trail][-2:] == [f"IE-{len(TEXTS) - 1}", None]
    assert trail[0]["recorded_at"].timestamp() == 1_790_000_000.123
    alerts = await database.pool.fetch("select * from alert order by pack_key")
    assert [row["product_code"] for row in alerts] == TEXTS
    assert [json.loads(row["submitted"])["x"] for row in alerts] == TEXTS
    assert {row["stored"] for row in alerts} == {None}
    outgoing = await database.pool.fetch("select change from outgoing_change order by pack_key")
    assert [row["change"] for row in outgoing] == TEXTS


@pytest.mark.parametrize("with_alert", [False, True])
async def test_a_pack_at_another_version_leaves_nothing_of_the_group(
    ledger: Ledger, database: Database, with_alert: bool
) -> None:
    await database.pool.executemany(
        "insert into pack (pack_key, serial_number, batch_number) values ($1, 'S', 1)",
        [(entry(number).pack_key,) for number in (1, 2)],
    )
    alert = AlertEntry("IE-1", "A3", "C", {}, None) if with_alert else None
    await write(ledger, entry(1, change=PackChange(0, 1, 2, 7, 5, 0), alert=alert))
    with pytest.raises(PackConflictError):
        await write(
            ledger,
            entry(2, change=PackChange(0, 1, 2, 7, 5, 0)),
            entry(1, transaction_id="f" * 32, change=PackChange(0, 1, 4, 8, 9, 0)),
            entry(3, alert=alert and alert._replace(alert_id="IE-2")),
        )
    packs = await database.pool.fetch("select state, set_by, version from pack order by pack_key")
    assert [tuple(row) for row in packs] == [(2, 7, 1), (1, 0, 0)]
    assert await database.pool.fetchval("select count(*) from trail") == 1
    assert await database.pool.fetchval("select count(*) from alert") == int(with_alert)


async def test_sizes_and_waits_of_groups_are_metrics(national_system: RunningSystem) -> None:
    running = national_system
    (serial,) = await running.load_packs(1)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    for _ in range(3):
        await till.ask(running.product_code, serial, "LOT1", "301231")
    async with running.http.get(f"{running.management}/metrics") as response:
        lines = (await response.text()).splitlines()
    assert 'nmvs_ledger_group_entries_bucket{le="1"} 3.0' in lines
    assert "nmvs_ledger_group_entries_sum 3.0" in lines
    assert "nmvs_ledger_group_wait_seconds_count 3.0" in lines
    assert 'nmvs_operation_seconds_count{operation="VERIFY"} 3.0' in lines
    assert 'nmvs_operation_ledger_seconds_count{operation="VERIFY"} 3.0' in lines
