"""HTTP plumbing for every server: bounded bodies, problem JSON, listening on a port.

No path and no message is known here. Errors that carry a sentence (`emvs.errors`) become RFC 9457
problems; anything else is a defect of ours: logged with the request id, answered without detail.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import asyncpg
import msgspec
import orjson
from aiohttp import StreamReader, web

from emvs.errors import BadRequestError, EmvsError, OverloadedError, TooLargeError, UnavailableError
from emvs.infra.body_parts import BodyParts, coding_of
from emvs.infra.database import CONNECTION_ERRORS
from emvs.infra.json_trouble import trouble
from emvs.infra.logs import get_logger

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Message = TypeVar("_Message")
_log = get_logger(__name__)

KEEP_ALIVE_S: Final = 75.0
"""An idle connection, or one whose request head does not end, is closed after so long."""
LINGER_S: Final = 2.0
"""How long the rest of a refused body is read and thrown away, so that the answer arrives."""
_BACKLOG: Final = 1024


async def read_body(request: web.BaseRequest, *, bytes_max: int, timeout_s: float) -> bytes:
    """Return the whole body, unpacked.

    Raises TooLargeError as soon as the length is known to pass `bytes_max`, SlowSenderError after
    `timeout_s`, UnsupportedMediaError if it is packed in a way that is not read here,
    BadRequestError if the transfer or its compression is broken, and ConnectionResetError if the
    sender has gone.
    """
    content = request.content
    if content.is_eof() and not coding_of(request):  # The usual case: it came with the head.
        body = b"".join(_held(content))  # A lone chunk is not copied.
        if len(body) > bytes_max:
            raise TooLargeError(f"the body has more than {bytes_max} bytes")
        return body
    parts: list[bytes] = []
    await _receive(request, parts.append, bytes_max=bytes_max, timeout_s=timeout_s)
    return b"".join(parts)


async def read_large_body(
    request: web.BaseRequest,
    *,
    bytes_max: int,
    timeout_s: float,
    note_size: Callable[[int], None],
) -> bytearray:
    """Return a body that may have a hundred megabytes; else as `read_body`.

    It grows as it arrives: to join its parts at the end would keep everybody waiting. `note_size`
    is told the size so far; what it raises is raised.
    """
    body = bytearray()

    def take(chunk: bytes) -> None:
        note_size(len(body) + len(chunk))
        body.extend(chunk)

    await _receive(request, take, bytes_max=bytes_max, timeout_s=timeout_s)
    return body


async def _receive(
    request: web.BaseRequest,
    take: Callable[[bytes], None],
    *,
    bytes_max: int,
    timeout_s: float,
) -> None:
    length = request.content_length
    if length is not None and length > bytes_max:
        raise TooLargeError(f"the body has {length} bytes, at most {bytes_max} are taken")
    parts = BodyParts(request, bytes_max=bytes_max, wait_s_max=timeout_s)
    while part := await parts.read():
        take(part)


def _held(content: StreamReader) -> Sequence[bytes]:
    """Return what a stream that has ended still holds, if possible without reading it: each read
    has aiohttp go through its parser and its transport once more, as more might come."""
    chunks: Sequence[bytes] | None = getattr(content, "_buffer", None)
    if chunks is not None:
        return chunks
    return [content.read_nowait()] if content.total_bytes else []


def decode_body(body: bytes, kind: type[_Message]) -> _Message:
    """Return the JSON message in `body`. Raises BadRequestError naming the wrong member."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequestError(trouble(body, kind, error)) from error


def json_response(
    content: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """Return `content` as JSON."""
    return web.Response(
        body=orjson.dumps(content), status=status, content_type="application/json", headers=headers
    )


def bearer_token(request: web.BaseRequest) -> str | None:
    """Return the token of an `Authorization: Bearer` header, whatever its case."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def problem_response(error: EmvsError, request_id: str) -> web.Response:
    """Return an error as a problem document (RFC 9457)."""
    headers = {"X-Request-Id": request_id}
    if isinstance(error, OverloadedError):
        headers["Retry-After"] = str(error.retry_after_s)
    elif error.http_status == 503:
        headers["Retry-After"] = "1"
    elif error.http_status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = {
        "type": "about:blank",
        "title": error.title,
        "status": error.http_status,
        "detail": str(error),
        "requestId": request_id,
    }
    return web.Response(
        body=orjson.dumps(body),
        status=error.http_status,
        content_type="application/problem+json",
        headers=headers,
    )


@web.middleware
async def render_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error of a handler into a problem document."""
    request_id = secrets.token_hex(8)
    try:
        return await handler(request)
    except EmvsError as error:
        return problem_response(error, request_id)
    except web.HTTPException as error:
        known = EmvsError(f"{request.method} {request.path}: {error.reason}")
        known.http_status, known.title = error.status, error.reason
        return problem_response(known, request_id)
    except ConnectionResetError:
        raise
    except asyncpg.DataError:
        unfit = BadRequestError("the message holds a character or figure that cannot be stored")
        return problem_response(unfit, request_id)
    except CONNECTION_ERRORS as error:
        _log.warning("database away", action="database_away", error=repr(error))
        away = UnavailableError("the database is away; nothing was done, try again")
        return problem_response(away, request_id)
    except Exception:  # noqa: BLE001 - a defect of ours: logged, answered without detail.
        _log.exception("request failed", action="request_failed", request_id=request_id)
        return problem_response(EmvsError("an internal error; see the log"), request_id)


class Site:
    """A listening server; `port` is the real one where 0 was asked for."""

    def __init__(self, runner: web.BaseRunner, port: int) -> None:
        self._runner = runner
        self.port = port

    async def listen_with_tls(self, host: str, port: int, tls: ssl.SSLContext) -> int:
        """Let the same server listen on a second port, for HTTPS alone; return the real one."""
        await _start(web.TCPSite(self._runner, host, port, backlog=_BACKLOG, ssl_context=tls))
        return int(self._runner.addresses[-1][1])

    async def close(self) -> None:
        """Stop listening, let running requests end for a moment, close all connections."""
        await self._runner.cleanup()


async def serve_app(app: web.Application, host: str, port: int) -> Site:
    """Listen for an application."""
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEP_ALIVE_S,
        lingering_time=LINGER_S,
        shutdown_timeout=5,
        auto_decompress=False,  # `emvs.infra.body_parts` does.
    )
    return await _listen(runner, host, port)


async def serve_handler(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
) -> Site:
    """Listen for a bare handler: no routing, no middleware, nothing on the hot path. With `tls`
    for HTTPS alone."""
    server = web.Server(
        handler,
        access_log=None,
        keepalive_timeout=KEEP_ALIVE_S,
        lingering_time=LINGER_S,
        auto_decompress=False,  # `emvs.infra.body_parts` does.
    )
    return await _listen(web.ServerRunner(server, shutdown_timeout=5), host, port, tls)


async def _listen(
    runner: web.BaseRunner, host: str, port: int, tls: ssl.SSLContext | None = None
) -> Site:
    await runner.setup()
    try:
        await _start(web.TCPSite(runner, host, port, backlog=_BACKLOG, ssl_context=tls))
    except EmvsError:
        await runner.cleanup()
        raise
    return Site(runner, runner.addresses[0][1])


async def _start(site: web.TCPSite) -> None:
    try:
        await site.start()
    except OSError as error:
        address = site.name.partition("://")[2]
        raise EmvsError(f"cannot listen on {address}: {error.strerror}") from error
