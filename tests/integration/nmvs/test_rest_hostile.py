"""Clients that do harm, on purpose or not: the REST dialect answers in its form or hangs up."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import pytest

from tests.integration.nmvs.rest_raw_client import RawAnswer, RawConnection
from tests.integration.running import RunningSystem

CODE = "09506000134376"
TARGET = f"/verification/product/gs1/{CODE}/pack/S1?batch=LOT1&expiry=301231"
SUPPLY = b'{"state":"Supplied"}'


@pytest.fixture
async def port(start_system: Callable[..., Awaitable[RunningSystem]]) -> int:
    running = await start_system("IE", dialects=("rest",))
    await running.register("pharmacy", 1, soap=None)
    return running.ports["service"]


@pytest.fixture
async def headers(port: int) -> list[str]:
    async with RawConnection(port) as connection:
        body = b"grant_type=client_credentials&client_id=pharmacy1&client_secret=secret-pharmacy-1"
        answer = await connection.ask("POST", "/connect/token", body=body)
    token = answer.members["access_token"]
    return [f"Authorization: Bearer {token}", "emvs-data-entry-mode: non-manual"]


def head(headers: list[str], *more: str, method: str = "PATCH", target: str = TARGET) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers, *more, "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def assert_closed(connection: RawConnection) -> None:
    assert await asyncio.wait_for(connection.reader.read(), 10) == b""


async def assert_serving(port: int, headers: list[str]) -> None:
    """The product is unknown here, which a system in good health can tell."""
    async with RawConnection(port) as connection:
        answer = await connection.ask("PATCH", TARGET, *headers, body=SUPPLY)
    assert (answer.status, answer.code) == (404, "41020000")


def resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_of_100_mb_is_refused_and_not_kept(
    port: int, headers: list[str], *, declared: bool
) -> None:
    size, chunk = 100 * 1024 * 1024, bytes(64 * 1024)
    await assert_serving(port, headers)
    before = resident_bytes()
    async with RawConnection(port) as connection:
        if declared:
            connection.writer.write(head(headers, f"Content-Length: {size}"))
        else:
            connection.writer.write(head(headers, "Transfer-Encoding: chunked"))

        async def send() -> None:
            for _ in range(size // len(chunk)):
                if not declared:
                    connection.writer.write(b"%x\r\n" % len(chunk))
                connection.writer.write(chunk if declared else chunk + b"\r\n")
                await connection.writer.drain()

        sending = asyncio.create_task(send())
        answer = await connection.read()
        assert (answer.status, answer.code) == (422, "61020015")
        assert answer.headers["connection"] == "close"
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert resident_bytes() - before < 24 * 1024 * 1024
    await assert_serving(port, headers)


async def test_a_small_body_that_unpacks_to_a_large_one_is_refused(
    port: int, headers: list[str]
) -> None:
    body = gzip.compress(bytes(50 * 1024 * 1024))
    async with RawConnection(port) as connection:
        answer = await connection.ask(
            "PATCH", TARGET, *headers, "Content-Encoding: gzip", body=body
        )
    assert (answer.status, answer.code) == (422, "61020015")
    await assert_serving(port, headers)


async def test_a_broken_compression_is_refused(port: int, headers: list[str]) -> None:
    async with RawConnection(port) as connection:
        answer = await connection.ask(
            "PATCH", TARGET, *headers, "Content-Encoding: gzip", body=SUPPLY
        )
    assert (answer.status, answer.code) == (422, "61020015")


async def test_a_compressed_body_is_read(port: int, headers: list[str]) -> None:
    async with RawConnection(port) as connection:
        answer = await connection.ask(
            "PATCH", TARGET, *headers, "Content-Encoding: gzip", body=gzip.compress(SUPPLY)
        )
    assert answer.code == "41020000"


async def test_a_slow_sender_is_cut_off(
    port: int, headers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nmvs.rest.dialect.SERVICE_BODY_READ_S_MAX", 0.3)
    async with RawConnection(port) as connection:
        connection.writer.write(head(headers, "Content-Length: 20") + b'{"state"')
        answer = await connection.read()
        assert (answer.status, answer.code) == (408, "61020015")
        assert answer.headers["connection"] == "close"
        await assert_closed(connection)
    await assert_serving(port, headers)


@pytest.mark.parametrize(
    "part",
    [
        b"PATCH /verif",
        b"PATCH /verification/product/gs1/1/pack/1 HTTP/1.1\r\nHost: t\r\nAuthor",
        b"POST /connect/token HTTP/1.1\r\nHost: test\r\nContent-Length: 90\r\n\r\ngrant_type=",
    ],
)
async def test_dropped_connections_leave_nothing_behind(
    port: int, headers: list[str], part: bytes
) -> None:
    started = len(asyncio.all_tasks())
    for begun in (part, head(headers, "Content-Length: 20") + b'{"state"'):
        for _ in range(20):
            async with RawConnection(port) as connection:
                connection.writer.write(begun)
                await connection.writer.drain()
    await assert_serving(port, headers)
    async with asyncio.timeout(10):
        while len(asyncio.all_tasks()) > started + 2:
            await asyncio.sleep(0.01)


async def test_a_sender_that_waits_to_continue_is_told_to(port: int, headers: list[str]) -> None:
    async with RawConnection(port) as connection:
        connection.writer.write(head(headers, "Content-Length: 20", "Expect: 100-continue"))
        told = await asyncio.wait_for(connection.reader.readuntil(b"\r\n\r\n"), 5)
        assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
        answer = await connection.send(SUPPLY)
        assert answer.code == "41020000"
        # A body too large is refused before it is sent.
        connection.writer.write(head(headers, "Content-Length: 99999999", "Expect: 100-continue"))
        assert (await connection.read()).code == "61020015"


async def test_pipelined_requests_are_answered_in_order(port: int, headers: list[str]) -> None:
    one = head(headers, f"Content-Length: {len(SUPPLY)}") + SUPPLY
    other = head([], method="GET", target="/nothing")
    async with RawConnection(port) as connection:
        connection.writer.write((one + other) * 20)
        codes = [(await connection.read()).code for _ in range(40)]
    assert codes == ["41020000", "40020000"] * 20


async def test_a_long_url_is_refused(port: int, headers: list[str]) -> None:
    target = f"/product/gs1/{CODE}/pack/{'A' * 5_000}"
    async with RawConnection(port) as connection:
        answer = await connection.send(head(headers, method="GET", target=target))
    assert (answer.status, answer.code) == (422, "60020000")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("POST", "/"),
        ("OPTIONS", "*"),
        ("GET", "/verification/product/packs"),
        ("GET", "/%2e%2e/%00"),
        ("GET", "//"),
        ("GET", "/product/gs1"),
        ("PUT", "/connect"),
        ("GET", "http://test/nothing"),
        ("GET", "/?/connect/token"),
    ],
)
async def test_unknown_targets_have_the_usual_form(port: int, method: str, target: str) -> None:
    async with RawConnection(port) as connection:
        answer = await connection.ask(method, target)
        assert (answer.status, answer.code) == (404, "40020000")
        again = await connection.ask("GET", "/nothing")
        assert again.status == 404


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
async def test_wrong_methods_are_never_405(port: int, headers: list[str], method: str) -> None:
    async with RawConnection(port) as connection:
        answer = await connection.ask(method, TARGET, *headers, body=SUPPLY)
        assert (answer.status, answer.code) == (422, "60020000")
        again = await connection.ask("PATCH", TARGET, *headers, body=SUPPLY)
        assert again.code == "41020000"


async def test_garbage_in_headers_and_paths_is_never_500(port: int, headers: list[str]) -> None:
    login, mode = headers
    odd: list[tuple[str, list[str]]] = [
        (TARGET, ["Authorization: Bearer \xff\xfe.\xff.\xff", mode]),
        (TARGET, ["Authorization: Bearer", mode]),
        (TARGET, ["Authorization:", mode]),
        (TARGET, ["Authorization: Negotiate abc", mode]),
        (TARGET, [login, "emvs-data-entry-mode: \xe4"]),
        (TARGET, [login, "emvs-data-entry-mode:"]),
        ("/product/gs1/%ff/pack/%ff?batch=%ff&expiry=%ff", headers),
        ("/product/%00/%00/pack/%00?%00=%00", headers),
        ("/product/gs1/09506000134376/pack/" + "%" * 900, headers),
        ("/product/gs1/09506000134376/pack/A?" + "&=" * 900, headers),
        ("/product///pack////", headers),
    ]
    async with RawConnection(port) as connection:
        for target, lines in odd:
            answer: RawAnswer = await connection.ask("GET", target, *lines)
            assert answer.status in (401, 422), (target, answer)
            assert answer.code


@pytest.mark.parametrize("path", ["/alerts", "/report/report-request", "/product/packs"])
async def test_json_of_any_depth_is_422(port: int, headers: list[str], path: str) -> None:
    deep = b'{"more":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    async with RawConnection(port) as connection:
        answer = await connection.ask("POST", path, *headers, body=deep)
    assert answer.status == 422
    assert answer.code.startswith("6")


async def test_a_bulk_that_unpacks_to_much_lets_others_have_their_turns(
    port: int, headers: list[str]
) -> None:
    packer = zlib.compressobj(9, wbits=31)
    body = b"".join([packer.compress(bytes(1 << 20)) for _ in range(48)]) + packer.flush()
    packed = [*headers, "Content-Encoding: gzip"]
    async with RawConnection(port) as connection, RawConnection(port) as till:
        asked = asyncio.create_task(connection.ask("POST", "/product/packs", *packed, body=body))
        answered = 0
        while not asked.done():
            assert (await till.ask("PATCH", TARGET, *headers, body=SUPPLY)).status == 404
            answered += 1
        assert (await asked).code == "62120002"
    assert answered >= 20


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("pharmacy.example:8443", "pharmacy.example:8443"),
        ("[::1]:80", "[::1]:80"),
        ("", None),
        ("evil.example/x?", None),
        ("user@evil.example", None),
        ("a b", None),
        ("a:1:2", None),
        ('"><script>', None),
        ("caf\xe9", None),
    ],
)
async def test_a_location_is_always_an_address(
    port: int, headers: list[str], host: str, shown: str | None
) -> None:
    pack = {"productCodeScheme": "gs1", "productCode": CODE, "serialNumber": "S1"}
    body = orjson.dumps({"numberOfPacks": 1, "packs": [pack]})
    request = head(headers, f"Content-Length: {len(body)}", method="POST", target="/product/packs")
    async with RawConnection(port) as connection:
        named = request.replace(b"Host: test", b"Host: " + host.encode("latin-1"))
        answer = await connection.send(named + body)
    assert answer.status == 202
    begin = f"http://{shown or f'127.0.0.1:{port}'}/product/packs/"
    assert answer.headers["location"].startswith(begin)


async def test_nobody_waits_while_the_rest_of_a_refused_body_is_thrown_away(
    port: int, headers: list[str]
) -> None:
    packer = zlib.compressobj(9, wbits=31)
    first, more = [
        packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    ]
    body = first + 2_000 * more
    lengths = ("Content-Encoding: gzip", f"Content-Length: {len(body)}")
    async with RawConnection(port) as stranger, RawConnection(port) as till:
        refused = await stranger.send(head([], *lengths, method="POST", target="/alerts") + body)
        assert refused.status == 401
        started_s = time.monotonic()
        for _ in range(5):
            assert (await till.ask("PATCH", TARGET, *headers, body=SUPPLY)).status == 404
        assert time.monotonic() - started_s < 1
        assert (await stranger.ask("POST", "/alerts")).status == 401
