"""Slots of the pack index and how many keys at once are looked for in them, with numpy.

A slot is 32 bits: the number of a record, and above it five bits of the pack's key, the tag, so
that a probe which meets another pack's slot has to look at that pack in one case of 32. 0 means
empty. Where a key's home is, and the look-up of a single key, are the slot table's business.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from nmvs.pack_rows import WORDS_PER_RECORD, Bools, Int64s, Uint32s, Uint64s

RECORD_BITS: Final = 27
RECORD_LIMIT: Final = 1 << RECORD_BITS
RECORD_MASK: Final = RECORD_LIMIT - 1
TAG_MASK: Final = 0xFFFFFFFF ^ RECORD_MASK

WINDOW_SLOTS: Final = 8
"""Half a cache line. Fixed: the marks of a window are handled as one number of 64 bits."""


def _zeros_before(marks: Bools) -> Int64s:
    """For each line of eight marks how many stand before its first one; 8 if it has none."""
    # In little-endian order the first mark is the lowest byte, whatever the machine's own order.
    lines: Uint64s = marks.view(np.dtype("<u8")).ravel()
    lowest = lines & (np.uint64(0) - lines)
    zeros: Int64s = (np.bitwise_count(lowest - np.uint64(1)) >> 3).astype(np.int64)
    return zeros


class SlotProbe:
    """Linear probing for many keys, a window of slots in each round.

    `word_array` holds the records as 64-bit words, the key first; `slots` has `WINDOW_SLOTS` more
    than are ever used.
    """

    __slots__ = ("_slots", "_windows", "_words")

    def __init__(self, word_array: Uint64s, slots: Uint32s) -> None:
        self._words = word_array
        self._slots = slots
        count = len(slots) - WINDOW_SLOTS
        self._windows = np.ndarray((count,), f"V{4 * WINDOW_SLOTS}", slots.data, strides=(4,))
        """At each slot a window on it and those behind: one gather fetches them all."""

    def find(self, keys: Uint64s, homes: Int64s) -> Uint32s:
        """For each key the number of its record, or 0."""
        records, _ = self._run(keys, homes, None)
        return records

    def put(self, keys: Uint64s, homes: Int64s, records: Uint32s) -> tuple[Bools, Int64s]:
        """Enter each key's record, unless the key is there or comes earlier in `keys`.

        Gives a mask of the keys entered and the slot where each key is now.
        """
        found, ends = self._run(keys, homes, records)
        return found == records, ends

    def _run(self, keys: Uint64s, homes: Int64s, claims: Uint32s | None) -> tuple[Uint32s, Int64s]:
        """Gives for each key the record found or, with `claims`, entered, and its slot.

        With `claims`, a key that comes to an empty slot writes its claim there. Of several that
        come to it in one round the first in `keys` wins; the others go on from there, so that
        they compare themselves with the winner like with any pack.
        """
        tags = (keys[:, 0] & np.uint64(TAG_MASK)).astype(np.uint32)
        records = np.zeros(len(keys), np.uint32)
        positions, ends = homes, homes.copy()
        pending = np.arange(len(keys))
        while pending.size:
            window = self._windows[positions].view(np.uint32).reshape(-1, WINDOW_SLOTS)
            run_lengths = _zeros_before(window == 0)
            found_at = self._compare(window ^ tags[pending, None], run_lengths, keys, pending)
            found = np.flatnonzero(found_at >= 0)
            records[pending[found]] = window[found, found_at[found]] & np.uint32(RECORD_MASK)
            ends[pending[found]] = positions[found] + found_at[found]
            positions = positions + run_lengths
            going_on = found_at < 0
            at_empty = np.flatnonzero(going_on & (run_lengths < WINDOW_SLOTS))
            if claims is None:
                going_on[at_empty] = False
            else:
                wanting = pending[at_empty]
                won = self._claim(positions[at_empty], claims[wanting] | tags[wanting])
                records[wanting[won]] = claims[wanting[won]]
                ends[wanting[won]] = positions[at_empty[won]]
                going_on[at_empty[won]] = False
            pending, positions = pending[going_on], positions[going_on]
        return records, ends

    def _compare(
        self, candidates: Uint32s, run_lengths: Int64s, keys: Uint64s, pending: Int64s
    ) -> Int64s:
        """For each window the place of the slot whose record has the key, or -1."""
        found_at = np.full(len(pending), -1, np.int64)
        alike = np.flatnonzero(candidates < RECORD_LIMIT)
        lines, places = alike // WINDOW_SLOTS, alike % WINDOW_SLOTS
        in_run = places < run_lengths[lines]
        lines, places = lines[in_run], places[in_run]
        at = candidates[lines, places].astype(np.int64) * WORDS_PER_RECORD
        wanted = pending[lines]
        # Word by word: a gather of pairs takes four times as long.
        same = self._words[at] == keys[wanted, 0]
        same &= self._words[at + 1] == keys[wanted, 1]
        found_at[lines[same]] = places[same]
        return found_at

    def _claim(self, positions: Int64s, slots: Uint32s) -> Bools:
        """Write `slots` to empty positions; gives a mask of those that lasted."""
        # Of equal indices the last one writes: in reverse order that is the first key.
        self._slots[positions[::-1]] = slots[::-1]
        lasted: Bools = self._slots[positions] == slots
        return lasted
