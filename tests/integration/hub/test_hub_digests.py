"""Digests of uploads: made behind the upload's back, or when somebody asks for them first."""

from __future__ import annotations

import asyncio

from emvs.batch_digest import BatchDigest
from tests.integration.hub.stand import CODE, StartStand

SERIALS = ["A1", "B2", "C3"]


async def test_a_digest_that_is_asked_for_before_it_was_made_is_made_then(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    await stand.obp.packs(SERIALS)
    pool, digests = stand.hub.database.pool, stand.hub.digests
    async with asyncio.timeout(30):
        while await pool.fetchval("select count(*) from serial_quality where report is null"):
            await asyncio.sleep(0.02)
    expected = BatchDigest()
    expected.add_serials(digests.batch_key(CODE, "LOT1"), SERIALS)
    [(number, made)] = await pool.fetch("select request_number, digest from request_digest")
    assert made == expected.encoded()

    # As it is right after the upload.
    await pool.execute("delete from request_digest")
    await pool.execute("update serial_quality set report = null")
    await pool.execute(
        "insert into request_serials (request_number, serials) values ($1, $2)",
        number,
        b'["A1","B2","C3"]',
    )
    await digests.keep_of(pool, [CODE, CODE], ["OTHER", "LOT1"])
    [(of, again)] = await pool.fetch("select request_number, digest from request_digest")
    assert (of, again) == (number, made)
    await digests.keep_of(pool, [CODE], ["LOT1"])  # Once more does no harm.

    # And the report that is made afterwards takes the digest as it is.
    stand.hub.quality.bell.set()
    async with asyncio.timeout(30):
        while await pool.fetchval("select count(*) from request_serials"):
            await asyncio.sleep(0.02)
    assert await pool.fetchval("select count(*) from request_digest") == 1
