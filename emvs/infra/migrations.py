"""Numbered `.sql` files, applied in order when a system starts.

Runs in one transaction under an advisory lock, so any number of processes may start at once. A
file that was applied may not change afterwards: its checksum is kept.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any

import asyncpg

from emvs.errors import ConfigurationError

_TABLE = """
create table if not exists migration (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
)
"""


async def migrate(
    pool: asyncpg.Pool[asyncpg.Record], package: str, folder: str = "sql/migrations"
) -> list[str]:
    """Apply what `package`'s folder holds and the schema lacks; return the names applied.

    Raises ConfigurationError if an applied file has changed or the schema is newer than the code.
    """
    files = {
        entry.name: entry.read_text("utf-8")
        for entry in resources.files(package).joinpath(folder).iterdir()
        if entry.name.endswith(".sql")
    }
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(7165002)")
        await connection.execute(_TABLE)
        known: dict[str, str] = {
            row["name"]: row["checksum"]
            for row in await connection.fetch("select name, checksum from migration")
        }
        if newer := sorted(known.keys() - files.keys()):
            raise ConfigurationError(
                f"the database was written by a newer version (it has {newer[-1]}): use that"
                " version, or another data directory"
            )
        return [
            name
            for name in sorted(files)
            if await _apply(connection, name, files[name], known.get(name))
        ]


async def _apply(connection: Any, name: str, text: str, known: str | None) -> bool:
    checksum = hashlib.sha256(text.encode()).hexdigest()
    if known == checksum:
        return False
    if known is not None:
        raise ConfigurationError(
            f"migration {name} was changed after it had been applied: use the version that made"
            " this database, or another data directory"
        )
    await connection.execute(text)
    await connection.execute(
        "insert into migration (name, checksum) values ($1, $2)", name, checksum
    )
    return True
