"""Who calls: the client whose token a request carries."""

from __future__ import annotations

from aiohttp import web

from emvs.errors import UnauthorisedError
from emvs.infra.web import bearer_token
from hub.organisations import Client, Organisations


def client_of(organisations: Organisations, request: web.Request) -> Client:
    """Return the client that a request comes from. Raises UnauthorisedError."""
    client = organisations.authenticate(bearer_token(request))
    if client is None:
        raise UnauthorisedError("a client's bearer token is wanted")
    return client
