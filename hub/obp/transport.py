"""The only module that knows the HTTP library: requests out, replies in, errors mapped.

Nothing is repeated here: whether that is safe depends on the request.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp

from emvs.clients.connecting import UnusableCertificateError, reason_of, tls_context
from hub.obp.errors import ObpClientError, ProfileError, ProtocolError, UnreachableError
from hub.obp.profile import Profile

REPLY_BYTES_MAX: Final = 64 * 1024 * 1024
"""A status with all its defects and refused packs has a few megabytes (our choice)."""
_CONNECTIONS_MAX: Final = 8
_CHUNK_BYTES: Final = 64 * 1024
_BYTES_PER_S_MIN: Final = 32 * 1024
"""No line that sends large bodies is slower (our choice)."""

Sent = Callable[[int], None]
"""Told how many bytes more of a body have left."""


class Reply(NamedTuple):
    """An answer, whatever its status; names of headers in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Connections to one hub."""

    def __init__(self, profile: Profile) -> None:
        """Raise ProfileError if certificates cannot be loaded. Needs a running event loop."""
        self._base = profile.url.rstrip("/")
        self._profile = profile
        tls = _ssl_context(profile) if profile.url.startswith("https:") else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, ssl=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Authorization": f"Bearer {profile.token}", "User-Agent": "emvs-obp/0.1"},
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        packed_file: Path | None = None,
        headers: Mapping[str, str] | None = None,
        sent: Sent | None = None,
    ) -> Reply:
        """Return the reply, whatever its status. `packed_file` is a body packed with gzip, which
        is read while it is sent.

        Raises UnreachableError, or ProtocolError for what is not HTTP or too large.
        """
        told = dict(headers or {})
        data: bytes | AsyncIterator[bytes] | None = body
        timeout_s = self._profile.timeout_s
        if packed_file is not None:
            told["Content-Encoding"] = "gzip"
            size = await asyncio.to_thread(lambda: packed_file.stat().st_size)
            timeout_s += size / _BYTES_PER_S_MIN
            data = _pieces(packed_file, sent)
        if data is not None:
            told["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                method,
                self._base + path,
                params=dict(query or {}),
                data=data,
                headers=told,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=self._profile.connect_timeout_s, sock_read=timeout_s
                ),
                # A redirect would take the token elsewhere; the interface knows none.
                allow_redirects=False,
            ) as response:
                names = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, names, await self._read(response))
        except (aiohttp.ClientError, OSError) as error:  # A TimeoutError is an OSError.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # Cancelled while it was sending, the library says that the connection broke.
                raise asyncio.CancelledError from error
            raise self._mapped(error) from error

    def _mapped(self, error: Exception) -> ObpClientError:
        """Return our error for one of the library's; the most specific ones come first."""
        where = self._base
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return UnreachableError(f"no connection to {where} in time")
        if isinstance(error, TimeoutError):
            return UnreachableError(f"no answer from {where} in time", may_have_acted=True)
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return UnreachableError(
                f"the certificate of {where} is not trusted ({error.certificate_error}): does the"
                " profile's `ca` belong to this hub?"
            )
        if isinstance(error, aiohttp.ClientConnectorError):
            reason = reason_of(error.os_error)
            return UnreachableError(f"no connection to {where}: {reason}. Is the hub running?")
        if isinstance(error, aiohttp.InvalidURL):
            return ProfileError(f"{where} is not a usable address")
        if isinstance(error, aiohttp.ClientResponseError):  # What came was not HTTP.
            return ProtocolError(f"{where} does not answer in HTTP")
        return UnreachableError(
            f"the connection to {where} broke before the answer was complete", may_have_acted=True
        )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            chunks.append(chunk)
            size += len(chunk)
            if size > REPLY_BYTES_MAX:
                response.close()
                text = f"the answer of {self._base} is larger than {REPLY_BYTES_MAX} bytes"
                raise ProtocolError(text)
        return b"".join(chunks)


async def _pieces(path: Path, sent: Sent | None) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    with file:
        while piece := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield piece
            if sent is not None:
                sent(len(piece))


def _ssl_context(profile: Profile) -> ssl.SSLContext:
    try:
        return tls_context(profile.ca, profile.certificate, profile.key)
    except UnusableCertificateError as error:
        raise ProfileError(str(error)) from error
