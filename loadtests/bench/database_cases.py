"""What PostgreSQL gives to anybody: pgbench with update + insert, COPY in and out of our tables.

The tables are copies of a market's own, made with all that belongs to them.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.postgres_binaries import locate_binaries
from loadtests.bench.closed_loop import LoadError

PGBENCH_CLIENTS: Final = 32
_TPS: Final = re.compile(r"tps = ([0-9.]+) \(without|tps = ([0-9.]+)")
_DONE: Final = re.compile(r"number of transactions actually processed: (\d+)")
_FAILED: Final = re.compile(r"number of failed transactions: (\d+)")
_SECONDS_MIN: Final = 4
"""Its 32 clients log in within this time, too."""
_CHUNK_BYTES: Final = 1 << 20
_S_MAX: Final = 600.0

# As the ledger writes, but for the sharing of commits: one pack changed, one entry appended.
_TRANSACTION: Final = """\
\\set number random(1, {packs})
begin;
update {schema}.pack p set state = 2, set_by = 1, set_at_s = 1700000000, version = version + 1
 from {schema}.numbered n where n.number = :number and p.pack_key = n.pack_key;
insert into {schema}.trail (pack_key, recorded_at, transaction_id, location_number, operation,
 outcome, state_before, state_after, manual, dialect, equipment)
 select pack_key, now(), gen_random_uuid(), 1, 2, 2, 1, 2, false, 'rest', 'bench'
 from {schema}.numbered where number = :number;
commit;
"""
_MAKE: Final = """\
create schema {schema};
create table {schema}.pack (like {source}.pack including all) with (fillfactor = 85);
create table {schema}.trail (like {source}.trail including all) partition by range (recorded_at);
create table {schema}.trail_default partition of {schema}.trail default;
insert into {schema}.pack select * from {source}.pack limit {packs};
create table {schema}.numbered as
 select (row_number() over ())::integer as number, pack_key from {schema}.pack;
create unique index on {schema}.numbered (number) include (pack_key);
"""


class PgBench:
    """Update + insert per transaction, on tables of its own in the same server."""

    def __init__(self, server: EmbeddedPostgres, folder: Path) -> None:
        self._server = server
        self._schema = "pgbench"
        self._script = folder / "pgbench.sql"
        self.name = "pgbench"
        self._program = locate_binaries(None).bin_dir / "pgbench"

    @property
    def is_here(self) -> bool:
        """Whether the server's binaries have the program."""
        return self._program.exists()

    async def prepare(self, source: str, packs: int) -> None:
        """Make the tables with packs of a market's schema."""
        connection = await asyncpg.connect(self._server.dsn("emvs"))
        try:
            text = _MAKE.format(schema=self._schema, source=f'"{source}"', packs=packs)
            await connection.execute(text, timeout=_S_MAX)
            for table in ("pack", "numbered"):
                await connection.execute(f"vacuum analyze {self._schema}.{table}", timeout=_S_MAX)
        finally:
            await connection.close()
        self._script.write_text(_TRANSACTION.format(schema=self._schema, packs=packs))

    async def run(self, seconds: float) -> float:
        """Return transactions per second."""
        before = await self._entries()
        process = await asyncio.create_subprocess_exec(
            str(self._program),
            "--no-vacuum",
            "--protocol=prepared",
            f"--client={PGBENCH_CLIENTS}",
            "--jobs=1",
            f"--time={max(_SECONDS_MIN, round(seconds))}",
            f"--file={self._script}",
            self._server.dsn("emvs"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await asyncio.wait_for(process.communicate(), seconds + 60)
        text = output.decode()
        found, done, failed = _TPS.search(text), _DONE.search(text), _FAILED.search(text)
        if process.returncode or not (found and done) or (failed and int(failed[1])):
            raise LoadError(f"pgbench failed: {text} {errors.decode()}")
        written = await self._entries() - before
        if written != int(done[1]):
            raise LoadError(f"pgbench tells {done[1]} transactions, {written} are stored")
        return float(found[1] or found[2])

    async def _entries(self) -> int:
        connection = await asyncpg.connect(self._server.dsn("emvs"))
        try:
            return int(
                await connection.fetchval(f"select count(*) from {self._schema}.trail")  # noqa: S608
            )
        finally:
            await connection.close()


async def copy_out_rate(server: EmbeddedPostgres, schema: str) -> float:
    """Return the rows per second of a binary COPY of what a cold start reads, thrown away."""
    connection = await asyncpg.connect(server.dsn("emvs"))

    async def throw_away(_: bytes) -> None:
        return

    try:
        begun = time.perf_counter()
        told = await connection.copy_from_query(
            "select pack_key, state, set_by, set_at_s, repeat_count, version, batch_number"  # noqa: S608
            f' from "{schema}".pack',
            output=throw_away,
            format="binary",
            timeout=_S_MAX,
        )
        return int(told.split()[1]) / (time.perf_counter() - begun)
    finally:
        await connection.close()


async def copy_in_rate(server: EmbeddedPostgres, schema: str, packs: int) -> float:
    """Return the rows per second of a binary COPY of a market's packs into an empty copy of its
    table, indexes and all."""
    connection = await asyncpg.connect(server.dsn("emvs"))
    rows = bytearray()

    async def keep(chunk: bytes) -> None:
        rows.extend(chunk)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(rows), _CHUNK_BYTES):
            yield bytes(memoryview(rows)[start : start + _CHUNK_BYTES])

    columns = ("pack_key", "serial_number", "batch_number")
    try:
        await connection.copy_from_query(
            f'select {", ".join(columns)} from "{schema}".pack'  # noqa: S608 - names of ours.
            " order by batch_number, serial_number limit $1",
            packs,
            output=keep,
            format="binary",
            timeout=_S_MAX,
        )
        await connection.execute(
            f'create table copied_in (like "{schema}".pack including all) with (fillfactor = 85)'
        )
        begun = time.perf_counter()
        told = await connection.copy_to_table(
            "copied_in", source=chunks(), columns=columns, format="binary", timeout=_S_MAX
        )
        seconds = time.perf_counter() - begun
        assert told == f"COPY {packs}", told
        await connection.execute("drop table copied_in")
        return packs / seconds
    finally:
        await connection.close()
