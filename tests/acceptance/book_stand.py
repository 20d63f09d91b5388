"""A hub with Greece and Ireland as `emvs up` would describe them, and a proxy that breaks rules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from emvs.infra.loopback_ports import free_port
from pharmacy_client.testbook.book import Case, Step
from pharmacy_client.testbook.command import Options, run_options
from pharmacy_client.testbook.report import BookResult, CaseResult, StepResult, Verdict
from tests.acceptance.several_markets import Markets, started
from tests.integration.hub.stand import CLIENT_TOKEN

Members = dict[str, Any]
Fault = Callable[[str, int, bytes], tuple[int, bytes]]
"""From method and path, status, and body of an answer to another answer."""


def of_members(change: Callable[[Members], object]) -> Fault:
    """Return a fault that changes the members of every answer about packs."""

    def fault(path: str, status: int, body: bytes) -> tuple[int, bytes]:
        if "/product/" not in path:
            return status, body
        members = json.loads(body)
        change(members)
        return status, json.dumps(members).encode()

    return fault


class Proxy:
    """Stands between the book and a market, and does to answers what it is told to."""

    def __init__(self, target: str, http: aiohttp.ClientSession) -> None:
        self._target = target
        self._http = http
        self.fault: Fault | None = None
        self.answers_left: int | None = None
        """After so many, connections are cut."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.answers_left is not None:
            if self.answers_left == 0:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            self.answers_left -= 1
        # The host stays, so that addresses in answers lead here.
        headers = {k: v for k, v in request.headers.items() if k != "Content-Length"}
        async with self._http.request(
            request.method,
            URL(self._target + request.raw_path, encoded=True),
            headers=headers,
            data=await request.read() or None,
        ) as answer:
            status, body = answer.status, await answer.read()
            kept = {k: v for k, v in answer.headers.items() if k in ("Content-Type", "Location")}
        if self.fault is not None and "/connect/token" not in request.raw_path:
            status, body = self.fault(f"{request.method} {request.raw_path}", status, body)
        return web.Response(status=status, body=body, headers=kept)


class Screen:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.cases: list[str] = []

    def preparing(self, what: str) -> None:
        """Something is made ready."""

    def step(self, case: Case, number: int, step: Step) -> None:
        """A step begins."""

    def case_done(self, result: CaseResult) -> None:
        """A case has ended."""
        self.cases.append(result.number)

    def lines(self, lines: list[str]) -> None:
        """Lines that stay."""


class BookStand:
    """Running systems, and the book to be run against them."""

    def __init__(self, markets: Markets, proxy: Proxy, proxy_url: str, folder: Path) -> None:
        self.markets = markets
        self.proxy = proxy
        self._file = folder / "endpoints.json"
        greece = markets.running["GR"]
        service = proxy_url
        self.document: dict[str, Any] = {
            "hub": {"url": markets.hub.url, "management": markets.hub.management},
            "markets": {
                "GR": {
                    "rest": f"{service}/verification",
                    "token": f"{service}/connect/token",
                    "management": greece.management,
                },
                "IE": {"management": markets.running["IE"].management},
            },
            "participants": [
                {
                    "market": "GR",
                    "kind": "pharmacy",
                    "rest": {"client_id": "pharmacy1", "client_secret": "secret-pharmacy-1"},
                },
                {
                    "market": None,
                    "kind": "obp",
                    "hub": {"organisation_id": "10001", "client_id": "001", "token": CLIENT_TOKEN},
                },
            ],
            "packs": [],
        }

    @property
    def endpoints(self) -> Path:
        """The file, written anew."""
        self._file.write_text(json.dumps(self.document))
        return self._file

    async def run(self, *cases: str, fault: Fault | None = None, **options: Any) -> BookResult:
        """Run cases while the proxy has a fault."""
        self.proxy.fault = fault
        chosen = Options(endpoints=self.endpoints, cases=cases, **options)
        try:
            return await run_options(chosen, Screen())
        finally:
            self.proxy.fault = self.proxy.answers_left = None


def steps_of(result: BookResult, verdict: Verdict) -> dict[tuple[str, int], StepResult]:
    """Return the steps that ended so, by numbers of case and step."""
    return {
        (case.number, step.number): step
        for case in result.cases
        for step in case.steps
        if step.verdict is verdict
    }


@asynccontextmanager
async def book_stand(
    dsn: str, schema_name: str, folder: Path, **rules: Any
) -> AsyncIterator[BookStand]:
    """Run systems for the length of a block; `rules` differ from those of the markets."""
    async with (
        started(dsn, schema_name, "GR", "IE", rules={"sync_delay_s": 0.05, **rules}) as markets,
        aiohttp.ClientSession(auto_decompress=False) as http,
    ):
        proxy = Proxy(markets.running["GR"].service, http)
        port = free_port()
        runner = web.ServerRunner(web.Server(proxy.handle))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield BookStand(markets, proxy, f"http://127.0.0.1:{port}", folder)
        finally:
            await runner.cleanup()
