"""Packs in the binary form of PostgreSQL's COPY, in and out, made and read by numpy at a stroke.

A row is a field count, then for each field its length and its bytes. Out, every column has a
fixed width. In, only the serial number varies: rows with serial numbers of one length are made
together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nmvs.pack_index import SLICE_COUNT_MAX, PackIndex

PACK_ROWS_BEGIN: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
PACK_ROWS_END: Final = b"\xff\xff"
_ROWS_PER_CHUNK: Final = 8_192
_COMPARED: Final = ("state", "set_by", "set_at_s", "repeat_count", "version", "batch_number")

PackRecords: TypeAlias = NDArray[Any]
"""Rows as they come from the database; the fields are those of `_OUT`."""

# Columns in the order of `Store`'s pack columns, each after its length.
_OUT: Final = np.dtype(
    [
        ("count", ">i2"),
        ("key_length", ">i4"),
        ("key", np.uint64, (2,)),
        ("state_length", ">i4"),
        ("state", ">i2"),
        ("set_by_length", ">i4"),
        ("set_by", ">i4"),
        ("set_at_length", ">i4"),
        ("set_at_s", ">i8"),
        ("repeat_length", ">i4"),
        ("repeat_count", ">i2"),
        ("version_length", ">i4"),
        ("version", ">i4"),
        ("batch_length", ">i4"),
        ("batch_number", ">i4"),
    ]
)


class PackReader:
    """Takes chunks of a binary COPY of all packs and hands their rows on, some thousand at once."""

    def __init__(self, take: Callable[[PackRecords], None]) -> None:
        """`take` gets the rows; others have a turn of the event loop between two of its calls."""
        self._take = take
        self._rest = b""
        self._header_read = False
        self.read_count = 0

    async def feed(self, chunk: bytes) -> None:
        """Take the next chunk, of any length."""
        data = self._rest + chunk
        if not self._header_read:
            if len(data) < len(PACK_ROWS_BEGIN):
                self._rest = data
                return
            data, self._header_read = data[len(PACK_ROWS_BEGIN) :], True
        count = len(data) // _OUT.itemsize
        self._rest = data[count * _OUT.itemsize :]
        for start in range(0, count, SLICE_COUNT_MAX):
            rows = np.frombuffer(
                data, _OUT, min(SLICE_COUNT_MAX, count - start), start * _OUT.itemsize
            )
            self._take(rows)
            self.read_count += len(rows)
            await asyncio.sleep(0)


def insert_into(index: PackIndex) -> Callable[[PackRecords], None]:
    """Return what puts rows into the index."""

    def insert(rows: PackRecords) -> None:
        index.insert_many(
            np.ascontiguousarray(rows["key"]),
            rows["batch_number"].astype(np.uint32),
            states=rows["state"].astype(np.uint8),
            set_by=rows["set_by"].astype(np.uint32),
            set_at_s=rows["set_at_s"].astype(np.uint32),
            repeat_counts=rows["repeat_count"].astype(np.uint8),
            versions=rows["version"].astype(np.uint16),
        )

    return insert


def keys_that_differ(index: PackIndex, rows: PackRecords) -> list[bytes]:
    """Return the keys of rows that are not in the index, or not as they are stored."""
    keys = np.ascontiguousarray(rows["key"])
    found = index.find_many(keys)
    is_known = found >= 0
    indexed = index.records_of(found[is_known])
    alike = is_known.copy()
    alike[is_known] = np.logical_and.reduce(
        [indexed[name] == rows[name][is_known] for name in _COMPARED]
    )
    return [key.tobytes() for key in keys[~alike]]


async def new_pack_rows(
    keys: bytes, serial_numbers: Sequence[str], batch_number: int
) -> AsyncIterator[bytes]:
    """Yield rows of new packs (pack_key, serial_number, batch_number), in order of their keys as
    far as their serial numbers have one length.

    `keys` holds 16 bytes for each serial number; serial numbers are ASCII. What makes a COPY of
    rows is `PACK_ROWS_BEGIN` before them and `PACK_ROWS_END` after them.
    """
    words = np.frombuffer(keys, np.uint8).reshape(-1, 16)
    lengths = np.fromiter(map(len, serial_numbers), np.intp, len(serial_numbers))
    for length in sorted(set(lengths.tolist())):  # np.unique imports for 70 ms when first called.
        which = np.flatnonzero(lengths == length)
        texts: Sequence[str] = serial_numbers
        if len(which) < len(lengths):
            texts = [serial_numbers[position] for position in which.tolist()]
        serials = np.frombuffer("".join(texts).encode("ascii"), f"S{length}")
        # As PostgreSQL compares them: by bytes, of which the first eight tell all keys apart but
        # for a chance that does no harm.
        order = np.argsort(np.frombuffer(keys, ">u8")[which * 2].astype(np.uint64))
        await asyncio.sleep(0)
        for start in range(0, len(order), _ROWS_PER_CHUNK):
            part = order[start : start + _ROWS_PER_CHUNK]
            yield _new_rows(words[which[part]], serials[part], length, batch_number)
            await asyncio.sleep(0)


def _new_rows(
    keys: NDArray[np.uint8], serial_numbers: NDArray[np.bytes_], length: int, batch_number: int
) -> bytes:
    rows = np.empty(
        len(keys),
        np.dtype(
            [
                ("count", ">i2"),
                ("key_length", ">i4"),
                ("key", np.uint8, (16,)),
                ("serial_length", ">i4"),
                ("serial", f"S{length}"),
                ("batch_length", ">i4"),
                ("batch", ">i4"),
            ]
        ),
    )
    rows["count"], rows["key_length"], rows["serial_length"], rows["batch_length"] = (
        3,
        16,
        length,
        4,
    )
    rows["key"], rows["serial"], rows["batch"] = keys, serial_numbers, batch_number
    return rows.tobytes()
