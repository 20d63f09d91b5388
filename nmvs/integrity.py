"""Whether the index still equals the database, checked while both are in use.

The database is read in slices; a difference counts only if it is still there after the pack was
looked at a second time, when every write that was under way has ended.
"""

from __future__ import annotations

from typing import NamedTuple

from emvs.infra.database import Database
from emvs.pack import Pack
from nmvs.ledger import Ledger
from nmvs.pack_index import PackIndex
from nmvs.store import Store

_SLICE_COUNT = 5_000
_DIFFERENCES_MAX = 100
_ROUNDS_MAX = 20


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
                suspects += [row[0] for row in rows if _row(index, row[0]) != tuple(row[1:])][
                    : _DIFFERENCES_MAX * 10
                ]
    finally:
        await connection.close(timeout=5)
    differences = await _confirmed(suspects, index, store, ledger)
    return IntegrityReport(len(index), stored_count, differences[:_DIFFERENCES_MAX])


async def _confirmed(
    suspects: list[bytes], index: PackIndex, store: Store, ledger: Ledger
) -> list[str]:
    """Return the keys of packs that differ while nothing moves them.

    A pack that is the same in memory before everything submitted was written and after it was
    read must be the same on disk; one that has moved meanwhile is looked at again.
    """
    differences: list[str] = []
    for _ in range(_ROUNDS_MAX):
        before = {key: _row(index, key) for key in suspects}
        await ledger.settle()
        stored = await store.packs(suspects)
        still = [key for key in suspects if _row(index, key) == before[key]]
        differences += [key.hex() for key in still if before[key] != _tuple(stored.get(key))]
        suspects = [key for key in suspects if key not in set(still)]
        if not suspects:
            break
    return differences


def _row(index: PackIndex, key: bytes) -> tuple[int, ...] | None:
    row = index.find(key)
    return tuple(index.get(row)) if row >= 0 else None


def _tuple(stored: Pack | None) -> tuple[int, ...] | None:
    return None if stored is None else tuple(stored)
