"""What leaves in one piece is what aiohttp would send, over real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from emvs.infra.plain_response import Head, PlainResponse
from emvs.infra.web import Site, serve_handler

HEADERS = {"Content-Type": "application/json", "Retry-After": "1"}
BODY = b'{"a":"\xc3\xa4"}'


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Answers /plain in one piece and anything else in aiohttp's way."""
    head = Head(503, HEADERS)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if not request.path.startswith("/plain"):
            return web.Response(status=503, body=BODY, headers=HEADERS)
        response = PlainResponse(head, BODY)
        if request.path.endswith("/last"):
            response.force_close()
        return response

    opened = await serve_handler(handle, "127.0.0.1", 0)
    yield opened
    await opened.close()


async def exchange(site: Site, text: str) -> bytes:
    """Send a text and return all that comes until the connection is closed by the other side."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(text.encode())
    async with asyncio.timeout(5):
        received = await reader.read()
    writer.close()
    await writer.wait_closed()
    return received


def answers(received: bytes, method: str) -> list[tuple[str, dict[str, str], bytes]]:
    """Split what came into status line, headers but for the date, and body."""
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert headers.pop("Date").endswith("GMT")
        length = 0 if method == "HEAD" else int(headers["Content-Length"])
        found.append((status_line, headers, received[:length]))
        received = received[length:]
    return found


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_it_is_what_aiohttp_sends(site: Site, version: str, method: str) -> None:
    def request(path: str) -> str:
        body = "Content-Length: 2\r\n\r\n{}" if method == "POST" else "\r\n"
        first = f"{method} {path} HTTP/{version}\r\nHost: a\r\nConnection: keep-alive\r\n{body}"
        return first + first.replace("keep-alive", "close")

    plain = answers(await exchange(site, request("/plain")), method)
    usual = answers(await exchange(site, request("/usual")), method)
    assert plain == usual
    assert len(plain) == 2
    assert plain[0][2] == (b"" if method == "HEAD" else BODY)


async def test_it_can_be_the_last_of_its_connection(site: Site) -> None:
    received = await exchange(site, "GET /plain/last HTTP/1.1\r\nHost: a\r\n\r\n")
    ((_, headers, body),) = answers(received, "GET")
    assert headers["Connection"] == "close"
    assert body == BODY
