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
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Generic, TypeVar

from emvs.errors import OverloadedError

COST_LOG2: Final = 14
"""Usual cost of a hash; each hash carries the one it was made with."""
_BLOCK: Final = 8
_VERIFICATIONS_AT_ONCE: Final = 2
_VERIFICATIONS_WAITING_MAX: Final = 1_000
_CACHE_COUNT_MAX: Final = 200_000

Login = TypeVar("Login")


def hash_secret(secret: str, cost_log2: int = COST_LOG2, *, like: str | None = None) -> str:
    """Return a salted hash to store: cost, salt and hash.

    `like`: a stored hash whose salt to take again, so that one derivation tells whether a secret
    fits either (`find_fitting`).
    """
    salt = secrets.token_bytes(16) if like is None else base64.b64decode(like.split("$")[1])
    return f"{cost_log2}${_encode(salt)}${_encode(_derive(secret, salt, cost_log2))}"


def _derive(secret: str, salt: bytes, cost_log2: int) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=1 << cost_log2, r=_BLOCK, p=1, dklen=32)


def _encode(value: bytes) -> str:
    return base64.b64encode(value).decode()


def find_fitting(secret: str, stored: Sequence[str]) -> str | None:
    """Return which of these stored hashes `secret` fits, None if none: one derivation for each
    cost and salt among them."""
    derived: dict[tuple[str, str], bytes] = {}
    for each in stored:
        cost_log2, salt, expected = each.split("$")
        made_so = cost_log2, salt
        if made_so not in derived:
            derived[made_so] = _derive(secret, base64.b64decode(salt), int(cost_log2))
        if hmac.compare_digest(derived[made_so], base64.b64decode(expected)):
            return each
    return None


@lru_cache(maxsize=16)
def nobodys_hash(cost_log2: int = COST_LOG2) -> str:
    """Return the hash of a secret that nobody has: as slow as this system's others, so that nobody
    learns which logins exist."""
    return hash_secret(secrets.token_hex(16), cost_log2)


class LoginCache(Generic[Login]):
    """Remembers logins that were verified, by a keyed digest of all their parts."""

    def __init__(self) -> None:
        self._keyed = hashlib.blake2b(key=secrets.token_bytes(32), digest_size=16)
        self._logins: dict[bytes, Login] = {}
        self._gate = asyncio.Semaphore(_VERIFICATIONS_AT_ONCE)
        self._under_way: dict[tuple[bytes, Sequence[str]], asyncio.Task[str | None]] = {}

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
        """Whether `secret` is the one that was stored. Raises OverloadedError as `find` does."""
        return await self.find(digest, secret, (stored,)) is not None

    async def find(self, digest: bytes, secret: str, stored: tuple[str, ...]) -> str | None:
        """Return which of these stored hashes `secret` fits, None if none.

        The same login asked by many at once, as when a market opens, is verified once. Raises
        OverloadedError if too many verifications wait.
        """
        asked = digest, stored
        task = self._under_way.get(asked)
        if task is None:
            if len(self._under_way) >= _VERIFICATIONS_WAITING_MAX:
                raise OverloadedError("too many logins wait to be checked")
            task = asyncio.create_task(self._find(secret, stored))
            self._under_way[asked] = task
            task.add_done_callback(lambda _: self._under_way.pop(asked, None))
        return await asyncio.shield(task)  # Whoever asked first may go without harm.

    async def _find(self, secret: str, stored: tuple[str, ...]) -> str | None:
        async with self._gate:
            return await asyncio.to_thread(find_fitting, secret, stored)

    async def hash(self, secret: str, cost_log2: int, *, like: str | None = None) -> str:
        """Return a hash to store, in turn with the verifications."""
        async with self._gate:
            return await asyncio.to_thread(hash_secret, secret, cost_log2, like=like)
