"""Digests of serial numbers, made while the hub has them, kept when it has dropped them.

No upload waits for its digest: it is made with the report on its serial numbers, until which they
are kept (`hub.quality`), or as soon as somebody asks for it. The key never leaves the hub; a market
is told the key of one batch (`emvs.batch_digest`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from emvs.batch_digest import KEY_BYTES, BatchDigest, batch_key
from hub.identity.credential_store import secret
from hub.store import quality as store
from hub.store.connections import Pool
from hub.store.requests import serials_of

_NAME: Final = "serial_digests"
_SLICE_COUNT: Final = 4_096
Turn = Callable[[], Awaitable[None]]
"""Lets others have a turn of the event loop, or more."""


async def a_turn() -> None:
    """Let the event loop run."""
    await asyncio.sleep(0)


class SerialDigests:
    """Makes digests under the hub's key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    async def load(cls, pool: Pool) -> SerialDigests:
        """Return the digests of this hub; its key is made once."""
        return cls(bytes.fromhex(await secret(pool, _NAME, secrets.token_hex(KEY_BYTES))))

    def batch_key(self, product_code: str, batch_id: str) -> bytes:
        """Return what a market hashes the serial numbers of a batch with."""
        return batch_key(self._key, product_code, batch_id)

    async def of(
        self,
        product_code: str | None,
        batch_id: str | None,
        serial_numbers: Sequence[str],
        give_turn: Turn = a_turn,
    ) -> bytes:
        """Return the digest over serial numbers of a batch. Lets the event loop run in between."""
        key = self.batch_key(product_code or "", batch_id or "")
        digest = BatchDigest()
        for start in range(0, len(serial_numbers), _SLICE_COUNT):
            digest.add_serials(key, serial_numbers[start : start + _SLICE_COUNT])
            await give_turn()
        return digest.encoded()

    async def keep(
        self,
        pool: Pool,
        request_number: int,
        serial_numbers: Sequence[str],
        give_turn: Turn = a_turn,
    ) -> None:
        """Store the digest over the serial numbers of a valid upload, unless it is there."""
        batch = await store.undigested_batch(pool, request_number)
        if batch is None:
            return
        digest = await self.of(*batch, serial_numbers, give_turn)
        await store.put_digest(pool, request_number, digest)

    async def keep_of(self, pool: Pool, product_codes: list[str], batch_ids: list[str]) -> None:
        """Store the digests of these batches' uploads that are still to be made."""
        for number in await store.undigested(pool, product_codes, batch_ids):
            serials = await serials_of(pool, number)
            if serials is not None:  # Else it was made just now.
                await self.keep(pool, number, msgspec.json.decode(serials, type=list[str]))
