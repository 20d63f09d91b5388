"""GET at the SOAP services: the WSDL and schemas, or where they are."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from nmvs.soap.interface import Interface
from nmvs.soap.wsdl import describe, list_addresses

_XML: Final = CIMultiDict({"Content-Type": "text/xml; charset=utf-8"})
_TEXT: Final = CIMultiDict({"Content-Type": "text/plain; charset=utf-8"})


def describe_services(request: web.BaseRequest, interface: Interface) -> web.Response:
    """Answer a GET: the definitions, or where they are."""
    if request.method not in ("GET", "HEAD"):
        headers = _TEXT.copy()
        headers["Allow"] = "GET, HEAD, POST"
        return web.Response(status=405, text="SOAP messages come by POST\n", headers=headers)
    path, query = request.rel_url.raw_path, request.rel_url.raw_query_string
    document = describe(path, query, scheme=request.scheme, host=request.host, interface=interface)
    if document is not None:
        return web.Response(body=document.encode(), headers=_XML)
    text = list_addresses(scheme=request.scheme, host=request.host, interface=interface)
    return web.Response(status=404, body=f"The definitions are at\n{text}".encode(), headers=_TEXT)
