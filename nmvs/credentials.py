"""Hashing of passwords and secrets, slow on purpose, and the cache that makes it happen once.

scrypt from the standard library (16 MiB, some 40 ms): never on the event loop, never twice for
the same login. What is cached is a keyed digest, never the secret.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from typing import Final, Generic, TypeVar

from emvs.errors import OverloadedError

COST_LOG2: Final = 14
"""Usual cost of a hash; each hash carries the one it was made with."""
_BLOCK: Final = 8
_VERIFICATIONS_AT_ONCE: Final = 2
_VERIFICATIONS_WAITING_MAX: Final = 1_000
_CACHE_COUNT_MAX: Final = 200_000

Login = TypeVar("Login")


def hash_secret(secret: str, cost_log2: int = COST_LOG2) -> str:
    """Return a salted hash to store: cost, salt and hash."""
    salt = secrets.token_bytes(16)
    return f"{cost_log2}${_encode(salt)}${_encode(_derive(secret, salt, cost_log2))}"


def _derive(secret: str, salt: bytes, cost_log2: int) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=1 << cost_log2, r=_BLOCK, p=1, dklen=32)


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _verify(secret: str, stored: str) -> bool:
    cost_log2, salt, expected = stored.split("$")
    derived = _derive(secret, base64.b64decode(salt), int(cost_log2))
    return hmac.compare_digest(derived, base64.b64decode(expected))


NOBODYS_HASH: Final = hash_secret(secrets.token_hex(16))
"""Of a secret that nobody has."""


class LoginCache(Generic[Login]):
    """Remembers logins that were verified, by a keyed digest of all their parts."""

    def __init__(self) -> None:
        self._keyed = hashlib.blake2b(key=secrets.token_bytes(32), digest_size=16)
        self._logins: dict[bytes, Login] = {}
        self._gate = asyncio.Semaphore(_VERIFICATIONS_AT_ONCE)
        self._under_way: dict[bytes, asyncio.Task[bool]] = {}

    def digest(self, *parts: str) -> bytes:
        """Return the digest of a login's parts."""
        digest = self._keyed.copy()
        digest.update("\x00".join(parts).encode("utf-8", "surrogatepass"))
        return digest.digest()

    def get(self, digest: bytes) -> Login | None:
        """Return what was remembered under a digest."""
        return self._logins.get(digest)

    def put(self, digest: bytes, login: Login) -> None:
        """Remember a verified login; the oldest is forgotten when there are too many."""
        if len(self._logins) >= _CACHE_COUNT_MAX:
            del self._logins[next(iter(self._logins))]
        self._logins[digest] = login

    def clear(self) -> None:
        """Forget all: a secret has changed."""
        self._logins.clear()

    async def verify(self, digest: bytes, secret: str, stored: str) -> bool:
        """Whether `secret` is the one that was stored.

        The same login asked by many at once, as when a market opens, is verified once. Raises
        OverloadedError if too many verifications wait.
        """
        task = self._under_way.get(digest)
        if task is None:
            if len(self._under_way) >= _VERIFICATIONS_WAITING_MAX:
                raise OverloadedError("too many logins wait to be checked")
            task = asyncio.create_task(self._verify(secret, stored))
            self._under_way[digest] = task
            task.add_done_callback(lambda _: self._under_way.pop(digest, None))
        return await asyncio.shield(task)  # Whoever asked first may go without harm.

    async def _verify(self, secret: str, stored: str) -> bool:
        async with self._gate:
            return await asyncio.to_thread(_verify, secret, stored)
