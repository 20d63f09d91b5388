"""Bodies as they come over a connection: with the head, after it, in chunks, too large, packed."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol

from emvs.errors import TooLargeError
from emvs.infra.web import Site, read_body, serve_handler

_BYTES_MAX = 300_000


async def _echo(request: web.BaseRequest) -> web.StreamResponse:
    """Answer with the body."""
    try:
        body = await read_body(request, bytes_max=_BYTES_MAX, timeout_s=5)
    except TooLargeError:
        return web.Response(status=413)
    return web.Response(body=body)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    opened = await serve_handler(_echo, "127.0.0.1", 0)
    yield opened
    await opened.close()


async def _exchange(port: int, *parts: bytes) -> tuple[int, bytes]:
    """Send parts, a moment between them; return status and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.05)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(head.split()[1]), await reader.readexactly(length)
    finally:
        writer.close()


def _head(*headers: bytes) -> bytes:
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: x", *headers, b"", b""])


_PACKED = gzip.compress(b"pack")
_ROWS = {
    "with the head": (_head(b"Content-Length: 4") + b"pack",),
    "after the head": (_head(b"Content-Length: 4"), b"pack"),
    "in two parts": (_head(b"Content-Length: 4") + b"pa", b"ck"),
    "in chunks with the head": (
        _head(b"Transfer-Encoding: chunked") + b"2\r\npa\r\n2\r\nck\r\n0\r\n\r\n",
    ),
    "in chunks after it": (
        _head(b"Transfer-Encoding: chunked"),
        b"2\r\npa\r\n",
        b"2\r\nck\r\n0\r\n\r\n",
    ),
    "packed": (_head(b"Content-Encoding: gzip", b"Content-Length: %d" % len(_PACKED)) + _PACKED,),
}


@pytest.mark.parametrize("parts", _ROWS.values(), ids=_ROWS.keys())
async def test_a_body_arrives_however_it_is_sent(site: Site, parts: tuple[bytes, ...]) -> None:
    assert await _exchange(site.port, *parts) == (200, b"pack")


async def test_no_body_is_an_empty_one(site: Site) -> None:
    assert await _exchange(site.port, _head(b"Content-Length: 0")) == (200, b"")
    assert await _exchange(site.port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == (200, b"")


async def test_a_body_that_is_too_large_is_refused_in_chunks_as_well(site: Site) -> None:
    body = bytes(_BYTES_MAX + 1)
    assert (await _exchange(site.port, _head(b"Content-Length: %d" % len(body)) + body))[0] == 413
    chunked = _head(b"Transfer-Encoding: chunked") + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    assert (await _exchange(site.port, chunked))[0] == 413


async def test_requests_of_one_connection_have_their_own_bodies(site: Site) -> None:
    """One is larger than what aiohttp takes before it pauses."""
    sent = [b"one", bytes(250_000), b"other", b"one"]
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    for body in sent:
        writer.write(_head(b"Content-Length: %d" % len(body)) + body)
    async with asyncio.timeout(5):
        for body in sent:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"Content-Length: %d\r\n" % len(body) in head
            assert await reader.readexactly(len(body)) == body
    writer.close()


async def test_nothing_more_is_asked_for_when_all_has_come(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the hot path each turn through parser and transport costs as much as a rule."""
    turns = []
    original = BaseProtocol.resume_reading

    def resume(protocol: BaseProtocol, resume_parser: bool = True) -> None:
        turns.append(resume_parser)
        original(protocol, resume_parser)

    monkeypatch.setattr(BaseProtocol, "resume_reading", resume)
    await _exchange(site.port, *_ROWS["with the head"])
    assert True not in turns
    await _exchange(site.port, *_ROWS["in two parts"])
    assert True in turns, "the test has lost what it counts"
