"""What PostgreSQL gives to anybody: pgbench with update + insert, COPY in and out of our tables.

The tables are copies of a market's own, made with all that belongs to them.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.postgres_binaries import locate_binaries
from loadtests import processes
from loadtests.bench.errors import LoadError

PGBENCH_CLIENTS: Final = 32
_TPS: Final = re.compile(r"tps = ([0-9.]+) \(without|tps = ([0-9.]+)")
_DONE: Final = re.compile(r"number of transactions actually processed: (\d+)")
_FAILED: Final = re.compile(r"number of failed transactions: (\d+)")
_SECONDS_MIN: Final = 4
"""Its 32 clients log in within this time, too."""
_CHUNK_BYTES: Final = 1 << 20
_S_MAX: Final = 600.0

# As the ledger writes, but for the sharing of commits: one pack changed, one entry appended. The
# key is worked out from the number that pgbench draws.
_UPDATE: Final = """\
update {schema}.pack set state = 2, set_by = 1, set_at_s = 1700000000, version = version + 1
 where pack_key = md5(:number::text)::uuid"""
_INSERT: Final = """\
insert into {schema}.trail (pack_key, recorded_at, transaction_id, location_number, operation,
 outcome, state_before, state_after, manual, dialect, equipment)"""
_VALUES: Final = "now(), gen_random_uuid(), 1, 2, 2, 1, 2, false, 'rest', 'bench'"
_CHANGED: Final = f"with changed as ({_UPDATE} returning pack_key)"
_DRAW: Final = "\\set number random(1, {packs})\n"
UPDATE_INSERT: Final = "pgbench update + insert"
ONE_STATEMENT: Final = "pgbench, one statement"
_TRANSACTIONS: Final = {
    UPDATE_INSERT: f"begin;\n{_UPDATE};\n{_INSERT}\n"
    f" values (md5(:number::text)::uuid, {_VALUES});\ncommit;\n",
    ONE_STATEMENT: f"{_CHANGED}\n{_INSERT}\n select pack_key, {_VALUES} from changed;\n",  # noqa: S608
}
"""By name: four statements as goals name it, and the two in one round trip."""
_MAKE: Final = """\
create schema {schema};
create table {schema}.pack (like {source}.pack including all) with (fillfactor = 85);
create table {schema}.trail (like {source}.trail including all) partition by range (recorded_at);
create table {schema}.trail_default partition of {schema}.trail default;
insert into {schema}.pack
 select md5(row_number() over ()::text)::uuid, serial_number, batch_number, state, set_by, set_at_s,
 repeat_count, version from (select * from {source}.pack limit {packs}) as source;
"""


class PgBench:
    """Update + insert per transaction, on tables of its own in the same server."""

    def __init__(self, server: EmbeddedPostgres, folder: Path) -> None:
        self._server = server
        self._schema = "pgbench"
        self._folder = folder
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
        finally:
            await connection.close()
        for name, script in _TRANSACTIONS.items():
            text = (_DRAW + script).format(schema=self._schema, packs=packs)
            self._script(name).write_text(text)

    def _script(self, name: str) -> Path:
        return self._folder / f"pgbench-{list(_TRANSACTIONS).index(name)}.sql"

    async def run(self, name: str, seconds: float) -> float:
        """Return transactions per second of the form with this name."""
        await vacuum(self._server, self._schema)
        before = await self._entries()
        command = [
            str(self._program),
            "--no-vacuum",
            "--protocol=prepared",
            f"--client={PGBENCH_CLIENTS}",
            "--jobs=1",
            f"--time={max(_SECONDS_MIN, round(seconds))}",
            f"--file={self._script(name)}",
            self._server.dsn("emvs"),
        ]
        ended = await processes.run(command, seconds_max=max(_SECONDS_MIN, seconds) + 60)
        text = ended.output
        found, done, failed = _TPS.search(text), _DONE.search(text), _FAILED.search(text)
        if ended.code or not (found and done) or (failed and int(failed[1])):
            raise LoadError(f"pgbench failed: {text} {ended.errors}")
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


async def vacuum(server: EmbeddedPostgres, schema: str) -> None:
    """Tidy the packs and the trail of a schema up, so that no case pays for what another left."""
    connection = await asyncpg.connect(server.dsn("emvs"))
    try:
        for table in ("pack", "trail"):
            await connection.execute(f'vacuum analyze "{schema}".{table}', timeout=_S_MAX)
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
