"""Access tokens of the REST dialect: signed, and proof of nothing but a client id.

JSON Web Tokens (RFC 7519) signed with ES256, the key named in the header. A signature costs some
tenth of a millisecond to make or to check, and some clients fetch a token before every call: a
client gets the same token again within a second, and a token's signature is checked once. Secrets
are not seen here.
"""

from __future__ import annotations

import secrets
from typing import Final, NamedTuple

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, GuestProtocol

from emvs.infra.clock import Clock
from nmvs.rest.key_ring import ALGORITHM, KeyRing

_REMEMBERED_COUNT_MAX: Final = 16_384
"""Tokens whose signature needs no check: some ten megabytes (our choice)."""
_TOKEN_LENGTH_MAX: Final = 2_048
"""Ours have about 380 characters; a longer one is not looked at (our choice)."""


class _Proven(NamedTuple):
    client_id: str
    expires_at_s: int


class AccessTokens:
    """Issues access tokens and tells whose they are."""

    def __init__(self, ring: KeyRing, clock: Clock, *, issuer: str, life_s: int) -> None:
        """Tokens live `life_s` seconds; the ring keeps its keys longer than that."""
        self._ring = ring
        self._clock = clock
        self._issuer = issuer
        self._life_s = life_s
        self._proven: dict[str, _Proven] = {}
        self._newest: dict[str, str] = {}
        self._newest_at_s = 0

    def issue(self, client_id: str) -> str:
        """Return a token for a client whose secret has been checked."""
        now_s = self._clock.now_s()
        if now_s != self._newest_at_s:
            self._newest.clear()
            self._newest_at_s = now_s
        token = self._newest.get(client_id)
        if token is None:
            claims = {
                "iss": self._issuer,
                "sub": client_id,
                "client_id": client_id,
                "iat": now_s,
                "exp": now_s + self._life_s,
                "jti": secrets.token_hex(16),
            }
            key_id, key = self._ring.newest
            header = {"alg": ALGORITHM, "kid": key_id}
            token = jwt.encode(header, claims, key, algorithms=[ALGORITHM])
            self._newest[client_id] = token
            self._remember(token, _Proven(client_id, now_s + self._life_s))
        return token

    def client_id_of(self, token: str, now_s: int) -> str | None:
        """Return the client that a token was issued to; None if it is not ours or has expired."""
        proven = self._proven.get(token)
        if proven is None:
            proven = self._prove(token)
            if proven is None:
                return None
            self._remember(token, proven)
        return proven.client_id if now_s < proven.expires_at_s else None

    def _prove(self, token: str) -> _Proven | None:
        if len(token) > _TOKEN_LENGTH_MAX:
            return None
        try:
            claims = jwt.decode(token, self._key_of, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError, TypeError):  # The last if `crit` is no list.
            return None
        # Whoever holds the key signs other things, too, one day: the claims decide.
        client_id, expires_at_s = claims.get("client_id"), claims.get("exp")
        if claims.get("iss") != self._issuer:
            return None
        if not isinstance(client_id, str) or not isinstance(expires_at_s, int):
            return None
        return _Proven(client_id, expires_at_s)

    def _key_of(self, token: GuestProtocol) -> ECKey:
        key = self._ring.get(token.headers().get("kid"))
        if key is None:
            raise InvalidKeyIdError
        return key

    def _remember(self, token: str, proven: _Proven) -> None:
        if len(self._proven) >= _REMEMBERED_COUNT_MAX:
            del self._proven[next(iter(self._proven))]  # The oldest; it can be proven again.
        self._proven[token] = proven
