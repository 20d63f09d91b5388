"""Access tokens of the sites that speak REST, fetched in time. Runs on gevent."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit

from loadtests.scenarios.connection import Reply
from loadtests.scenarios.messages import Request, Writer
from loadtests.scenarios.plan import Site

_EARLY_SHARE: Final = 0.8
"""A token is renewed when so much of its life is over."""
_RETRY_S: Final = 5.0


class Client(Protocol):
    """Whoever sends a request."""

    def send(self, request: Request) -> Reply:
        """Return the answer."""


class Tokens:
    """Puts each site's token into its writer."""

    def __init__(
        self, sites: Sequence[Site], writers: Sequence[Writer], clients: Sequence[Client]
    ) -> None:
        self._sites, self._writers, self._clients = sites, writers, clients
        self._renew_at = [float("inf") if site.rest is None else 0.0 for site in sites]

    def keep(self, number: int) -> None:
        """See that a site's token is good for a while."""
        if time.monotonic() >= self._renew_at[number]:
            self.refresh(number)

    def refresh(self, number: int) -> None:
        """Fetch a new token; without an answer the old one stays, and requests tell the rest."""
        site = self._sites[number]
        if site.rest is None:
            return
        self._renew_at[number] = time.monotonic() + _RETRY_S  # Others go on with the old one.
        form = {
            "grant_type": "client_credentials",
            "client_id": site.rest.client_id,
            "client_secret": site.rest.client_secret,
        }
        head = (
            f"Host: {urlsplit(site.base).netloc}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
        )
        request = Request("POST", "/connect/token", head, urlencode(form))
        reply = self._clients[number].send(request)
        if reply.status != 200:
            return
        try:
            answer = json.loads(reply.body)
            token, life_s = answer["access_token"], float(answer["expires_in"])
        except (ValueError, KeyError, TypeError):
            return
        self._writers[number].token = str(token)
        self._renew_at[number] = time.monotonic() + _EARLY_SHARE * life_s
