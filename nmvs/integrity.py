"""Whether the index still equals the database, checked while both are in use.

The database is read in slices, others having a turn in between; a difference counts only if it is
still there after the pack was looked at a second time, when every write that was under way has
ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Final, NamedTuple

from emvs.pack import Pack
from nmvs.ledger import Ledger
from nmvs.pack_copy import PackReader, keys_that_differ
from nmvs.pack_index import PackIndex
from nmvs.store import Store

_DIFFERENCES_MAX: Final = 100
_SUSPECTS_AT_ONCE: Final = 1_000
"""Packs that are looked at a second time together; under load many have only moved meanwhile."""
_ROUNDS_MAX: Final = 20


class IntegrityReport(NamedTuple):
    """What was compared, and the keys (hexadecimal) of packs that differ, at most a hundred."""

    indexed_count: int
    stored_count: int
    differences: list[str]
    seconds: float


async def compare_index_with_database(
    index: PackIndex, store: Store, ledger: Ledger
) -> IntegrityReport:
    """Compare every stored pack with the index, and the counts with each other.

    No packs may be added or removed meanwhile; operations on packs may go on.
    """
    begun = monotonic()
    suspects: list[bytes] = []
    differences: list[str] = []
    reader = PackReader(lambda rows: suspects.extend(keys_that_differ(index, rows)))

    async def feed(chunk: bytes) -> None:
        await reader.feed(chunk)
        if len(suspects) >= _SUSPECTS_AT_ONCE:
            await look_again()

    async def look_again() -> None:
        if len(differences) < _DIFFERENCES_MAX:
            differences.extend(await _confirmed(suspects, index, store, ledger))
        suspects.clear()

    await store.copy_packs_out(feed)
    await look_again()
    return IntegrityReport(
        len(index),
        reader.read_count,
        differences[:_DIFFERENCES_MAX],
        round(monotonic() - begun, 3),
    )


async def _confirmed(
    suspects: Sequence[bytes], index: PackIndex, store: Store, ledger: Ledger
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
        settled = set(still)
        suspects = [key for key in suspects if key not in settled]
        if not suspects:
            break
    return differences


def _row(index: PackIndex, key: bytes) -> tuple[int, ...] | None:
    row = index.find(key)
    return tuple(index.get(row)) if row >= 0 else None


def _tuple(stored: Pack | None) -> tuple[int, ...] | None:
    return None if stored is None else tuple(stored)
