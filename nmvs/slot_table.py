"""Where a pack lies: the hash table from keys to records, 4 bytes a slot, growing without a pause.

A pack's home is its hash scaled to the capacity, `hash * capacity >> 30`; it lies there or, by
linear probing, in the next free slot behind.

Scaling keeps homes in the order of the hashes, whatever the capacity. So the table grows by being
moved from front to back into a region a quarter larger, a bit further with each insertion: hashes
below `_frontier` lie in the next region, the others still in the current one. The move keeps pace
with the number of packs, so that there are 5/3 slots for each pack at any time: no moment with
two full tables, and no insertion that pays for all. Emptied pages go back to the system. (Linear
hashing with partial expansions, P.-Å. Larson, 1980, in the variant that keeps the order.)

No rule on packs and no field but the key must enter here.
"""

from __future__ import annotations

import struct
import sys
from typing import Final

import numpy as np

from nmvs.pack_rows import WORDS_PER_RECORD, Bools, Int64s, PackRows, Uint32s, Uint64s
from nmvs.reserved_memory import PAGE_BYTES, ReservedMemory
from nmvs.slot_probe import RECORD_LIMIT, RECORD_MASK, TAG_MASK, WINDOW_SLOTS, SlotProbe

_HASH_BITS: Final = 30
"""Below 2^30 CPython keeps a number in one digit, which makes the look-up's arithmetic faster."""
_HASH_SHIFT: Final = 64 - _HASH_BITS
_HASH_LIMIT: Final = 1 << _HASH_BITS
_HASH_MASK: Final = (_HASH_LIMIT - 1) << _HASH_SHIFT

_SLOTS_PER_PACK: Final = (5, 3)
"""As a fraction. While a move runs, loads are between 0.48 (moved) and 0.75 (not yet)."""
_GROWTH: Final = (5, 4)

_PAGE_SLOTS: Final = PAGE_BYTES // 4
SLOTS_MIN: Final = 4 * _PAGE_SLOTS
"""The capacity at the beginning."""
MOVE_SLOTS_MIN: Final = _PAGE_SLOTS
"""Slots moved in one step at least, as a step costs some 40 µs whatever it moves."""
_MOVE_SLOTS: Final = 65_536
"""Slots moved in one step where nobody waits; it bounds the memory for the step."""

_WORDS_OF_KEY: Final = struct.Struct("=QQ").unpack


def _packs_for(capacity: int) -> int:
    return capacity * _SLOTS_PER_PACK[1] // _SLOTS_PER_PACK[0]


