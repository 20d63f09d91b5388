"""`/epcis`: parse, call, render. Errors are problem documents in EPCIS' own words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from aiohttp import web

from emvs.errors import BadRequestError, EmvsError, OverloadedError
from emvs.infra.database import CONNECTION_ERRORS
from emvs.infra.web import read_body
from emvs.limits import HUB_BODY_BYTES_MAX
from hub.callers import client_of
from hub.epcis.captures import EVENTS_MAX, ROLLBACK, Captures
from hub.epcis.problems import NotAcceptableError, UnsupportedMediaTypeError, problem
from hub.organisations import Organisations

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_JSON_TYPES: Final = frozenset({"application/json", "application/ld+json"})
_PAGE_COUNT: Final = 30
_PAGE_COUNT_MAX: Final = 100
_AT_ONCE: Final = 2
"""Documents in memory at one time: each takes some six times its bytes."""
_RETRY_AFTER_S: Final = 5

HEADERS: Final = {
    "GS1-EPCIS-Version": "2.0.0",
    "GS1-EPCIS-Min": "2.0.0",
    "GS1-EPCIS-Max": "2.0.0",
    "GS1-CBV-Version": "2.0.0",
    "GS1-CBV-Min": "2.0.0",
    "GS1-CBV-Max": "2.0.0",
    "GS1-EPC-Format": "No_Preference",
    "GS1-EPCIS-Capture-Limit": str(EVENTS_MAX),
    "GS1-EPCIS-Capture-File-Size-Limit": str(HUB_BODY_BYTES_MAX),
    "GS1-Extensions": "emvs",
}


class EpcisHandlers:
    """The capture interface."""

    def __init__(
        self, captures: Captures, organisations: Organisations, *, body_s_max: float
    ) -> None:
        self._captures = captures
        self._organisations = organisations
        self._body_s_max = body_s_max
        self._room = asyncio.Semaphore(_AT_ONCE)

    def add_routes(self, app: web.Application) -> None:
        """Add the interface's paths."""
        app.router.add_post("/epcis/capture", _in_epcis(self.capture))
        app.router.add_get("/epcis/capture", _in_epcis(self.jobs))
        app.router.add_get("/epcis/capture/{capture_id}", _in_epcis(self.job))
        for path, methods in {
            "/epcis": "OPTIONS",
            "/epcis/capture": "GET, POST, OPTIONS",
            "/epcis/capture/{capture_id}": "GET, OPTIONS",
        }.items():
            app.router.add_route("OPTIONS", path, _discovery(methods))

    async def capture(self, request: web.Request) -> web.Response:
        """`POST /epcis/capture`: take a document in; 202 with the address of its job."""
        client = client_of(self._organisations, request)
        if request.content_type not in _JSON_TYPES:
            raise UnsupportedMediaTypeError("a capture is JSON: application/json or .../ld+json")
        try:
            async with asyncio.timeout(self._body_s_max):
                await self._room.acquire()
        except TimeoutError as error:
            raise OverloadedError(
                "too many captures come at once; nothing was stored", retry_after_s=_RETRY_AFTER_S
            ) from error
        try:
            body = await read_body(
                request, bytes_max=HUB_BODY_BYTES_MAX, timeout_s=self._body_s_max
            )
            behaviour = request.headers.get("GS1-Capture-Error-Behaviour", ROLLBACK).lower()
            capture_id = await self._captures.capture(body, client, behaviour)
        finally:
            self._room.release()
        return web.Response(status=202, headers={"Location": f"/epcis/capture/{capture_id}"})

    async def job(self, request: web.Request) -> web.Response:
        """`GET /epcis/capture/{captureID}`: how a capture stands."""
        client = client_of(self._organisations, request)
        job = await self._captures.job(request.match_info["capture_id"], client)
        return _json(job)

    async def jobs(self, request: web.Request) -> web.Response:
        """`GET /epcis/capture?perPage=...&nextPageToken=...`."""
        client = client_of(self._organisations, request)
        count = _figure(request, "perPage", _PAGE_COUNT, _PAGE_COUNT_MAX)
        after = _figure(request, "nextPageToken", 0, 2**62)
        jobs, following = await self._captures.page(client, after=after, count=max(count, 1))
        response = _json(jobs)
        if following is not None:
            link = f"/epcis/capture?perPage={count}&nextPageToken={following}"
            response.headers["Link"] = f'<{link}>; rel="next"'
        return response


def _figure(request: web.Request, name: str, default: int, figure_max: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= figure_max):
        raise BadRequestError(f"{name} is a number up to {figure_max}")
    return int(text)


def _json(content: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


def _discovery(methods: str) -> _Handler:
    async def options(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=HEADERS | {"Allow": methods})

    return options


def _in_epcis(handler: _Handler) -> _Handler:
    """Answer with EPCIS' headers, and errors with its problem types."""

    async def wrapped(request: web.Request) -> web.StreamResponse:
        try:
            wanted = request.headers.get("GS1-EPCIS-Version")
            if wanted is not None and not wanted.startswith("2.0"):
                raise NotAcceptableError("GS1-EPCIS-Version 2.0.0 is spoken here")
            response = await handler(request)
        except EmvsError as error:
            response = _json(problem(error.title, str(error), error.http_status), error.http_status)
            response.content_type = "application/problem+json"
            if isinstance(error, OverloadedError):
                response.headers["Retry-After"] = str(error.retry_after_s)
        except CONNECTION_ERRORS:
            text = "the database is away; nothing was done, try again"
            response = _json(problem("Not available", text, 503), 503)
            response.content_type = "application/problem+json"
            response.headers["Retry-After"] = "1"
        response.headers.update(HEADERS)
        return response

    return wrapped
