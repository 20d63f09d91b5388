"""The packs themselves: 32 bytes each, in one array of records that never moves.

All fields of a pack lie side by side, so that reading one costs a single miss of the processor's
cache; an array for each field would cost one for each. Where a pack lies is the slot table's
business, what its fields mean is `emvs`'s: neither must enter here.
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emvs.errors import EmvsError
from emvs.limits import PACK_VERSION_LIMIT
from nmvs.reserved_memory import PAGE_BYTES, ReservedMemory

Uint64s: TypeAlias = NDArray[np.uint64]
Uint32s: TypeAlias = NDArray[np.uint32]
Int64s: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

RECORD: Final = np.dtype(
    [
        ("key", np.uint64, (2,)),
        ("batch_number", np.uint32),
        ("set_by", np.uint32),
        ("set_at_s", np.uint32),
        ("version", np.uint16),
        ("state", np.uint8),
        ("repeat_count", np.uint8),
    ]
)
RECORD_BYTES: Final = RECORD.itemsize
WORDS_PER_RECORD: Final = RECORD_BYTES // 8

FREE_STATE: Final = 255
"""The state of a removed row until it is used again; no pack may have it."""

VERSION_LIMIT: Final = PACK_VERSION_LIMIT
"""Versions are kept modulo this: the caller wraps, here and in the database alike."""

_READ_FIELDS: Final = struct.Struct("=IIIHBB").unpack_from
_WRITE_STATUS: Final = struct.Struct("=IIHBB").pack_into
_FIELDS_AT: Final = 16
_STATUS_AT: Final = 20


class PackIndexFullError(EmvsError):
    """The index holds `packs_max` packs. Nothing was inserted."""

    http_status = 503
    title = "Pack index full"

    def __init__(self, *, packs_max: int) -> None:
        super().__init__(f"the pack index is full: it holds {packs_max} packs at most")
        self.packs_max = packs_max


class PackRow(NamedTuple):
    """What the index knows of one pack; a copy, not a view."""

    state: int
    """0 to 254."""
    set_by: int
    """Number of the location that set the state, below 2^32."""
    set_at_s: int
    """When, in seconds since 1970 UTC, below 2^32."""
    repeat_count: int
    """0 to 255."""
    version: int
    """Modulo `VERSION_LIMIT`."""
    batch_number: int
    """Below 2^32."""


class PackColumns(NamedTuple):
    """Many packs, as arrays of the same length; copies, so later changes don't show."""

    rows: Int64s
    keys: Uint64s
    """Two words for each pack; `keys.tobytes()` gives them 16 bytes each."""
    states: NDArray[np.uint8]
    set_by: Uint32s
    set_at_s: Uint32s
    repeat_counts: NDArray[np.uint8]
    versions: NDArray[np.uint16]
    batch_numbers: Uint32s


