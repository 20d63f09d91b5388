"""New packs of a delivery on their way into the database: checked, keyed, sorted, rows of COPY.

All of it in slices, between which the event loop runs, and while PostgreSQL takes in the rows of
the slices before: a quarter of a million packs keep two cores busy rather than one after the
other. Rows leave in order of their keys, as the index of the primary key takes in neighbours at
half the cost of packs that come in any order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Final

import msgspec
import numpy as np

from emvs.character_sets import all_set82, is_set82
from emvs.interconnect import DeliveryResult, RefusedSerial
from emvs.scanner_hints import Shape, shape_of
from nmvs.pack_copy import PACK_ROWS_BEGIN, PACK_ROWS_END, new_pack_rows
from nmvs.pack_index import SLICE_COUNT_MAX, PackIndex, PackIndexFullError
from nmvs.pack_keys import KEY_BYTES, PackKeys

SORTED_COUNT: Final = 65_536
"""Packs sorted at a time: some 5 ms. Fewer are less of neighbours, more keep PostgreSQL waiting for
the first."""
_NULL: Final = "\N{SYMBOL FOR NULL}"
_FIRST_COUNT: Final = 16_384
_KEYS_AT_ONCE: Final = 2_048
"""Keys computed between two turns of the event loop: about a millisecond."""


def _parts(count: int) -> Iterator[tuple[int, int]]:
    """Yield where parts of so many packs start and stop: the first is small, as PostgreSQL waits
    for it."""
    start, size = 0, _FIRST_COUNT
    while start < count:
        stop = min(start + size, count)
        yield start, stop
        start, size = stop, SORTED_COUNT


class PackIntake:
    """The packs of one delivery. What came of them is known when all rows were taken."""

    def __init__(
        self, keys: PackKeys, index: PackIndex, product_code: str, serial_numbers: list[str]
    ) -> None:
        self._keys = keys
        self._index = index
        self._product_code = product_code
        self._serial_numbers = serial_numbers
        self._seen: set[str] = set()
        self._refused: list[bytes] = []
        """Refused ones in JSON, in slices."""
        self.shape: Shape | None = None
        """Of the serial numbers that are new."""
        self.new_keys: list[bytes] = []
        """Keys of the new packs, in slices."""
        self.new_count = 0

    async def rows(self, batch_number: int) -> AsyncIterator[bytes]:
        """Yield the new packs as a binary COPY (`pack_copy.new_pack_rows`).

        Raises PackIndexFullError when there are more than the index has room for.
        """
        yield PACK_ROWS_BEGIN
        for start, stop in _parts(len(self._serial_numbers)):
            fresh, keys = await self._new_ones(start, stop)
            if not fresh:
                continue
            self.new_count += len(fresh)
            if len(self._index) + self.new_count > self._index.packs_max:
                raise PackIndexFullError(packs_max=self._index.packs_max)
            self.new_keys.append(keys)
            async for part in new_pack_rows(keys, fresh, batch_number):
                yield part
        # While PostgreSQL works off what it was sent last.
        for count in range(0, self.new_count, SLICE_COUNT_MAX):
            self._index.make_room(len(self._index) + count)
            await asyncio.sleep(0)
        yield PACK_ROWS_END

    def result_json(self, delivery_id: str) -> str:
        """Return what came of the delivery, a DeliveryResult in JSON."""
        result = DeliveryResult(delivery_id, accepted=True, loadedCount=self.new_count)
        head = msgspec.json.encode(result).removesuffix(b"]}")  # The refused ones stand last.
        return b"".join((head, b",".join(self._refused), b"]}")).decode()

    async def _new_ones(self, start: int, stop: int) -> tuple[list[str], bytes]:
        """Return the packs of some that are not known yet, and their keys."""
        candidates: list[str] = []
        for first in range(start, stop, SLICE_COUNT_MAX):
            some = self._serial_numbers[first : min(first + SLICE_COUNT_MAX, stop)]
            candidates += self._well_formed(some)
            await asyncio.sleep(0)
        keys = await self._keys_of(candidates)
        known = np.empty(len(candidates), np.bool_)
        for first in range(0, len(candidates), SLICE_COUNT_MAX):
            part = keys[first * KEY_BYTES : (first + SLICE_COUNT_MAX) * KEY_BYTES]
            known[first : first + SLICE_COUNT_MAX] = self._index.find_many(part) >= 0
            stored = np.flatnonzero(known[first : first + SLICE_COUNT_MAX]) + first
            self._refuse([candidates[position] for position in stored], "NMVS_FE_SN_02")
            await asyncio.sleep(0)
        if known.any():
            candidates = [candidates[position] for position in np.flatnonzero(~known)]
            keys = np.frombuffer(keys, "V16")[~known].tobytes()
        for first in range(0, len(candidates), SLICE_COUNT_MAX):
            shape = shape_of(candidates[first : first + SLICE_COUNT_MAX])
            assert shape is not None, "the slice is not empty"
            self.shape = shape.joined(self.shape)
            await asyncio.sleep(0)
        return candidates, keys

    async def _keys_of(self, serial_numbers: list[str]) -> bytes:
        parts: list[bytes] = []
        for start in range(0, len(serial_numbers), _KEYS_AT_ONCE):
            some = serial_numbers[start : start + _KEYS_AT_ONCE]
            parts.append(self._keys.keys(self._product_code, some))
            await asyncio.sleep(0)
        return b"".join(parts)

    def _refuse(self, serial_numbers: list[str], code: str) -> None:
        if serial_numbers:
            refused = [RefusedSerial(text, code) for text in serial_numbers]
            self._refused.append(msgspec.json.encode(refused)[1:-1])

    def _well_formed(self, some: list[str]) -> list[str]:
        """Return each well-formed serial number that was not there before, note the others."""
        if not all_set82(some):
            # The database holds every character but one.
            malformed = [text.replace("\0", _NULL) for text in some if not is_set82(text)]
            self._refuse(malformed, "NMVS_FE_SN_01")
            some = [text for text in some if is_set82(text)]
        fresh = set(some)
        if len(fresh) < len(some) or not fresh.isdisjoint(self._seen):
            some = [text for text in dict.fromkeys(some) if text not in self._seen]
        self._seen |= fresh
        return some
