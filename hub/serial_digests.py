"""Digests of serial numbers, made while the hub has them, kept when it has dropped them.

The key never leaves the hub; a market is told the key of one batch (`emvs.batch_digest`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final

from emvs.batch_digest import KEY_BYTES, BatchDigest, batch_key
from hub.identity.credential_store import secret
from hub.store.connections import Connection, Pool

_NAME: Final = "serial_digests"
_SLICE_COUNT: Final = 4_096


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
        self, product_code: str | None, batch_id: str | None, serial_numbers: Sequence[str]
    ) -> bytes:
        """Return the digest over serial numbers of a batch. Lets the event loop run in between."""
        key = self.batch_key(product_code or "", batch_id or "")
        digest = BatchDigest()
        for start in range(0, len(serial_numbers), _SLICE_COUNT):
            digest.add_serials(key, serial_numbers[start : start + _SLICE_COUNT])
            await asyncio.sleep(0)
        return digest.encoded()

    async def note(
        self,
        connection: Connection,
        request_number: int,
        product_code: str | None,
        batch_id: str | None,
        serial_numbers: Sequence[str],
    ) -> None:
        """Keep the digest over the serial numbers of a valid upload."""
        digest = await self.of(product_code, batch_id, serial_numbers)
        await connection.execute(
            "insert into request_digest (request_number, digest) values ($1, $2)",
            request_number,
            digest,
        )
