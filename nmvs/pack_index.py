"""Every pack of a national system in memory: found by its key in about a microsecond.

The heart of the hot path (find → decide → set, with no `await` in between). It belongs to one
thread and does no I/O: the database is the truth, and loading from it and comparing with it are
the caller's. Rules on packs must not enter here; a state is a small number.

Memory per pack, everything counted: 32 bytes for its record (`pack_rows`) and 6.7 for its slots
(`slot_table`). No call stops the event loop for long, as nothing is ever copied as a whole.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nmvs.pack_keys import KEY_BYTES
from nmvs.pack_rows import (
    RECORD,
    VERSION_LIMIT,
    Bools,
    Int64s,
    PackColumns,
    PackIndexFullError,
    PackRow,
    PackRows,
    Uint64s,
)
from nmvs.slot_probe import RECORD_LIMIT
from nmvs.slot_table import MOVE_SLOTS_MIN, SLOTS_MIN, SlotTable

__all__ = [
    "PACKS_MAX",
    "SLICE_COUNT_MAX",
    "VERSION_LIMIT",
    "PackAlreadyIndexedError",
    "PackColumns",
    "PackIndex",
    "PackIndexFullError",
    "PackRow",
]

PACKS_MAX: Final = RECORD_LIMIT - 1
"""A slot has 27 bits for the record: 134 million packs."""

SLICE_COUNT_MAX: Final = 8_192
"""Packs to pass in one call from an event loop: some 6 ms, and 20 ms at the longest, with 10^7
packs on a core of one's own (measured by `python -m loadtests.index_bench`)."""

Column: TypeAlias = NDArray[np.integer]
Numbers: TypeAlias = int | Column
"""One number for all packs of a call, or an array with one for each."""
Keys: TypeAlias = bytes | Uint64s
"""16 bytes for each pack, or as many pairs of words."""


class PackAlreadyIndexedError(Exception):
    """A pack with this key is in the index, in `row`; nothing was changed."""

    def __init__(self, *, row: int) -> None:
        super().__init__(f"the pack is in the index already, in row {row}")
        self.row = row


def _pairs_of(keys: Keys) -> Uint64s:
    if isinstance(keys, bytes):
        return np.frombuffer(keys, np.uint64).reshape(-1, 2)
    return keys


class _WriteStatus(Protocol):
    def __call__(  # noqa: PLR0917 - as in PackRows.set
        self, row: int, state: int, set_by: int, set_at_s: int, repeat_count: int, version: int
    ) -> None: ...


