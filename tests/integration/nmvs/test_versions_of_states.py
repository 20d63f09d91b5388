"""Packs stored when a version still counted every write keep the version of their state."""

from __future__ import annotations

from pathlib import Path

import asyncpg

import nmvs
from tests.integration.running import RunningSystem

MIGRATION = Path(nmvs.__file__).parent / "sql" / "migrations" / "0013_versions_of_states.sql"


# Version and repeats as they were stored, and the version that comes of them.
ROWS = [
    (0, 0, 0),  # Never changed.
    (1, 0, 1 << 4),
    (3, 2, 1 << 4),  # Changed once, repeated twice.
    (1, 2, 4095 << 4),  # Has wrapped.
    (65_535, 0, 4095 << 4),
]


async def test_stored_versions_are_converted(
    national_system: RunningSystem, dsn: str, schema_name: str
) -> None:
    await national_system.load_packs(len(ROWS))
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"set search_path to {schema_name}_ie")
        keys = [row["pack_key"] for row in await connection.fetch("select pack_key from pack")]
        rows = [(key, *row) for key, row in zip(keys, ROWS, strict=True)]
        await connection.executemany(
            "update pack set version = $2, repeat_count = $3 where pack_key = $1",
            [row[:3] for row in rows],
        )
        await connection.execute(MIGRATION.read_text())
        stored = dict(await connection.fetch("select pack_key, version from pack"))
    finally:
        await connection.close()
    assert stored == {key: converted for key, _, _, converted in rows}
