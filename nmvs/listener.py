"""The public listener: no router and no middleware, the raw path chooses the dialect.

Paths are looked at undecoded, because a serial number may hold an encoded slash.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web


class WireDialect(Protocol):
    """One wire format; never raises."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        ...


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def choose_dialect(soap: WireDialect | None, rest: WireDialect | None) -> Handler:
    """Return the handler that gives each request to its dialect.

    The SOAP services live under contexts that begin with WS_; a market with one dialect gives it
    everything.
    """
    if soap is None or rest is None:
        only = soap or rest
        assert only is not None, "a market speaks at least one dialect"
        return only.handle
    handle_soap, handle_rest = soap.handle, rest.handle

    # No coroutine of its own: that would be one more for each request.
    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        if request.raw_path[:4].upper() == "/WS_":
            return handle_soap(request)
        return handle_rest(request)

    return handle
