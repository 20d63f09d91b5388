"""The bearer token of the REST-built systems: fetched once, kept, renewed in time.

OAuth 2.0 client credentials (RFC 6749, section 4.4), id and secret in the form body as most
deployed clients send them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

import msgspec

from pharmacy_client.errors import LoginRefusedError, ProtocolError, SystemUnreachableError
from pharmacy_client.exchange import (
    Exchange,
    HttpReply,
    HttpRequest,
    Transport,
    record_exchange,
    retry_after_s,
)
from pharmacy_client.profile import Profile

_RENEW_BEFORE_S: Final = 60.0
"""A deployed client renews so long before the end."""
_LIFETIME_S_DEFAULT: Final = 3600.0
"""Deployed clients assume an hour if the answer does not tell."""
_TOKEN_LENGTH_MAX: Final = 16 * 1024
BUSY_STATUSES: Final = frozenset({429, 502, 503, 504})


class _TokenReply(msgspec.Struct):
    access_token: str = ""
    expires_in: float = _LIFETIME_S_DEFAULT
    error: str = ""
    error_description: str = ""


class TokenSource:
    """Hands out a token that is valid for a while; one request for it at a time."""

    def __init__(
        self, profile: Profile, transport: Transport, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport = transport
        self._now_s = now_s
        self._request = _token_request(profile)
        self._token: str | None = None
        self._renew_at_s = 0.0
        self._fetching = asyncio.Lock()

    async def token(self) -> str:
        """Return a valid token.

        Raises LoginRefusedError, SystemUnreachableError or ProtocolError.
        """
        if self._token is None or self._now_s() >= self._renew_at_s:
            async with self._fetching:
                if self._token is None or self._now_s() >= self._renew_at_s:
                    await self._fetch()
        assert self._token is not None
        return self._token

    def forget(self, token: str) -> None:
        """Drop a token that was refused, unless another one has taken its place already."""
        if self._token == token:
            self._token = None

    async def send(self, build: Callable[[str], HttpRequest]) -> tuple[HttpReply, Exchange]:
        """Send the request that `build` makes of a token, and return the reply.

        A refused token is renewed once, and the request repeated with it: nothing was done with
        the refused one, so that holds for state changes too.
        """
        token = await self.token()
        request = build(token)
        reply = await self._transport.send(request)
        if reply.status == 401:
            self.forget(token)
            request = build(await self.token())
            reply = await self._transport.send(request)
        return reply, record_exchange(request, reply)

    async def _fetch(self) -> None:
        reply = await self._transport.send(self._request)
        # The body is left out of the record: it holds the token, however it may be written.
        exchange = record_exchange(self._request, reply._replace(body=b"***"))
        answer = _decoded(reply, exchange)
        token = answer.access_token
        if not token or not token.isascii() or not token.isprintable():
            raise ProtocolError("The token service answered without a token.", exchange=exchange)
        if len(token) > _TOKEN_LENGTH_MAX:
            raise ProtocolError("The token is too long.", exchange=exchange)
        self._token = token
        # Half of a short life, so that no token is asked for with every call.
        life_s = max(answer.expires_in, 0.0)
        self._renew_at_s = self._now_s() + max(life_s - _RENEW_BEFORE_S, life_s / 2)


def _token_request(profile: Profile) -> HttpRequest:
    assert profile.token_url is not None, "a profile for REST has a token address"
    form = {
        "grant_type": "client_credentials",
        "client_id": profile.client_id or "",
        "client_secret": profile.client_secret or "",
    }
    secret = urlencode({"client_secret": profile.client_secret or ""}).partition("=")[2]
    return HttpRequest(
        method="POST",
        url=profile.token_url,
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "User-Agent": profile.user_agent,
        },
        body=urlencode(form).encode(),
        secrets=(secret.encode(),),
    )


def _decoded(reply: HttpReply, exchange: Exchange) -> _TokenReply:
    """Return the answer of the token service. A refusal and an answer out of form are raised."""
    answer: _TokenReply | None
    try:
        answer = msgspec.json.decode(reply.body, type=_TokenReply)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = None
    if reply.status == 200 and answer is not None:
        return answer
    if reply.status in (400, 401, 403):
        # RFC 6749, section 5.2: invalid_client and its like come with 400 or 401.
        code = answer.error if answer is not None and answer.error else None
        why = (answer.error_description or answer.error) if answer is not None else ""
        raise LoginRefusedError(
            f"The token service refused the client id or secret: {why or reply.status}.",
            return_code=code,
            exchange=exchange,
        )
    if reply.status in BUSY_STATUSES:
        raise SystemUnreachableError(
            f"The token service is not available: HTTP {reply.status}.",
            exchange=exchange,
            retry_after_s=retry_after_s(reply.headers),
        )
    raise ProtocolError(
        f"The token service gave no intelligible answer: HTTP {reply.status}.", exchange=exchange
    )
