"""The management port's paths for audit trail and retention. Parse, call, stream.

`GET /audit` answers as JSON a page with a cursor to the next one, as CSV all there is. The port is
the tester's: a role is told, not proved.
"""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from aiohttp import web

from emvs.errors import BadRequestError, OverloadedError
from emvs.infra.logs import get_logger
from emvs.infra.web import json_response
from emvs.limits import AUDIT_READERS_MAX, AUDIT_ROWS_DEFAULT, AUDIT_ROWS_MAX, AUDIT_WRITE_S_MAX
from emvs.outcomes import Outcome
from emvs.roles import Role
from nmvs.audit import SLICE_ROWS, Audit, AuditRequest
from nmvs.audit_export import csv_header, csv_of
from nmvs.audit_queries import Place

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PARAMETERS: Final = frozenset(
    {
        "role",
        "location",
        "product_code",
        "serial",
        "from",
        "to",
        "outcome",
        "format",
        "limit",
        "cursor",
    }
)
_TEXT_LENGTH_MAX: Final = 100
_PLACE: Final = struct.Struct(">Q16s16s")

_log = get_logger(__name__)


def add_audit_routes(
    app: web.Application, audit: Audit, retention_report: Callable[[], dict[str, Any]]
) -> None:
    """Add `GET /audit` and `GET /retention`."""
    readers = asyncio.Semaphore(AUDIT_READERS_MAX)

    async def get_audit(request: web.Request) -> web.StreamResponse:
        wanted = _wanted(request)
        as_csv = _format(request) == "csv"
        rows_max = None if as_csv else _limit(request)
        if readers.locked():
            raise OverloadedError(f"{AUDIT_READERS_MAX} audit trails are being read")
        async with readers:
            await audit.check(wanted)
            if as_csv:
                return await _send(request, "text/csv", _csv(audit, wanted))
            assert rows_max is not None
            return await _send(request, "application/json", _json(audit, wanted, rows_max))

    async def get_retention(_: web.Request) -> web.Response:
        return json_response(retention_report())

    app.router.add_get("/audit", get_audit)
    app.router.add_get("/retention", get_retention)


def add_pack_audit_route(app: web.Application, audit: Audit) -> None:
    """Add `GET /hub/v1/audit/{product code}?serial=…` to the port that the hub talks to."""

    async def get_pack_audit(request: web.Request) -> web.Response:
        serial_number = _text(request, "serial")
        if serial_number is None:
            raise BadRequestError("the query parameter serial is missing")
        return json_response(await audit.of_pack(request.match_info["product_code"], serial_number))

    app.router.add_get("/hub/v1/audit/{product_code}", get_pack_audit)


async def _csv(audit: Audit, wanted: AuditRequest) -> AsyncIterator[bytes]:
    yield csv_header().encode()
    async for entries in audit.read_all(wanted):
        yield csv_of(entries).encode()


async def _json(audit: Audit, wanted: AuditRequest, rows_max: int) -> AsyncIterator[bytes]:
    """Yield `{"entries": […], "next": cursor or null}`."""
    yield b'{"entries":['
    count, last = 0, None
    async for part in audit.read(wanted, rows_max=min(SLICE_ROWS, rows_max + 1)):
        room = rows_max - count
        if room:
            lines = [orjson.dumps(entry) for entry in part.entries[:room]]
            yield (b"," if count else b"") + b",".join(lines)
            count, last = count + len(lines), part.places[:room][-1]
        if len(part.entries) > room:
            assert last is not None
            yield b'],"next":"' + _cursor(last).encode() + b'"}'
            return
    yield b'],"next":null}'


async def _send(
    request: web.Request, content_type: str, parts: AsyncIterator[bytes]
) -> web.StreamResponse:
    """Stream the parts. Trouble after the first one breaks the connection: half a trail must not
    look like a whole one."""
    first = [await anext(parts), await anext(parts, b"")]
    response = web.StreamResponse(headers={"Content-Type": f"{content_type}; charset=utf-8"})
    await response.prepare(request)
    try:
        for part in first:
            await _write(response, part)
        async for part in parts:
            await _write(response, part)
        await response.write_eof()
    except ConnectionResetError:
        raise
    except Exception as error:
        _log.exception("audit trail not sent", action="audit_failed")
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the audit trail ends here") from error
    return response


async def _write(response: web.StreamResponse, part: bytes) -> None:
    if part:
        async with asyncio.timeout(AUDIT_WRITE_S_MAX):
            await response.write(part)


def _wanted(request: web.Request) -> AuditRequest:
    query = request.query
    if unknown := sorted(query.keys() - _PARAMETERS):
        raise BadRequestError(f"{unknown[0]!a} is no parameter: {', '.join(sorted(_PARAMETERS))}")
    try:
        role = Role(query.get("role", ""))
    except ValueError as error:
        raise BadRequestError(f"role is one of {', '.join(Role)}") from error
    return AuditRequest(
        role,
        location=_text(request, "location"),
        product_code=_text(request, "product_code"),
        serial_number=_text(request, "serial"),
        start=_time(request, "from"),
        end=_time(request, "to"),
        outcomes=_outcomes(request),
        after=_place(query["cursor"]) if "cursor" in query else None,
    )


def _text(request: web.Request, name: str) -> str | None:
    value = request.query.get(name)
    if value is not None and not (0 < len(value) <= _TEXT_LENGTH_MAX and value.isprintable()):
        raise BadRequestError(f"{name} has 1 to {_TEXT_LENGTH_MAX} printable characters")
    return value


def _time(request: web.Request, name: str) -> datetime | None:
    value = request.query.get(name)
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequestError(f"{name}: {value!a} is no ISO 8601 time") from error


def _outcomes(request: web.Request) -> list[Outcome] | None:
    text = _text(request, "outcome")
    if text is None:
        return None
    try:
        return [Outcome[name] for name in text.split(",")]
    except KeyError as error:
        raise BadRequestError(
            f"outcome: {error.args[0]!a} is none: {', '.join(Outcome.__members__)}"
        ) from error


def _format(request: web.Request) -> str:
    value: str = request.query.get("format", "json")
    if value not in {"json", "csv"}:
        raise BadRequestError("format is json or csv")
    if value == "csv" and "limit" in request.query:
        raise BadRequestError("CSV is not cut into pages: select with from and to")
    return value


def _limit(request: web.Request) -> int:
    value = request.query.get("limit", str(AUDIT_ROWS_DEFAULT))
    if value.isascii() and value.isdigit() and len(value) < 10:
        limit = int(value)
        if 1 <= limit <= AUDIT_ROWS_MAX:
            return limit
    raise BadRequestError(f"limit is from 1 to {AUDIT_ROWS_MAX}")


def _cursor(place: Place) -> str:
    micros = (place.recorded_at - _EPOCH) // timedelta(microseconds=1)
    packed = _PLACE.pack(micros, place.pack_key, place.transaction_id)
    return base64.urlsafe_b64encode(packed).decode()


def _place(cursor: str) -> Place:
    try:
        packed = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        micros, pack_key, transaction_id = _PLACE.unpack(packed)
        at = _EPOCH + timedelta(microseconds=micros)
    except (ValueError, struct.error, OverflowError) as error:
        raise BadRequestError("the cursor is not one of ours") from error
    return Place(at, pack_key, transaction_id)
