"""What is held of a batch is found without reading the packs of all others."""

from __future__ import annotations

from emvs.infra.database import Database
from emvs.infra.migrations import migrate
from nmvs.batch_counts import PACKS_OF_BATCHES

PACKS, BATCHES = 100_000, 200


async def test_counting_one_batch_reads_a_part_of_the_packs(dsn: str, schema_name: str) -> None:
    database = Database(dsn, schema_name, connections_max=2)
    await database.open()
    try:
        pool = database.pool
        await migrate(pool, "nmvs")
        await pool.execute(
            "insert into pack (pack_key, serial_number, batch_number)"
            " select gen_random_uuid(), n::text, n * $2::int / $1::int"
            " from generate_series(0, $1::int - 1) as n",
            PACKS,
            BATCHES,
        )
        await pool.execute("vacuum (analyze) pack")
        pages = await pool.fetchval("select relpages from pg_class where oid = 'pack'::regclass")
        plan = await pool.fetch(
            f"explain (analyze, buffers, costs off, timing off) {PACKS_OF_BATCHES}",
            [BATCHES // 2],
        )
        text = "\n".join(row[0] for row in plan)
        blocks = next(row[0] for row in plan if "Heap Blocks" in row[0])
        assert int(blocks.rpartition("=")[2]) < pages / 5, text
        found = await pool.fetch(PACKS_OF_BATCHES, [BATCHES // 2])
        assert len(found) == PACKS // BATCHES
    finally:
        await database.close()