class PackRows:
    """Rows numbered from 0, appended; a removed row is used again by a later insertion.

    A row keeps its number until it is removed. In memory row r is record r + 1: record 0 stays
    empty, so that the number in a slot can be 0 for "none" and be used as it is otherwise.
    """

    __slots__ = ("_buffer", "_free", "_memory", "records", "top", "word_array", "words")

    def __init__(self, packs_max: int) -> None:
        self._memory = ReservedMemory((packs_max + 1) * RECORD_BYTES)
        self._buffer = memoryview(self._memory.buffer)
        self.records = np.frombuffer(self._memory.buffer, RECORD, packs_max + 1)[1:]
        """By row number."""
        self.words = self._buffer.cast("Q")
        """The same memory: record c starts at word `WORDS_PER_RECORD * c`. For single reads."""
        self.word_array: Uint64s = np.frombuffer(self._memory.buffer, np.uint64)
        """Likewise, for many."""
        self.top = 0
        """One more than the highest row ever used."""
        self._free = array("I")

    def __len__(self) -> int:
        return self.top - len(self._free)

    @property
    def packs_max(self) -> int:
        return len(self.records)

    def get(self, row: int) -> PackRow:
        self._check(row)
        batch_number, set_by, set_at_s, version, state, repeat_count = _READ_FIELDS(
            self._buffer, (row + 1) * RECORD_BYTES + _FIELDS_AT
        )
        return PackRow(state, set_by, set_at_s, repeat_count, version, batch_number)

    def set(  # noqa: PLR0917 - all of a status; keywords would cost the hot path its time
        self, row: int, state: int, set_by: int, set_at_s: int, repeat_count: int, version: int
    ) -> None:
        self._check(row)
        at = (row + 1) * RECORD_BYTES + _STATUS_AT
        _WRITE_STATUS(self._buffer, at, set_by, set_at_s, version, state, repeat_count)

    def key_of(self, row: int) -> bytes:
        self._check(row)
        at = (row + 1) * RECORD_BYTES
        return bytes(self._buffer[at : at + _FIELDS_AT])

    def _check(self, row: int) -> None:
        if not 0 <= row < self.top:
            raise IndexError(f"there is no row {row}; rows run from 0 to {self.top - 1}")

    def allocate(self, count: int) -> Int64s:
        """Numbers of `count` rows for new packs, removed ones first; the rest is consecutive.

        Raises PackIndexFullError, with nothing taken, if there are not as many.
        """
        if len(self) + count > self.packs_max:
            raise PackIndexFullError(packs_max=self.packs_max)
        reused_count = min(count, len(self._free))
        rows = np.arange(self.top - reused_count, self.top + count - reused_count, dtype=np.int64)
        if reused_count:
            rows[:reused_count] = self._free[-reused_count:]
            del self._free[-reused_count:]
        self.top += count - reused_count
        return rows

    def release(self, rows: Int64s) -> None:
        """Take back the rows of removed packs, for later insertions."""
        self.records[rows] = 0
        self.records["state"][rows] = FREE_STATE
        self._free.extend(rows.tolist())

    def give_back(self, rows: Int64s) -> None:
        """Take back the last `rows` of an allocation that were not needed.

        Those that were appended are as if never used; else a manufacturer who sends the same
        packs twice would leave rows behind.
        """
        appended = rows == np.arange(self.top - len(rows), self.top)
        breaks = np.flatnonzero(~appended)
        reused_count = int(breaks[-1]) + 1 if breaks.size else 0
        top = self.top - (len(rows) - reused_count)
        self.records[top : self.top] = 0
        self.top = top
        self.release(rows[:reused_count])

    def slice_of(self, rows: Int64s) -> slice | Int64s:
        """`rows` as an index of the records: a slice, which is cheaper, if they are consecutive."""
        if rows.size and rows[-1] - rows[0] == rows.size - 1 and (np.diff(rows) == 1).all():
            return slice(int(rows[0]), int(rows[-1]) + 1)
        return rows

    def columns(self, start: int, stop: int) -> PackColumns:
        """The packs in rows `start` to `stop`, removed rows left out."""
        records = self.records[start : min(stop, self.top)]
        present = records["state"] != FREE_STATE
        kept = records[present]
        return PackColumns(
            rows=np.flatnonzero(present) + start,
            keys=np.ascontiguousarray(kept["key"]),
            states=np.ascontiguousarray(kept["state"]),
            set_by=np.ascontiguousarray(kept["set_by"]),
            set_at_s=np.ascontiguousarray(kept["set_at_s"]),
            repeat_counts=np.ascontiguousarray(kept["repeat_count"]),
            versions=np.ascontiguousarray(kept["version"]),
            batch_numbers=np.ascontiguousarray(kept["batch_number"]),
        )

    def clear(self) -> None:
        self._memory.clear(0, (self.top + 1) * RECORD_BYTES)
        self.top = 0
        del self._free[:]

    def memory_bytes(self) -> int:
        """Bytes of all pages written, whole pages counted, and of the list of removed rows."""
        used_bytes = (self.top + 1) * RECORD_BYTES
        objects_bytes = sum(sys.getsizeof(getattr(self, name)) for name in self.__slots__)
        return -(-used_bytes // PAGE_BYTES) * PAGE_BYTES + objects_bytes
