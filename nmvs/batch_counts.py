"""Counting what this market holds of batches, for the hub. Reads the database only.

All batches of a question are counted in one reading of the packs near them, in slices between which
the event loop runs; one question at a time.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
from aiohttp import web

from emvs.batch_counts import (
    BATCHES_PER_QUESTION_MAX,
    BatchCount,
    BatchCounts,
    BatchQuestion,
)
from emvs.batch_digest import KEY_BYTES, BatchDigest
from emvs.errors import BadRequestError
from emvs.infra.database import Database
from emvs.infra.web import decode_body, read_body
from emvs.states import State

_SLICE_COUNT: Final = 1_024
"""Packs read and hashed at a time: some three milliseconds, which a scan may have to wait."""
_BODY_BYTES_MAX: Final = 256 * 1024
_BODY_S_MAX: Final = 10.0
_BATCHES: Final = (
    "select asked.position::int - 1 as position, b.batch_number,"
    " b.recalled_at is not null as is_recalled, p.withdrawn_at is not null as is_withdrawn"
    " from unnest($1::text[], $2::text[]) with ordinality"
    " as asked (product_code, batch_id, position)"
    " join batch as b using (product_code, batch_id) join product as p using (product_code)"
)
PACKS_OF_BATCHES: Final = (
    "select batch_number, state, serial_number from pack where batch_number = any($1::int[])"
)


class BatchCounting:
    """Counts batches."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._one_at_a_time = asyncio.Lock()

    async def count(self, question: BatchQuestion) -> BatchCounts:
        """Return what is held of each batch. Raises BadRequestError."""
        keys = _keys(question)
        async with self._one_at_a_time:
            return await self._count(question, keys)

    async def _count(self, question: BatchQuestion, keys: list[bytes]) -> BatchCounts:
        counts = [
            BatchCount(batch.productCode, batch.batchId, isKnown=False)
            for batch in question.batches
        ]
        digests = [BatchDigest() for _ in counts]
        async with (
            self._database.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            known = await connection.fetch(
                _BATCHES,
                [batch.productCode for batch in question.batches],
                [batch.batchId for batch in question.batches],
            )
            positions = {}
            for row in known:
                count = counts[row["position"]]
                count.isKnown = True
                count.isRecalled, count.isWithdrawn = row["is_recalled"], row["is_withdrawn"]
                positions[row["batch_number"]] = row["position"]
            packs = (
                await connection.cursor(PACKS_OF_BATCHES, list(positions)) if positions else None
            )
            while packs is not None and (rows := await packs.fetch(_SLICE_COUNT)):
                serials: dict[int, list[str]] = {}
                for batch_number, state, serial_number in rows:
                    position = positions[batch_number]
                    name = State(state).name
                    states = counts[position].states
                    states[name] = states.get(name, 0) + 1
                    serials.setdefault(position, []).append(serial_number)
                for position, some in serials.items():
                    digests[position].add_serials(keys[position], some)
                await asyncio.sleep(0)
        for count, digest in zip(counts, digests, strict=True):
            count.digest = digest.encoded()
        return BatchCounts(counts)


def add_batch_counts_route(app: web.Application, counting: BatchCounting) -> None:
    """Add `POST /hub/v1/batch-counts` to the port that the hub talks to."""

    async def batch_counts(request: web.Request) -> web.Response:
        body = await read_body(request, bytes_max=_BODY_BYTES_MAX, timeout_s=_BODY_S_MAX)
        counts = await counting.count(decode_body(body, BatchQuestion))
        # Its digests are bytes, which are base64 in JSON.
        return web.Response(body=msgspec.json.encode(counts), content_type="application/json")

    app.router.add_post("/hub/v1/batch-counts", batch_counts)


def _keys(question: BatchQuestion) -> list[bytes]:
    if len(question.batches) > BATCHES_PER_QUESTION_MAX:
        raise BadRequestError(f"at most {BATCHES_PER_QUESTION_MAX} batches are counted at once")
    names = {(batch.productCode, batch.batchId) for batch in question.batches}
    if len(names) < len(question.batches):
        raise BadRequestError("a batch is asked for once")
    try:
        keys = [bytes.fromhex(batch.key) for batch in question.batches]
    except ValueError as error:
        raise BadRequestError("a key is hexadecimal") from error
    if any(len(key) != KEY_BYTES for key in keys):
        raise BadRequestError(f"a key has {KEY_BYTES} bytes")
    return keys
