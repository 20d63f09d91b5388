"""Clients that do harm, on purpose or not: the SOAP dialect answers in its form or hangs up."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nmvs.soap.reader import Reader
from tests.integration.nmvs.rest_raw_client import RawAnswer, RawConnection
from tests.integration.nmvs.soap_raw_client import PATH, Till, read_reply
from tests.integration.running import RunningSystem

StartSystem = Callable[..., Awaitable[RunningSystem]]


@pytest.fixture
async def till(start_system: StartSystem) -> Till:
    running = await start_system("AT", dialects=("soap",))
    await running.register("pharmacy", 1)
    return Till(running)


def head(*more: str) -> bytes:
    return "\r\n".join([f"POST {PATH} HTTP/1.1", "Host: test", *more, "", ""]).encode()


def code_of(answer: RawAnswer) -> str:
    assert answer.status == 200
    return read_reply(answer.body).code


async def assert_serving(till: Till) -> None:
    """The product is unknown here, which a system in good health can tell."""
    assert (await till.ask("G110", "S1")).code == "NC_PC_01"


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_of_100_mb_is_refused_and_not_kept(till: Till, *, declared: bool) -> None:
    size, chunk = 100 * 1024 * 1024, bytes(64 * 1024)
    await assert_serving(till)
    before = resident_bytes()
    async with RawConnection(till.running.ports["service"]) as connection:
        length = f"Content-Length: {size}" if declared else "Transfer-Encoding: chunked"
        connection.writer.write(head(length))

        async def send() -> None:
            for _ in range(size // len(chunk)):
                connection.writer.write(chunk if declared else b"10000\r\n" + chunk + b"\r\n")
                await connection.writer.drain()

        sending = asyncio.create_task(send())
        answer = await connection.read()
        assert code_of(answer) == "FE_TX_07"
        assert answer.headers["connection"] == "close"
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert resident_bytes() - before < 24 * 1024 * 1024
    await assert_serving(till)


async def test_a_small_body_that_unpacks_to_a_large_one_is_refused(till: Till) -> None:
    body = gzip.compress(bytes(50 * 1024 * 1024))
    async with RawConnection(till.running.ports["service"]) as connection:
        answer = await connection.ask("POST", PATH, "Content-Encoding: gzip", body=body)
    assert code_of(answer) == "FE_TX_07"
    await assert_serving(till)


@pytest.mark.parametrize(("version", "code"), [(2, "ERROR"), (4, "FE_TX_07"), (5, "FE_TX_07")])
async def test_a_request_about_one_pack_that_is_too_large_is_answered_as_one(
    till: Till, version: int, code: str
) -> None:
    body = replace(till, version=version).message("G110", 70_000 * "x")
    async with RawConnection(till.running.ports["service"]) as connection:
        answer = await connection.ask("POST", PATH, body=body)
    reply = read_reply(answer.body)
    assert (answer.status, reply.name, reply.code) == (200, "G110Response", code)
    assert b"FE_TX_07" in answer.body


async def test_a_broken_compression_is_malformed(till: Till) -> None:
    async with RawConnection(till.running.ports["service"]) as connection:
        answer = await connection.ask("POST", PATH, "Content-Encoding: gzip", body=b"<x/>")
    assert code_of(answer) == "TE_XM_01"


@pytest.mark.parametrize(
    ("coding", "pack", "described"),
    [
        ("gzip", lambda body: gzip.compress(body)[:-9], b"its compression is broken"),
        ("deflate", lambda body: zlib.compress(body)[:-1], b"its compression is broken"),
        ("deflate", lambda body: b"x" + body, b"its compression is broken"),
        ("br", bytes, b"send gzip, deflate or none"),
        ("gzip, gzip", bytes, b"send gzip, deflate or none"),
    ],
)
async def test_what_cannot_be_unpacked_whole_is_no_message(
    till: Till, coding: str, pack: Callable[[bytes], bytes], described: bytes
) -> None:
    body = pack(till.message("G110", "S1"))
    async with RawConnection(till.running.ports["service"]) as connection:
        answer = await connection.ask("POST", PATH, f"Content-Encoding: {coding}", body=body)
    assert (answer.status, code_of(answer)) == (200, "TE_XM_01")
    assert described in answer.body


async def test_a_slow_sender_is_cut_off(start_system: StartSystem) -> None:
    running = await start_system("AT", dialects=("soap",), soap={"body_read_s_max": 0.3})
    async with RawConnection(running.ports["service"]) as connection:
        connection.writer.write(head("Content-Length: 2000") + b"<Envelope")
        answer = await connection.read()
        assert code_of(answer) == "TI_TO_01"
        assert answer.headers["connection"] == "close"
        assert await asyncio.wait_for(connection.reader.read(), 10) == b""


async def test_dropped_connections_leave_nothing_behind(till: Till) -> None:
    started = len(asyncio.all_tasks())
    for _ in range(20):
        async with RawConnection(till.running.ports["service"]) as connection:
            connection.writer.write(head("Content-Length: 2000") + b"<Envelope")
            await connection.writer.drain()
    await assert_serving(till)
    async with asyncio.timeout(10):
        while len(asyncio.all_tasks()) > started + 2:
            await asyncio.sleep(0.01)


async def test_pipelined_messages_are_answered_in_order(till: Till) -> None:
    good, bad = till.message("G110", "S1"), b"<x"
    requests = b"".join(head(f"Content-Length: {len(body)}") + body for body in (good, bad))
    async with RawConnection(till.running.ports["service"]) as connection:
        connection.writer.write(10 * requests)
        codes = [code_of(await connection.read()) for _ in range(20)]
    assert codes == 10 * ["NC_PC_01", "TE_XM_01"]


async def test_malformed_messages_of_a_known_operation_keep_its_shape(till: Till) -> None:
    message = till.message("G120", "S1")
    for bad, code in (
        (message.replace(b'"S1"', b'"S&1"'), "TE_XM_01"),
        (message.replace(b"<t:Body>", b"<u:Body>"), "TE_XM_01"),
        (b"<!DOCTYPE x>" + message, "TE_XM_01"),
        (message.replace(b":v5.0", b":v9.0"), "TE_XM_02"),
        (message.replace(b"<t:Auth>", b"<t:Auth/><t:Auth>"), "TE_XM_02"),
    ):
        reply = await till.send(bad)
        assert (reply.name, reply.code, reply.state) == ("G120Response", code, None)
        assert reply.texts["ClientTrxId"] == "SALE-000001"


async def test_strangers_slow_the_reading_but_change_no_answer(
    start_system: StartSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(strange_bytes_max=1_000)
    monkeypatch.setattr("nmvs.soap.dialect.Reader", lambda **_: reader)
    running = await start_system("AT", dialects=("soap",))
    await running.register("pharmacy", 1)
    till = Till(running)
    await assert_serving(till)
    assert not reader.reads_apart
    for _ in range(5):
        assert (await till.at(number=9).ask("G110", "S1")).code == "FE_AU_01"
        assert (await till.send(b"<junk>" * 100)).code == "TE_XM_01"
    assert reader.reads_apart
    replies = await asyncio.gather(*(till.ask("G110", "S1") for _ in range(50)))
    assert {reply.code for reply in replies} == {"NC_PC_01"}
