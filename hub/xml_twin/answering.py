"""Which form a request has and its answer shall have, by `Content-Type` and `Accept`."""

from __future__ import annotations

import asyncio
from typing import Final

import orjson
from aiohttp import web

from emvs.infra.web import Handler
from hub.xml_twin.writing import xml_of

_XML: Final = ("application/xml", "text/xml")
_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"
_PARTS_AT_ONCE: Final = 2_000
_ACCEPT_PARTS_MAX: Final = 20


def is_xml(request: web.BaseRequest) -> bool:
    """Tell whether a request's body is XML."""
    return request.content_type in _XML


@web.middleware
async def answer_in_kind(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write a JSON answer as XML if the sender of the request rather wants that."""
    response = await handler(request)
    is_problem = response.content_type == _PROBLEM
    if (
        not isinstance(response, web.Response)
        or not (is_problem or response.content_type == _JSON)
        or not isinstance(response.body, bytes)
        or not request.path.startswith("/obp/")
        or not _wants_xml(request.headers.get("Accept", ""))
    ):
        return response
    parts: list[str] = []
    for part in xml_of(orjson.loads(response.body), is_problem=is_problem):
        parts.append(part)
        if len(parts) % _PARTS_AT_ONCE == 0:
            await asyncio.sleep(0)
    response.body = "".join(parts).encode()
    response.content_type = "application/problem+xml" if is_problem else "application/xml"
    response.charset = "utf-8"
    return response


def _wants_xml(accept: str) -> bool:
    """Tell whether XML is named, and JSON is not wanted more."""
    wanted = {"xml": 0.0, "json": 0.0}
    for part in accept.split(",")[:_ACCEPT_PARTS_MAX]:
        name, _, rest = part.partition(";")
        name = name.strip().lower()
        form = "xml" if name in {*_XML, "application/problem+xml"} else ""
        if name in {_JSON, _PROBLEM}:
            form = "json"
        if form:
            wanted[form] = max(wanted[form], _quality(rest))
    return wanted["xml"] > wanted["json"]


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, text = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(text)
            except ValueError:
                return 0.0
    return 1.0
