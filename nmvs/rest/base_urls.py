"""The address that a client reached us under, as absolute addresses in answers begin with it."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web
from multidict import istr

_HOST: Final = istr("Host")
_IS_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
).fullmatch
"""A name, or an address, and a port (RFC 3986, 3.2.2, without what only other schemes use)."""


def base_url(request: web.BaseRequest, prefix: str = "") -> str:
    """Return scheme, host and prefix, without a slash at the end.

    The host is what the client wrote, port and all, as a proxy may stand between; if that is no
    host, or nothing, it is where the request arrived. Clients turn the result into an address
    object and break if it is none.
    """
    host = request.headers.get(_HOST, "")
    if not _IS_HOST(host):
        host = _arrived_at(request)
    return f"{request.scheme}://{host}{prefix}"


def _arrived_at(request: web.BaseRequest) -> str:
    transport = request.transport
    address = None if transport is None else transport.get_extra_info("sockname")
    if not isinstance(address, tuple):
        return "localhost"
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
