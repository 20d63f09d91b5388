"""The only module that knows the HTTP library: requests out, complete replies in, errors mapped.

Nothing is retried here on purpose: whether a repeat is safe depends on the operation. (The library
itself repeats a GET, never another method, when a kept-alive connection turns out to be closed.)
"""

from __future__ import annotations

import asyncio
import ssl
import time
from types import SimpleNamespace
from typing import Final

import aiohttp
from yarl import URL

from emvs.clients.connecting import UnusableCertificateError, reason_of, tls_context
from pharmacy_client.errors import (
    AnswerTimeoutError,
    PharmacyClientError,
    ProfileError,
    ProtocolError,
    SystemUnreachableError,
)
from pharmacy_client.exchange import HttpReply, HttpRequest, record_exchange
from pharmacy_client.profile import Profile

_CONNECTIONS_MAX: Final = 100
_CHUNK_BYTES: Final = 64 * 1024
# Replies are small and bounded: compression would only bring bombs.
_ACCEPT_ENCODING: Final = {"Accept-Encoding": "identity"}


class AiohttpTransport:
    """Connections to one national system and its token service, as the profile says."""

    def __init__(self, profile: Profile) -> None:
        """Raise ProfileError if certificates cannot be loaded. Needs a running event loop."""
        self._timeout = aiohttp.ClientTimeout(
            total=profile.timeout_s, connect=profile.connect_timeout_s, sock_connect=None
        )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=_CONNECTIONS_MAX, ssl=_ssl_context(profile) if profile.uses_tls else True
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            trace_configs=[_sending_trace()],
            # An answer is judged by its body; a compressed one was not asked for.
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def send(self, request: HttpRequest) -> HttpReply:
        """Return the reply, whatever its status.

        Raises SystemUnreachableError, AnswerTimeoutError, or ProtocolError for what is not HTTP
        or too large.
        """
        started = time.monotonic()
        sending = _Sending()
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),  # Encoded by us: %2F must stay %2F.
                headers={**request.headers, **_ACCEPT_ENCODING},
                data=request.body,
                # A redirect would take the password elsewhere; the interfaces know none.
                allow_redirects=False,
                trace_request_ctx=sending,
                timeout=self._timeout_of(request),
            ) as response:
                body = await _read_bounded(response, request)
                return HttpReply(
                    response.status,
                    {name.lower(): value for name, value in response.headers.items()},
                    body,
                    (time.monotonic() - started) * 1000,
                )
        except (aiohttp.ClientError, OSError) as error:  # A TimeoutError is an OSError.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # Cancelled while it was sending, the library says that the connection broke.
                raise asyncio.CancelledError from error
            # Whatever has not begun to leave cannot have changed a pack.
            uncertain = request.changes_state and sending.has_begun
            raise self._mapped(error, request, uncertain=uncertain) from error

    def _timeout_of(self, request: HttpRequest) -> aiohttp.ClientTimeout:
        if request.timeout_s is None:
            return self._timeout
        return aiohttp.ClientTimeout(total=request.timeout_s, connect=self._timeout.connect)

    def _mapped(
        self, error: Exception, request: HttpRequest, *, uncertain: bool
    ) -> PharmacyClientError:
        """Return our error for one of the library's; the most specific ones come first."""
        where = _place(request.url)
        exchange = record_exchange(request)
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return AnswerTimeoutError(f"No connection to {where} in time.", exchange=exchange)
        if isinstance(error, TimeoutError):
            return AnswerTimeoutError(
                f"No answer from {where} within {self._timeout_of(request).total:g} s.",
                exchange=exchange,
                may_have_acted=uncertain,
            )
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return SystemUnreachableError(
                f"The certificate of {where} is not trusted ({error.certificate_error}). Does the"
                " profile's `ca` belong to this system?",
                exchange=exchange,
            )
        if isinstance(error, aiohttp.ClientConnectorError):
            return SystemUnreachableError(
                f"No connection to {where}: {reason_of(error.os_error)}. Is the system running?",
                exchange=exchange,
            )
        if isinstance(error, aiohttp.InvalidURL):
            return ProfileError(f"{where} is not a usable address.")
        if isinstance(error, aiohttp.ClientResponseError):  # What came was not HTTP.
            return ProtocolError(
                f"{where} does not answer in HTTP.", exchange=exchange, may_have_acted=uncertain
            )
        return SystemUnreachableError(
            f"The connection to {where} broke before the answer was complete.",
            exchange=exchange,
            may_have_acted=uncertain,
        )


class _Sending:
    """Whether one request has begun to leave for the other side."""

    __slots__ = ("has_begun",)

    def __init__(self) -> None:
        self.has_begun = False


def _sending_trace() -> aiohttp.TraceConfig:
    async def begin(
        _: aiohttp.ClientSession,
        context: SimpleNamespace,
        __: aiohttp.TraceRequestHeadersSentParams,
    ) -> None:
        context.trace_request_ctx.has_begun = True

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(begin)
    return trace


async def _read_bounded(response: aiohttp.ClientResponse, request: HttpRequest) -> bytes:
    """Return the body; one that is too large is not read to its end."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > request.reply_bytes_max:
            response.close()
            raise ProtocolError(
                f"The answer of {_place(request.url)} is larger than {request.reply_bytes_max}"
                " bytes.",
                exchange=record_exchange(request),
                may_have_acted=request.changes_state,
            )
    return b"".join(chunks)


def _place(url: str) -> str:
    """Return scheme, host and port: what a user needs to know of an address."""
    return "/".join(url.split("/", 3)[:3])


def _ssl_context(profile: Profile) -> ssl.SSLContext:
    try:
        return tls_context(profile.ca, profile.certificate, profile.key)
    except UnusableCertificateError as error:
        raise ProfileError(str(error)) from error
