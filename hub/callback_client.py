"""One call to an organisation's endpoint. It is a stranger: everything it does is bounded.

Redirects are not followed, cookies not kept, proxies of the environment not used; of an answer
that refuses, the first bytes are kept to be shown, of others nothing is read.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import aiohttp

from emvs.callback_signatures import (
    NOTICE_ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    sign,
)
from hub.defects import printable

_ANSWER_BYTES_MAX: Final = 512
_EXCERPT_LENGTH_MAX: Final = 200


class CallResult(NamedTuple):
    """How a call ended; `error` is None if the endpoint took the notice."""

    http_status: int | None
    error: str | None


def open_session(connections_max: int) -> aiohttp.ClientSession:
    """Return the session of all callbacks. The caller closes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections_max),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"User-Agent": "EMVS-hub-callback", "Accept-Encoding": "identity"},
    )


async def call(
    session: aiohttp.ClientSession,
    url: str,
    *,
    secret: str,
    notice_id: str,
    body: bytes,
    at_s: int,
    timeout_s: float,
) -> CallResult:
    """Post a notice and return what came of it. Never raises for what the other end does."""
    timestamp = str(at_s)
    headers = {
        "Content-Type": "application/json",
        NOTICE_ID_HEADER: notice_id,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(secret, timestamp, body),
    }
    status: int | None = None
    try:
        async with (
            asyncio.timeout(timeout_s),
            session.post(url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            status = response.status
            if 200 <= status < 300:
                return CallResult(status, None)
            if 300 <= status < 400:
                return CallResult(status, f"HTTP {status}: redirects are not followed")
            excerpt = await response.content.read(_ANSWER_BYTES_MAX)
    except TimeoutError:
        return CallResult(status, _said(status, f"no answer within {timeout_s:g} s"))
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return CallResult(status, _said(status, printable(f"{type(error).__name__}: {error}")))
    text = printable(excerpt.decode("utf-8", "replace").strip(), _EXCERPT_LENGTH_MAX)
    return CallResult(status, _said(status, text))


def _said(status: int | None, text: str) -> str:
    return text if status is None else f"HTTP {status}: {text}".rstrip(": ")
