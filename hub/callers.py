"""Who calls: the client whose token a request carries."""

from __future__ import annotations

from aiohttp import web

from emvs.errors import UnauthorisedError
from emvs.infra.web import bearer_token
from hub.organisations import Client, Organisations


def client_of(organisations: Organisations, request: web.Request) -> Client:
    """Return the client that a request comes from. Raises UnauthorisedError."""
    token = bearer_token(request)
    if token is None:
        raise UnauthorisedError("there is no token: send Authorization: Bearer and the client's")
    client = organisations.authenticate(token)
    if client is None:
        raise UnauthorisedError("the token is no client's: mistyped, replaced, or forgotten")
    return client
