"""A digest over the serial numbers of a batch: it tells none of them, and their order is nothing.

The EU Hub stores no serial numbers (Delegated Regulation (EU) 2016/161, Art. 33), and yet has to
say whether a market holds what a manufacturer sent. So both ends hash each serial number under a
key of the batch, put it into one of 64 buckets by its hash, and keep of each bucket how many there
are and the sum of their hashes. Sums can be added and taken away, so messages of one batch and
packs that were refused are counted in whatever order they come.

Equal digests mean equal sets: two different ones agree with a chance below 2^-100, and whoever
chooses serial numbers does not know the key. Where digests differ, each bucket tells how many packs
are missing or too many at least; that is exact as long as differences fall into different buckets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, NamedTuple

BUCKETS: Final = 64
_SUM_BYTES: Final = 16
_MODULUS: Final = 1 << (8 * _SUM_BYTES)
_SHIFT: Final = 8 * _SUM_BYTES - 6
_COUNTS: Final = struct.Struct(f">{BUCKETS}i")
ENCODED_BYTES: Final = _COUNTS.size + BUCKETS * _SUM_BYTES
KEY_BYTES: Final = 32


class Difference(NamedTuple):
    """How what is there differs from what was expected."""

    missing_min: int
    extra_min: int

    @property
    def is_none(self) -> bool:
        """Whether both are the same packs."""
        return self.missing_min == self.extra_min == 0


def batch_key(secret: bytes, product_code: str, batch_id: str) -> bytes:
    """Return the key for one batch, so that a market learns nothing of other batches' digests."""
    name = f"{product_code}\x1f{batch_id}".encode()
    return blake2b(name, key=secret, digest_size=KEY_BYTES).digest()


class BatchDigest:
    """Counts and sums of 64 buckets."""

    __slots__ = ("_counts", "_sums")

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self._sums = [0] * BUCKETS

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BatchDigest) and self.encoded() == other.encoded()

    __hash__ = None  # type: ignore[assignment]

    @property
    def count(self) -> int:
        """How many serial numbers are in it."""
        return sum(self._counts)

    def add_serials(self, key: bytes, serial_numbers: Iterable[str]) -> None:
        """Count serial numbers in. About a microsecond each: who shares an event loop passes
        slices of a few thousand."""
        counts, sums = self._counts, self._sums
        base = blake2b(key=key, digest_size=_SUM_BYTES)
        for serial_number in serial_numbers:
            state = base.copy()
            state.update(serial_number.encode())
            number = int.from_bytes(state.digest())
            bucket = number >> _SHIFT
            counts[bucket] += 1
            sums[bucket] += number

    def add(self, other: BatchDigest) -> None:
        """Count in what another digest holds."""
        self._combine(other, 1)

    def subtract(self, other: BatchDigest) -> None:
        """Count out what another digest holds."""
        self._combine(other, -1)

    def difference(self, found: BatchDigest) -> Difference:
        """Return what `found` lacks and has too many, if this is what was expected."""
        missing = extra = 0
        for bucket in range(BUCKETS):
            lacking = self._counts[bucket] - found._counts[bucket]
            if (self._sums[bucket] - found._sums[bucket]) % _MODULUS == 0 and not lacking:
                continue
            # As many there as expected, but not the same ones: one was exchanged at least.
            missing += max(lacking, 0 if lacking else 1)
            extra += max(-lacking, 0 if lacking else 1)
        return Difference(missing, extra)

    def encoded(self) -> bytes:
        """Return the digest as bytes."""
        sums = (number % _MODULUS for number in self._sums)
        return _COUNTS.pack(*self._counts) + b"".join(
            number.to_bytes(_SUM_BYTES) for number in sums
        )

    @classmethod
    def decoded(cls, text: bytes) -> BatchDigest:
        """Return the digest that `encoded` wrote. Raises ValueError."""
        if len(text) != ENCODED_BYTES:
            raise ValueError(f"a digest has {ENCODED_BYTES} bytes, not {len(text)}")
        digest = cls()
        digest._counts = list(_COUNTS.unpack_from(text))
        digest._sums = [
            int.from_bytes(text[start : start + _SUM_BYTES])
            for start in range(_COUNTS.size, ENCODED_BYTES, _SUM_BYTES)
        ]
        return digest

    def _combine(self, other: BatchDigest, sign: int) -> None:
        for bucket in range(BUCKETS):
            self._counts[bucket] += sign * other._counts[bucket]
            self._sums[bucket] += sign * other._sums[bucket]