def _capacity_for(packs: int) -> int:
    return -(-packs * _SLOTS_PER_PACK[0] // _SLOTS_PER_PACK[1])


class SlotTable:
    """The slots of `rows`. The caller writes a pack's key into its record before it puts it here.

    Tests that want small tables and moves set `slots_min` and `move_slots_min`.
    """

    __slots__ = (
        "_array",
        "_base",
        "_capacity",
        "_capacity_max",
        "_emptied_slots",
        "_frontier",
        "_memory",
        "_move_slots_min",
        "_moved",
        "_next_base",
        "_next_capacity",
        "_probe",
        "_record_words",
        "_region_slots",
        "_room",
        "_rows",
        "_slots",
        "_slots_min",
    )

    def __init__(
        self, rows: PackRows, *, slots_min: int = SLOTS_MIN, move_slots_min: int = MOVE_SLOTS_MIN
    ) -> None:
        self._rows = rows
        self._record_words = rows.words
        self._slots_min = slots_min
        self._move_slots_min = move_slots_min
        self._capacity_max = max(_capacity_for(rows.packs_max), slots_min)
        # Behind the last home there is room for all packs: even if every key hashed to the
        # highest value, probing would never leave the region, and so never has to wrap.
        region_slots = self._capacity_max + rows.packs_max + 1
        self._region_slots = -(-region_slots // _PAGE_SLOTS) * _PAGE_SLOTS
        self._memory = ReservedMemory((2 * self._region_slots + WINDOW_SLOTS) * 4)
        self._slots = memoryview(self._memory.buffer).cast("I")
        self._array: Uint32s = np.frombuffer(self._memory.buffer, np.uint32)
        self._probe = SlotProbe(rows.word_array, self._array)
        self._reset()

    def _reset(self) -> None:
        self._base = 0
        self._capacity = self._slots_min
        self._next_base = 0
        self._next_capacity = 0
        self._frontier = 0
        self._moved = 0
        self._emptied_slots = 0
        self._room = _packs_for(self._capacity)

    def clear(self) -> None:
        # Nothing lies further behind a region's last home than there are packs.
        for base, capacity in (
            (self._base, self._capacity),
            (self._next_base, self._next_capacity),
        ):
            stop = base + min(capacity + self._rows.top, self._region_slots)
            self._memory.clear(base * 4, stop * 4)
        self._reset()

    def find(self, key: bytes) -> int:
        """The row of the pack with this key, or -1."""
        word: int
        other_word: int
        word, other_word = _WORDS_OF_KEY(key)
        hashed = word >> _HASH_SHIFT
        if hashed < self._frontier:
            position = (hashed * self._next_capacity >> _HASH_BITS) + self._next_base
        else:
            position = (hashed * self._capacity >> _HASH_BITS) + self._base
        slots = self._slots
        slot = slots[position]
        tag = word & TAG_MASK
        while slot:
            record = slot ^ tag
            if record < RECORD_LIMIT:
                words = self._record_words
                at = record * WORDS_PER_RECORD
                if words[at] == word and words[at + 1] == other_word:
                    return record - 1
            position += 1
            slot = slots[position]
        return -1

    def put(self, row: int, key: bytes) -> None:
        """Enter the pack of `row`, whose key must not be in the table; `make_room` comes first."""
        word, _ = _WORDS_OF_KEY(key)
        position = self._home(word >> _HASH_SHIFT)
        slots = self._slots
        while slots[position]:
            position += 1
        slots[position] = (word & TAG_MASK) | (row + 1)

    def erase(self, key: bytes) -> int:
        """The row of the pack that had this key, which is no longer in the table; -1 if none had.

        Packs behind move up, as far as their homes allow, so that no marks of erased packs are
        needed and no pack is cut off from its home (Knuth, volume 3, 6.4, algorithm R).
        """
        row = self.find(key)
        if row < 0:
            return -1
        word, _ = _WORDS_OF_KEY(key)
        slots = self._slots
        gap = self._home(word >> _HASH_SHIFT)
        while slots[gap] & RECORD_MASK != row + 1:
            gap += 1
        position = gap + 1
        while slot := slots[position]:
            at = (slot & RECORD_MASK) * WORDS_PER_RECORD
            if self._home(self._record_words[at] >> _HASH_SHIFT) <= gap:
                slots[gap] = slot
                gap = position
            position += 1
        slots[gap] = 0
        return row

    def _home(self, hashed: int) -> int:
        if hashed < self._frontier:
            return (hashed * self._next_capacity >> _HASH_BITS) + self._next_base
        return (hashed * self._capacity >> _HASH_BITS) + self._base

    def _homes(self, words: Uint64s) -> Int64s:
        hashed = words >> np.uint64(_HASH_SHIFT)
        if not self._frontier:
            homes = (hashed * np.uint64(self._capacity)) >> np.uint64(_HASH_BITS)
            return homes.view(np.int64) + self._base
        is_next = hashed < np.uint64(self._frontier)
        capacities = np.where(is_next, np.uint64(self._next_capacity), np.uint64(self._capacity))
        homes = (hashed * capacities) >> np.uint64(_HASH_BITS)
        return homes.view(np.int64) + np.where(is_next, self._next_base, self._base)

    def find_many(self, keys: Uint64s) -> Int64s:
        """For each key the row of its pack, or -1. About 0.3 µs each."""
        return self._probe.find(keys, self._homes(keys[:, 0])).astype(np.int64) - 1

    def put_many(self, keys: Uint64s, rows: Int64s) -> tuple[Bools, Int64s]:
        """Enter the packs of `rows`, whose records hold `keys` already; `make_room` comes first.

        Gives a mask of those that are now in the table, the others having a key that was there
        or that comes earlier in `keys`, and the slot of each, to be passed to `renumber`.
        """
        records = (rows + 1).astype(np.uint32)
        return self._probe.put(keys, self._homes(keys[:, 0]), records)

    def renumber(self, positions: Int64s, rows: Int64s) -> None:
        """Let each slot of `positions` name another row."""
        tags = self._array[positions] & np.uint32(TAG_MASK)
        self._array[positions] = tags | (rows + 1).astype(np.uint32)

    def make_room(self, packs: int) -> None:
        """See to it that the table may hold `packs` packs, moving what has to move by now.

        To be called before each insertion. On average 4.5 packs are moved for each new one,
        some 0.1 µs each; a step moves `move_slots_min` slots at least.
        """
        while packs > self._room:
            if not self._next_capacity:
                self._begin_move(packs)
            first, last = _packs_for(self._capacity), _packs_for(self._next_capacity)
            # A leap (more new packs than old ones) is made at once: it costs no more than the
            # insertions that it is made for.
            leap = self._next_capacity * _GROWTH[1] > (self._capacity + 1) * _GROWTH[0]
            target = self._capacity
            if packs < last and not leap:
                share = self._capacity * (packs - first) // (last - first)
                target = max(share, self._moved) + self._move_slots_min
            self._move(target)
            if self._next_capacity:
                self._room = first + self._moved * (last - first) // self._capacity
            else:
                self._room = _packs_for(self._capacity)

    def reserve(self, packs: int) -> None:
        """Make room for `packs` packs at once; takes as long as all packs present need to move."""
        self._finish_move()
        if packs > _packs_for(self._capacity):
            self._begin_move(packs)
            self._finish_move()
        self._room = _packs_for(self._capacity)

    def _finish_move(self) -> None:
        while self._next_capacity:
            self._move(self._moved + _MOVE_SLOTS)

    def _begin_move(self, packs: int) -> None:
        grown = max(self._capacity * _GROWTH[0] // _GROWTH[1] + 1, _capacity_for(packs))
        self._next_capacity = min(grown, self._capacity_max)
        self._next_base = self._region_slots - self._base
        self._moved = 0

    def _move(self, target: int) -> None:
        """Move the slots before `target` and on to the next empty one, where no run is cut."""
        array, base = self._array, self._base
        stop = self._empty_slot(base + min(target, self._capacity))
        slots = array[base + self._moved : stop]
        slots = slots[slots != 0]
        if slots.size:
            records = (slots & np.uint32(RECORD_MASK)).astype(np.int64)
            words = self._rows.word_array[records * WORDS_PER_RECORD]
            ordered = np.sort((words & np.uint64(_HASH_MASK)) | slots)
            hashes = ordered >> np.uint64(_HASH_SHIFT)
            homes = (hashes * np.uint64(self._next_capacity)) >> np.uint64(_HASH_BITS)
            # What was moved before may reach beyond the frontier, in one run without a gap.
            frontier_home = self._frontier * self._next_capacity >> _HASH_BITS
            start = self._empty_slot(self._next_base + frontier_home) - self._next_base
            order = np.arange(slots.size)
            # Each lies at its home or, if that is later, right behind the one before it.
            shifts = np.maximum.accumulate(np.maximum(homes.view(np.int64), start) - order)
            array[shifts + order + self._next_base] = ordered.astype(np.uint32)
        page_start = (base + self._moved) // _PAGE_SLOTS * _PAGE_SLOTS
        self._memory.clear(page_start * 4, stop * 4)
        self._moved = stop - base
        if self._moved < self._capacity:
            self._frontier = -(-(self._moved << _HASH_BITS) // self._capacity)
            return
        if not self._memory.gives_back:
            self._emptied_slots = self._moved
        self._base, self._capacity = self._next_base, self._next_capacity
        self._next_base = self._next_capacity = self._frontier = self._moved = 0

    def _empty_slot(self, position: int) -> int:
        slots = self._slots
        while slots[position]:
            position += 1
        return position

    def memory_bytes(self) -> int:
        """Bytes of all pages that may have been written, whole pages counted."""
        current_slots = self._capacity + _PAGE_SLOTS
        if self._memory.gives_back:
            current_slots -= self._moved // _PAGE_SLOTS * _PAGE_SLOTS
        next_slots = self._emptied_slots
        if self._next_capacity:
            frontier_home = self._frontier * self._next_capacity >> _HASH_BITS
            next_slots = max(next_slots, frontier_home + _PAGE_SLOTS)
        pages = -(-current_slots // _PAGE_SLOTS) + -(-next_slots // _PAGE_SLOTS)
        objects_bytes = sum(sys.getsizeof(getattr(self, name)) for name in self.__slots__)
        return pages * PAGE_BYTES + objects_bytes
