"""Connections to the system under test, one for each actor, and the record of what was said.

Below the client library on purpose: the book sends what a careful client would not, and looks at
answers that it would not understand.
"""

from __future__ import annotations

import msgspec

from pharmacy_client.exchange import Exchange, HttpReply, HttpRequest, record_exchange
from pharmacy_client.profile import Profile
from pharmacy_client.testbook.report import Sent
from pharmacy_client.tokens import TokenSource
from pharmacy_client.transport import AiohttpTransport


class Till:
    """One login."""

    def __init__(self, profile: Profile) -> None:
        """Needs a running event loop. Raises ProfileError."""
        self._profile = profile
        self._transport = AiohttpTransport(profile)
        self._tokens = TokenSource(profile, self._transport)

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def log_in(self) -> None:
        """Fetch a token. Raises LoginRefusedError, SystemUnreachableError or ProtocolError."""
        await self._tokens.token()

    @property
    def base(self) -> str:
        """What stands before `/product`."""
        return self._profile.url.rstrip("/")

    @property
    def report_base(self) -> str:
        """What stands before `/report`: the host, or what it has before the usual prefixes."""
        for prefix in ("/verification", "/api"):
            if self.base.lower().endswith(prefix):
                return self.base[: -len(prefix)]
        return self.base

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: object = None,
        log: list[Sent],
    ) -> HttpReply:
        """Return the reply to a request, and log both. `body` is sent as JSON.

        A refused token is renewed once: the clock of the system may have been moved.
        """
        content = None if body is None else msgspec.json.encode(body)
        is_renewed = False
        while True:
            token = await self._tokens.token()
            request = HttpRequest(
                method=method,
                url=url,
                headers=self._standing_headers(token, has_body=body is not None) | (headers or {}),
                body=content,
                changes_state=method != "GET",
                secrets=(token.encode(),),
            )
            reply = await self._transport.send(request)
            log.append(_sent(record_exchange(request, reply)))
            if reply.status != 401 or is_renewed:
                return reply
            self._tokens.forget(token)
            is_renewed = True

    def _standing_headers(self, token: str, *, has_body: bool) -> dict[str, str]:
        profile = self._profile
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Accept-Language": profile.locale,
            "User-Agent": profile.user_agent,
        }
        if profile.api_version is not None:
            headers["emvs-api-version"] = profile.api_version
        if has_body:
            headers["Content-Type"] = "application/json"
        return headers


def _sent(exchange: Exchange) -> Sent:
    return Sent(
        exchange.request.decode("utf-8", "replace"), exchange.reply.decode("utf-8", "replace")
    )
