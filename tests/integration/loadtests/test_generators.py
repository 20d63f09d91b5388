"""The benchmark's generators against a server whose behaviour is known."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from emvs.errors import EmvsError
from emvs.infra.web import Site, serve_handler
from loadtests.bench.closed_loop import drive
from loadtests.bench.errors import LoadError
from loadtests.bench.open_loop import keep_rate
from loadtests.bench.requests import Step, Template

TEMPLATES = {
    "g": Template(b"GET /pack/", b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "p": Template(b"POST /pack/", b" HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\na\\b\r\n"),
}


class Known:
    """A server that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes]] = []
        self.refuse_from = 10**9
        self.refusal, self.refusal_body = 503, b""
        self.hold_at = 10**9
        self.hold_s = 0.0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.method, request.path, await request.read()))
        if len(self.asked) == self.hold_at:
            time.sleep(self.hold_s)  # noqa: ASYNC251 - nobody has a turn: that is the point.
        if len(self.asked) < self.refuse_from:
            return web.Response(body=b"well done")
        return web.Response(status=self.refusal, body=self.refusal_body)


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
async def site(known: Known) -> AsyncIterator[Site]:
    opened = await serve_handler(known.handle, "127.0.0.1", 0)
    yield opened
    await opened.close()


@pytest.fixture(params=["wrk", "ours"])
def generator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two that may make the load."""
    if request.param == "ours":
        monkeypatch.setattr(shutil, "which", lambda _: None)
    elif shutil.which("wrk") is None:
        pytest.skip("wrk is not here")
    return str(request.param)


async def asked(known: Known, count: int) -> None:
    """Return when the server was asked so often, however slow the machine is."""
    async with asyncio.timeout(60):
        while len(known.asked) < count:
            await asyncio.sleep(0.01)


def steps(count: int) -> list[Step]:
    return [Step("p" if number % 3 else "g", f"S{number}") for number in range(count)]


async def test_requests_arrive_as_prepared_and_are_counted(
    generator: str, known: Known, site: Site
) -> None:
    prepared = steps(200_000)
    told = await drive(site.port, TEMPLATES, prepared, seconds=1, connections=4)
    assert told.answered > 50
    assert told.answered <= len(known.asked) <= told.asked
    wanted = {
        ("GET", f"/pack/{serial}", b"")
        if letter == "g"
        else ("POST", f"/pack/{serial}", b"a\\b\r\n")
        for letter, serial in prepared[: told.asked]
    }
    assert set(known.asked) <= wanted
    assert len(set(known.asked)) == len(known.asked), "no request is sent twice"


@pytest.mark.parametrize(
    ("status", "body"), [(503, b""), (302, b"well done"), (204, b""), (200, b"not so well")]
)
async def test_any_answer_but_200_with_the_mark_makes_the_run_invalid(
    generator: str, known: Known, site: Site, status: int, body: bytes
) -> None:
    known.refuse_from = 50
    known.refusal, known.refusal_body = status, body
    with pytest.raises((LoadError, EmvsError)):
        await drive(
            site.port, TEMPLATES, steps(100_000), seconds=1, connections=4, mark=b"well done"
        )


async def test_requests_that_may_repeat_begin_again(
    generator: str, known: Known, site: Site
) -> None:
    prepared = [Step("g", f"S{number}") for number in range(10)]
    told = await drive(site.port, TEMPLATES, prepared, seconds=1, connections=4, wrap=True)
    assert told.answered > 20
    assert {path for _, path, _ in known.asked} == {f"/pack/S{number}" for number in range(10)}


async def test_an_open_load_counts_bodies_without_the_mark_and_stops_when_told(
    known: Known, site: Site
) -> None:
    known.refuse_from, known.refusal, known.refusal_body = 20, 200, b"not so well"
    request = TEMPLATES["g"].with_serial("S")
    until = asyncio.create_task(asked(known, 40))
    told = await keep_rate(
        site.port,
        itertools.repeat(request),
        rate=200,
        seconds=600,
        connections=2,
        mark=b"well done",
        until=until,
    )
    assert told.statuses == {200: len(known.asked)}
    assert told.strange == len(known.asked) - 19
    assert 0 <= told.late_ms_p99 <= told.late_ms_longest


async def test_requests_that_run_out_make_the_run_invalid(
    generator: str, known: Known, site: Site
) -> None:
    with pytest.raises(LoadError, match="used up"):
        await drive(site.port, TEMPLATES, steps(40), seconds=1, connections=4)


async def test_a_server_that_stops_is_seen_by_all_that_were_planned_meanwhile(
    known: Known, site: Site
) -> None:
    known.hold_at, known.hold_s = 50, 0.3
    request = TEMPLATES["g"].with_serial("S")
    # The server shares this loop, so that the hold delays the generator as well: it must not help.
    told = await keep_rate(
        site.port, itertools.repeat(request), rate=200, seconds=1.0, connections=2
    )
    assert told.statuses == {200: 200}
    assert len(known.asked) == 200
    assert 290 <= told.percentile(1.0) < 1_000
    delayed = sum(latency > 30 for latency in told.ms)
    assert delayed > 30, "some sixty were planned in these 0.3 s"
    assert told.late_ms_p99 >= 0


async def test_a_connection_that_is_lost_ends_the_measurement(known: Known) -> None:
    hung_up = asyncio.TaskGroup()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()
        await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hung_up.create_task(hang_up(reader, writer))

    async with hung_up:
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        request = TEMPLATES["g"].with_serial("S")
        with pytest.raises(ConnectionError):
            await keep_rate(port, itertools.repeat(request), rate=50, seconds=0.2, connections=2)
        server.close()
