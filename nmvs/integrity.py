"""Whether the index still equals the database, checked while both are in use.

The database is read in slices; a difference counts only if it is still there after the pack was
looked at a second time, when every write that was under way has ended.
"""

from __future__ import annotations

from typing import NamedTuple

from emvs.infra.database import Database
from emvs.pack import Pack
from emvs.states import State
from nmvs.ledger import Ledger
from nmvs.pack_index import PackIndex
from nmvs.store import Store

_SLICE_COUNT = 5_000
_DIFFERENCES_MAX = 100


class IntegrityReport(NamedTuple):
    """What was compared, and the keys (hexadecimal) of packs that differ, at most a hundred."""

    indexed_count: int
    stored_count: int
    differences: list[str]


async def compare_index_with_database(
    index: PackIndex, store: Store, database: Database, ledger: Ledger
) -> IntegrityReport:
    """Compare every stored pack with the index, and the counts with each other."""
    suspects: list[bytes] = []
    stored_count = 0
    connection = await database.connect()
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            cursor = await connection.cursor(
                "select pack_key, state, set_by, set_at_s, repeat_count, version, batch_number"
                " from pack"
            )
            while rows := await cursor.fetch(_SLICE_COUNT):
                stored_count += len(rows)
                suspects += [
                    row[0]
                    for row in rows
                    if not _same(index, row[0], Pack(State(row[1]), *row[2:]))
                ][: _DIFFERENCES_MAX * 10]
    finally:
        await connection.close(timeout=5)
    await ledger.settle()
    stored = await store.packs(suspects)
    differences = [
        key.hex() for key in suspects if key not in stored or not _same(index, key, stored[key])
    ]
    return IntegrityReport(len(index), stored_count, differences[:_DIFFERENCES_MAX])


def _same(index: PackIndex, key: bytes, stored: Pack) -> bool:
    row = index.find(key)
    return row >= 0 and tuple(index.get(row)) == tuple(stored)
