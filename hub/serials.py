"""Serial numbers on order, and how a request comes along: what is answered as a stream. Bounded.

`POST /obp/v1/serials` makes serial numbers that meet Delegated Regulation (EU) 2016/161, Art. 4;
the answer is NDJSON, one JSON string a line, and stands behind a head as it is
(`hub.line_uploads`).
The hub remembers none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Final

import msgspec
import orjson
from aiohttp import web
from msgspec import Meta

from emvs.errors import BadRequestError, NotFoundError, OverloadedError
from emvs.infra.database import CONNECTION_ERRORS
from emvs.infra.web import decode_body, read_body
from emvs.obp_messages import RequestStatus
from emvs.serial_generator import (
    LENGTH_DEFAULT,
    UNMISTAKABLE,
    SerialOrder,
    random_source,
    serial_slices,
)
from hub.answers import request_status
from hub.body_forms import check_form
from hub.organisations import Client
from hub.progress import ProgressBoard
from hub.store.connections import Pool

COUNT_MAX: Final = 1_000_000
"""Serial numbers of one order at the hub: a large batch (our choice)."""
_ORDERS_AT_ONCE: Final = 1
"""An order of a million needs some 120 MB, as no two may be alike."""
_WAIT_S_MAX: Final = 10.0
_RETRY_AFTER_S: Final = 5
_BODY_BYTES_MAX: Final = 4_096
_WRITE_S_MAX: Final = 30.0
_ORDER_S_MAX: Final = 120.0
"""A million are made in seconds; whoever reads more slowly than so keeps all others waiting."""
_STREAMS_MAX: Final = 50
_STREAM_S_MAX: Final = 600.0
_PERIOD_S: Final = 0.25
_ENDED: Final = frozenset({"STIV", "STDS", "STDF"})


class SerialOrderMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Body of `POST /obp/v1/serials`."""

    count: Annotated[int, Meta(ge=1, le=COUNT_MAX)]
    length: int = LENGTH_DEFAULT
    alphabet: str = UNMISTAKABLE
    test_seed: int | None = None
    """For tests only: whoever knows it knows every serial number."""


class StreamHandlers:
    """Answers that take their time."""

    def __init__(
        self, pool: Pool, progress: ProgressBoard, client_of: Callable[[web.Request], Client]
    ) -> None:
        self._pool = pool
        self._progress = progress
        self._client_of = client_of
        self._orders = asyncio.Semaphore(_ORDERS_AT_ONCE)
        self._stream_count = 0

    def add_routes(self, app: web.Application) -> None:
        """Add the paths."""
        app.router.add_post("/obp/v1/serials", self.serials)
        app.router.add_get("/obp/v1/requests/{transaction_id}/progress", self.events)

    async def serials(self, request: web.Request) -> web.StreamResponse:
        """`POST /obp/v1/serials`: serial numbers on order."""
        self._client_of(request)
        check_form(request, takes_lines=False)
        body = await read_body(request, bytes_max=_BODY_BYTES_MAX, timeout_s=_WAIT_S_MAX)
        wanted = decode_body(body, SerialOrderMessage)
        try:
            order = SerialOrder(wanted.count, wanted.length, wanted.alphabet)
        except ValueError as error:
            raise BadRequestError(str(error)) from error
        try:
            async with asyncio.timeout(_WAIT_S_MAX):
                await self._orders.acquire()
        except TimeoutError as error:
            raise OverloadedError(
                "serial numbers are being made for somebody else", retry_after_s=_RETRY_AFTER_S
            ) from error
        try:
            headers = {
                "Content-Type": "application/x-ndjson",
                "EMVS-Guess-Probability": f"{order.guess_probability:.3g}",
            }
            if wanted.test_seed is not None:
                headers["EMVS-For-Tests-Only"] = "made from a seed"
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            until_s = asyncio.get_running_loop().time() + _ORDER_S_MAX
            for some in serial_slices(order, random_source(wanted.test_seed)):
                if asyncio.get_running_loop().time() > until_s:
                    response.force_close()
                    raise ConnectionResetError("the reader keeps others waiting")
                await _write(response, b"\n".join(map(orjson.dumps, some)) + b"\n")
                await asyncio.sleep(0)
            await response.write_eof()
            return response
        finally:
            self._orders.release()

    async def events(self, request: web.Request) -> web.StreamResponse:
        """`GET /obp/v1/requests/{transaction id}/progress`: Server-Sent Events, one whenever
        something has changed, until the request ends. May be asked while the message comes in."""
        client = self._client_of(request)
        transaction_id = request.match_info["transaction_id"]
        event = await self._event(transaction_id, client)
        if self._stream_count >= _STREAMS_MAX:
            raise OverloadedError(f"{_STREAMS_MAX} progress streams are open; poll the request")
        self._stream_count += 1
        try:
            headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            until_s = asyncio.get_running_loop().time() + _STREAM_S_MAX
            last = b""
            while True:
                if event != last:
                    await _write(response, event)
                last = event
                over = asyncio.get_running_loop().time() > until_s
                if over or event.startswith(b"event: end"):
                    break
                await asyncio.sleep(_PERIOD_S)
                if request.transport is None or request.transport.is_closing():
                    break  # Whoever has gone keeps no place.
                event = await self._next_event(transaction_id, client)
            await response.write_eof()
            return response
        finally:
            self._stream_count -= 1

    async def _next_event(self, transaction_id: str, client: Client) -> bytes:
        """Return what follows in a stream, which can no longer be answered with a status."""
        try:
            return await self._event(transaction_id, client)
        except NotFoundError:
            # It was coming, and was refused: whoever sent it is told why.
            return b"event: end\ndata: " + orjson.dumps({"status": "NotStored"}) + b"\n\n"
        except CONNECTION_ERRORS as error:
            raise ConnectionResetError("the database is away") from error

    async def _event(self, transaction_id: str, client: Client) -> bytes:
        try:
            status = await request_status(self._pool, transaction_id, client)
        except NotFoundError:
            count = self._progress.coming_count(transaction_id, client.organisation_id)
            if count is None:
                raise
            told = {"status": "Receiving", "progress": [{"stage": "received", "count": count}]}
            return b"event: progress\ndata: " + orjson.dumps(told) + b"\n\n"
        return _event_of(status, self._progress)


def _event_of(status: RequestStatus, progress: ProgressBoard) -> bytes:
    name = b"end" if status.status in _ENDED else b"progress"
    told = {"status": status.status, "progress": progress.of(status)}
    return b"event: " + name + b"\ndata: " + orjson.dumps(told) + b"\n\n"


async def _write(response: web.StreamResponse, part: bytes) -> None:
    try:
        async with asyncio.timeout(_WRITE_S_MAX):
            await response.write(part)
    except TimeoutError as error:
        response.force_close()
        raise ConnectionResetError("the reader takes nothing") from error
