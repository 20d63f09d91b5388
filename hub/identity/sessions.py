"""Session tokens: an initial one is registered within 24 hours, a session token is reset in time.

Published: the initial token is valid for 24 hours and must be registered (`RGST`) by then, or a
new one is requested; later resets use `RSST`. That a session token holds as long, and that the one
before it ends at a reset, is our choice.

A token is made from the transaction id that asked for it, so that a repeated request gets the same
although only digests are stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final, NamedTuple

from emvs.errors import ConflictError, ForbiddenError, UnauthorisedError
from emvs.infra.clock import Clock
from hub.identity import credential_store, store
from hub.identity.credential_store import TokenRow
from hub.store.connections import Connection, Pool, transaction
from hub.times import utc

REGISTER: Final = "RGST"
RESET: Final = "RSST"
_NAME: Final = "session_tokens"
_SECRET_BYTES: Final = 32
_KEPT_MS: Final = 7 * 86_400_000
"""A token that ended is remembered for so long, to be told apart from one that never was."""
_KEPT_COUNT: Final = 50
"""Tokens of one client that are remembered (our choice): resets in a loop fill nothing."""


class Token(NamedTuple):
    """A token as it is told to a client."""

    text: str
    ends_at_ms: int


class Sessions:
    """The tokens that are kept. The database is the truth; a look-up takes no query."""

    def __init__(self, pool: Pool, clock: Clock, *, session_s: float) -> None:
        self._pool = pool
        self._clock = clock
        self._session_ms = int(session_s * 1000)
        self._secret = b""
        self._by_digest: dict[bytes, TokenRow] = {}

    async def load(self) -> None:
        """Read what there is."""
        fresh = secrets.token_hex(_SECRET_BYTES)
        self._secret = bytes.fromhex(await credential_store.secret(self._pool, _NAME, fresh))
        await self._reread()

    def find(self, digest: bytes) -> TokenRow | None:
        """Return the token with this digest, whether it holds or not."""
        return self._by_digest.get(digest)

    def check(self, token: TokenRow) -> None:
        """Raise UnauthorisedError or ForbiddenError unless this is a session token that holds."""
        self.check_holds(token)
        if token.is_initial:
            raise ForbiddenError("this is an initial token: register it first, with RGST")

    def check_holds(self, token: TokenRow) -> None:
        """Raise UnauthorisedError if a token was replaced or has ended."""
        if token.used_by is not None:
            raise UnauthorisedError("the token was replaced by another one")
        if token.ends_at_ms > self._clock.now_ms():
            return
        told = f"token ended at {utc(token.ends_at_ms)}"
        if token.is_initial:
            raise UnauthorisedError(f"the initial {told}: ask for a new one")
        raise UnauthorisedError(
            f"the session {told}: RSST takes it over TLS with the client's certificate; else ask"
            " for a new initial token"
        )

    async def issue_initial(
        self, connection: Connection, organisation_id: str, client_id: str, seed: str
    ) -> Token:
        """Store an initial token in place of all tokens of a client; the same for the same seed.

        `refresh` has to follow the commit.
        """
        await credential_store.use_tokens(connection, organisation_id, client_id, seed)
        return await self._put(connection, organisation_id, client_id, seed, is_initial=True)

    def initial_again(self, organisation_id: str, client_id: str, seed: str) -> Token:
        """Return what `issue_initial` returned. Raises ConflictError if it is forgotten."""
        text = self._text(organisation_id, client_id, seed, is_initial=True)
        return _again(text, self._by_digest.get(digest_of(text)))

    async def refresh(self) -> None:
        """Learn what a transaction has changed."""
        await self._reread()

    async def exchange(
        self, token: TokenRow, transaction_id: str, *, is_reset: bool, with_certificate: bool
    ) -> Token:
        """Put a session token in place of an initial or session token; a repeat gets the same.

        Raises UnauthorisedError or ConflictError.
        """
        owner = token.organisation_id, token.client_id
        async with transaction(self._pool) as connection:
            # Whoever shows the same token at the same time comes before or after, not in between.
            await store.lock_organisation(connection, token.organisation_id)
            token = await credential_store.find_token(connection, token.digest) or token
            if token.used_by == transaction_id:
                text = self._text(*owner, transaction_id, is_initial=False)
                known = await credential_store.find_token(connection, digest_of(text))
                return _again(text, known)
            self._check_exchange(token, is_reset=is_reset, with_certificate=with_certificate)
            await credential_store.use_tokens(connection, *owner, transaction_id)
            before_ms = self._clock.now_ms() - _KEPT_MS
            await credential_store.forget_tokens(
                connection, *owner, before_ms, count_max=_KEPT_COUNT
            )
            made = await self._put(connection, *owner, transaction_id, is_initial=False)
        await self._reread()
        return made

    def _check_exchange(self, token: TokenRow, *, is_reset: bool, with_certificate: bool) -> None:
        if token.used_by is None and token.is_initial == is_reset:
            raise ConflictError(
                f"an initial token is registered with {REGISTER}, a session token reset with"
                f" {RESET}"
            )
        if token.used_by is not None or not (is_reset and with_certificate):
            self.check_holds(token)

    async def _put(
        self,
        connection: Connection,
        organisation_id: str,
        client_id: str,
        seed: str,
        *,
        is_initial: bool,
    ) -> Token:
        text = self._text(organisation_id, client_id, seed, is_initial=is_initial)
        now_ms = self._clock.now_ms()
        ends_at_ms = now_ms + self._session_ms
        row = TokenRow(
            digest_of(text), organisation_id, client_id, is_initial, now_ms, ends_at_ms, None
        )
        await credential_store.put_token(connection, row)
        return Token(text, ends_at_ms)

    def _text(self, organisation_id: str, client_id: str, seed: str, *, is_initial: bool) -> str:
        parts = f"{is_initial:d}|{organisation_id}|{client_id}|{seed}"
        made = hmac.digest(self._secret, parts.encode(), "sha256")
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()

    async def _reread(self) -> None:
        rows = await credential_store.all_tokens(self._pool)
        self._by_digest = {row.digest: row for row in rows}


def _again(text: str, known: TokenRow | None) -> Token:
    if known is None:
        raise ConflictError("this request was answered long ago, and its token has ended")
    return Token(text, known.ends_at_ms)


def digest_of(token: str) -> bytes:
    """Return SHA-256 of a token: it is random, so a slow hash would add nothing."""
    return hashlib.sha256(token.encode("ascii")).digest()