class PackIndex:
    """Packs by key. A row number is valid until its pack is removed; packs never move.

    The memory for `packs_max` packs is reserved, not used: each page costs when it is needed.
    `slots_min` and `move_slots_min` make small tables for tests.
    """

    __slots__ = ("_rows", "_table", "find", "get", "key_of", "set")

    find: Callable[[bytes], int]
    """The row of the pack with this key of 16 bytes, or -1."""
    get: Callable[[int], PackRow]
    """What is known of the pack in a row. Raises IndexError for a number beyond all rows."""
    set: _WriteStatus
    """Writes what changes in the life of a pack. Ranges: `PackRow`."""
    key_of: Callable[[int], bytes]
    """The key of the pack in a row. Raises IndexError for a number beyond all rows."""

    def __init__(
        self,
        packs_max: int = PACKS_MAX,
        *,
        slots_min: int = SLOTS_MIN,
        move_slots_min: int = MOVE_SLOTS_MIN,
    ) -> None:
        if not 1 <= packs_max <= PACKS_MAX:
            raise ValueError(f"packs_max is {packs_max}; it must be from 1 to {PACKS_MAX}")
        self._rows = PackRows(packs_max)
        self._table = SlotTable(self._rows, slots_min=slots_min, move_slots_min=move_slots_min)
        # Bound once: a method that only passes on would be a tenth of the look-up.
        self.find = self._table.find
        self.get = self._rows.get
        self.set = self._rows.set
        self.key_of = self._rows.key_of

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def packs_max(self) -> int:
        return self._rows.packs_max

    @property
    def rows_stop(self) -> int:
        """One more than the highest row in use: the end for a walk with `rows`."""
        return self._rows.top

    def insert(
        self,
        key: bytes,
        batch_number: int,
        *,
        state: int = 0,
        set_by: int = 0,
        set_at_s: int = 0,
        repeat_count: int = 0,
        version: int = 0,
    ) -> int:
        """Insert one pack; gives its row.

        Raises PackAlreadyIndexedError or PackIndexFullError, with nothing changed.
        """
        existing_row = self.find(key)
        if existing_row >= 0:
            raise PackAlreadyIndexedError(row=existing_row)
        words = tuple(np.frombuffer(key, np.uint64))
        # Made before anything is taken, as numpy refuses a number that is too large.
        record = np.array(
            (words, batch_number, set_by, set_at_s, version, state, repeat_count), RECORD
        )
        row = int(self._rows.allocate(1)[0])
        self._rows.records[row] = record
        self._table.make_room(len(self._rows))
        self._table.put(row, key)
        return row

    def insert_many(
        self,
        keys: Keys,
        batch_numbers: Numbers,
        *,
        states: Numbers = 0,
        set_by: Numbers = 0,
        set_at_s: Numbers = 0,
        repeat_counts: Numbers = 0,
        versions: Numbers = 0,
    ) -> Bools:
        """Insert packs; gives a mask of those inserted.

        A pack whose key is in the index, or earlier in `keys`, is left out and changes nothing.
        Pass `SLICE_COUNT_MAX` packs at a time and let the event loop run in between. Raises
        PackIndexFullError, with nothing inserted, if not all new packs find room. Numbers in
        arrays are cast to the width of their field: their ranges are the caller's business.
        """
        pairs = _pairs_of(keys)
        values = {
            "batch_number": batch_numbers,
            "set_by": set_by,
            "set_at_s": set_at_s,
            "version": versions,
            "state": states,
            "repeat_count": repeat_counts,
        }
        columns = {
            name: np.broadcast_to(np.asarray(value, RECORD[name]), len(pairs))
            for name, value in values.items()
        }
        if len(self) + len(pairs) <= self.packs_max:
            return self._insert_slices(pairs, columns)
        # Nearly full: worth the time to sort out beforehand which packs are new.
        new = self._first_of_new(pairs)
        inserted = np.zeros(len(pairs), np.bool_)
        inserted[new] = self._insert_slices(
            pairs[new], {name: column[new] for name, column in columns.items()}
        )
        return inserted

    def _insert_slices(self, pairs: Uint64s, columns: Mapping[str, Column]) -> Bools:
        inserted = np.zeros(len(pairs), np.bool_)
        for start in range(0, len(pairs), SLICE_COUNT_MAX):
            part = slice(start, start + SLICE_COUNT_MAX)
            part_columns = {name: column[part] for name, column in columns.items()}
            inserted[part] = self._insert_slice(pairs[part], part_columns)
        return inserted

    def _first_of_new(self, pairs: Uint64s) -> Int64s:
        """Where keys not in the index are first met. Raises PackIndexFullError if too many."""
        new = np.flatnonzero(self._table.find_many(pairs) < 0)
        _, firsts = np.unique(pairs[new], axis=0, return_index=True)
        if len(self) + len(firsts) > self.packs_max:
            raise PackIndexFullError(packs_max=self.packs_max)
        return new[np.sort(firsts)]

    def _insert_slice(self, pairs: Uint64s, columns: Mapping[str, Column]) -> Bools:
        """Write the keys, let the table choose who is new, then write the rest for those."""
        rows = self._rows.allocate(len(pairs))
        records = self._rows.records
        records["key"][self._rows.slice_of(rows)] = pairs
        self._table.make_room(len(self._rows))
        inserted, positions = self._table.put_many(pairs, rows)
        count = int(np.count_nonzero(inserted))
        if count < len(pairs):
            # The first rows are for the packs that are new, the others are given back.
            kept = rows[:count]
            records["key"][kept] = pairs[inserted]
            self._table.renumber(positions[inserted], kept)
            self._rows.give_back(rows[count:])
            rows = kept
        where = self._rows.slice_of(rows)
        for name, column in columns.items():
            records[name][where] = column if count == len(pairs) else column[inserted]
        return inserted

    def find_many(self, keys: Keys) -> Int64s:
        """For each key the row of its pack, or -1."""
        return self._table.find_many(_pairs_of(keys))

    def remove_many(self, keys: Keys) -> int:
        """Remove the packs with these keys; gives how many there were.

        For retention, not for the hot path: some 4 µs each, so pass a few thousand at a time.
        Their rows are used again by later insertions; memory does not shrink.
        """
        key_bytes = keys if isinstance(keys, bytes) else np.ascontiguousarray(keys).tobytes()
        rows = [
            self._table.erase(key_bytes[start : start + KEY_BYTES])
            for start in range(0, len(key_bytes), KEY_BYTES)
        ]
        removed = np.array([row for row in rows if row >= 0], np.int64)
        self._rows.release(removed)
        return len(removed)

    def rows(self, start: int, stop: int) -> PackColumns:
        """The packs in rows `start` to `stop`, as copies; removed rows are left out.

        A walk from 0 to `rows_stop` in slices, others running in between, sees every pack that
        was there all the time exactly once, as packs keep their rows.
        """
        return self._rows.columns(start, stop)

    def records_of(self, rows: Int64s) -> NDArray[Any]:
        """Copies of the packs in these rows, as `pack_rows.RECORD`."""
        return self._rows.records[rows]

    def make_room(self, packs: int) -> None:
        """Prepare for `packs` packs in all, more by `SLICE_COUNT_MAX` at most with each call.

        Insertions do it themselves; whoever knows of them beforehand spares them half their time.
        """
        self._table.make_room(min(packs, self.packs_max))

    def reserve(self, packs: int) -> None:
        """Prepare for `packs` packs, for a cold start: bulk insertion is then twice as fast.

        Takes as long as moving all packs present, so call it while there are few.
        """
        self._table.reserve(min(packs, self.packs_max))

    def clear(self) -> None:
        """Remove all packs and give the memory back."""
        self._table.clear()
        self._rows.clear()

    def memory_bytes(self) -> int:
        """Bytes of memory used: records, slots, free list and the objects around them."""
        return self._rows.memory_bytes() + self._table.memory_bytes() + sys.getsizeof(self)
