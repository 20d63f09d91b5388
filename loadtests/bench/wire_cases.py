"""Verify and supply by REST and SOAP, pharmacy traffic, and the constant they are held against."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtests.bench.closed_loop import LoadError, Throughput, drive
from loadtests.bench.figures import Figure, Results
from loadtests.bench.on_paper import add_estimates
from loadtests.bench.open_loop import keep_rate
from loadtests.bench.requests import (
    Step,
    Template,
    as_bytes,
    mixed,
    rest_templates,
    soap_templates,
    supplies,
    verifications,
)
from loadtests.bench.scale import CONNECTIONS, PACKS_PER_SECOND, Scale
from loadtests.bench.systems import MarketUnderTest, check_answers
from loadtests.cpu_time import process_cpu_s, server_cpu_s
from loadtests.stand import start_constant

VERIFIED: Final = frozenset({"VERIFIED"})
SUPPLIED: Final = frozenset({"DECOMMISSIONED"})
MIXED: Final = frozenset({"VERIFIED", "DECOMMISSIONED", "REACTIVATED"})
_OPEN_SHARE: Final = 0.5
"""Of the capacity: the rate at which latency is measured."""
_SETTLE_S_MAX: Final = 30.0
_CURVE_SHARES: Final = (0.5, 0.9, 0.99, 0.999, 1.0)


@dataclass
class Case:
    """One closed-loop case; `steps` makes the requests of a round."""

    name: str
    port: int
    pid: int
    templates: Mapping[str, Template]
    steps: Callable[[], Sequence[Step]]
    market: MarketUnderTest | None = None
    allowed: frozenset[str] = frozenset()


class WireCases:
    """The cases of one market beside the constant, round by round."""

    def __init__(self, market: MarketUnderTest, serials: list[str], scale: Scale) -> None:
        self._market = market
        self._serials = serials
        self._scale = scale
        self._fresh: Iterator[str] = iter(serials)
        self._rest = rest_templates(market.port, market.token)
        self._soap = soap_templates(market.port)
        self.cases: list[Case] = []
        self.answered = 0
        """Operations that the market has told its callers."""
        self.rates: dict[str, list[float]] = {}
        self._cpu_us: dict[str, list[tuple[float, float]]] = {}

    async def prepare(self, exits: ExitStack, folder: Path) -> None:
        """Start the constant with bodies as long as the market's own, and make the cases."""
        bodies = []
        for name, templates, letter in (
            ("get", self._rest, "v"),
            ("patch", self._rest, "s"),
            ("post", self._soap, "v"),
        ):
            answer = await self._ask(templates[letter].with_serial(next(self._fresh)))
            path = folder / f"constant-{name}"
            path.write_bytes(answer)
            bodies.append(path)
        await self._market.answered()
        self.answered += len(bodies)
        pid, port = start_constant(exits, *bodies)
        most = int(self._scale.seconds * PACKS_PER_SECOND)
        looks = verifications(self._serials, 4 * most)
        market, rest, soap = self._market, self._rest, self._soap

        def ours(name: str, templates: Mapping[str, Template], letter: str) -> Case:
            if letter == "v":
                allowed, steps = VERIFIED, lambda: looks
            else:
                allowed, steps = SUPPLIED, lambda: supplies(self._fresh, most)
            return Case(name, market.port, market.pid, templates, steps, market, allowed)

        def constant(name: str, templates: Mapping[str, Template], letter: str) -> Case:
            steps = [Step(letter, serial) for _, serial in looks]
            return Case(name, port, pid, templates, lambda: steps)

        self.cases = [
            constant("constant GET", rest, "v"),
            ours("verify REST", rest, "v"),
            constant("constant PATCH", rest, "s"),
            ours("supply REST", rest, "s"),
            constant("constant SOAP", soap, "v"),
            ours("verify SOAP", soap, "v"),
            ours("supply SOAP", soap, "s"),
        ]

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._market.port)
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if not head.startswith("HTTP/1.1 200"):
            raise LoadError(f"the market does not answer as it must: {head}")
        length = int(head.partition("Content-Length: ")[2].partition("\r\n")[0])
        body = await reader.readexactly(length)
        writer.close()
        return body

    async def run(self, case: Case) -> Throughput:
        """Run a case once and check that the server counted what was asked."""
        steps = case.steps()
        postmaster = self._market.server.pid
        cpu_s, server_s = process_cpu_s(case.pid), server_cpu_s(postmaster)
        try:
            measured = await drive(
                case.port,
                case.templates,
                steps,
                seconds=self._scale.seconds,
                connections=CONNECTIONS,
            )
        except LoadError as error:
            told = await case.market.answered() if case.market else {}
            raise LoadError(f"{case.name}: {error}; the server's answers: {told}") from error
        taken = process_cpu_s(case.pid) - cpu_s, server_cpu_s(postmaster) - server_s
        self.rates.setdefault(case.name, []).append(measured.requests_per_s)
        per_request = [seconds / measured.answered * 1e6 for seconds in taken]
        self._cpu_us.setdefault(case.name, []).append((per_request[0], per_request[1]))
        if case.market is not None:
            await self._compare(case.name, measured.answered, measured.asked, case.allowed)
        return measured

    async def _compare(self, case: str, answered: int, asked: int, allowed: frozenset[str]) -> None:
        self.answered += await check_answers(
            self._market, answered=answered, asked=asked, allowed=allowed, case=case
        )

    async def run_mixed(self, results: Results) -> None:
        """Measure pharmacy traffic: its capacity, then latency at half of that; both dialects."""
        for dialect, templates in (("REST", self._rest), ("SOAP", self._soap)):
            name = f"mixed {dialect}"
            most = int(self._scale.seconds * PACKS_PER_SECOND)
            case = Case(
                name,
                self._market.port,
                self._market.pid,
                templates,
                lambda: mixed(self._serials, self._fresh, most),  # noqa: B023 - run at once.
                self._market,
                MIXED,
            )
            capacity = (await self.run(case)).requests_per_s
            await self._run_open(name, templates, capacity, results)

    async def _run_open(
        self, name: str, templates: Mapping[str, Template], capacity: float, results: Results
    ) -> None:
        """Keep half of the capacity, several times over: the hundredth part of some seconds is
        some fifty milliseconds, so one hiccup of the machine would decide a single time."""
        rate, seconds = capacity * _OPEN_SHARE, self._scale.open_seconds
        rounds = []
        for number in range(self._scale.open_rounds):
            steps = mixed(self._serials, self._fresh, int(rate * seconds) + 1, seed=4 + number)
            latencies = await keep_rate(
                self._market.port,
                as_bytes(templates, steps),
                rate=rate,
                seconds=seconds,
                connections=CONNECTIONS * 4,
            )
            count = len(latencies.ms)
            if set(latencies.statuses) != {200}:
                raise LoadError(f"{name}: other answers than 200 came: {latencies.statuses}")
            await self._compare(f"{name} open loop", count, count, MIXED)
            rounds.append(latencies)
        late_ms = max(latencies.late_ms_p99 for latencies in rounds)
        note = (
            f"{rate:,.0f}/s for {seconds:g} s, {len(rounds)} times, from the planned time; the"
            f" generator was late by {late_ms:.1f} ms at most (p99)"
        )
        figures = {
            label: [latencies.percentile(share) for latencies in rounds]
            for share, label in ((0.5, "p50"), (0.99, "p99"))
        }
        # Of all times: what comes once must show.
        figures["longest"] = [max(latencies.ms[-1] for latencies in rounds)]
        for label, values in figures.items():
            figure = f"{name} {label} open loop"
            results.add(Figure(figure, "ms", values, "latency", note, lower_is_better=True))
        ms = sorted(value for latencies in rounds for value in latencies.ms)
        results.curves[f"{name}, latency by percentile"] = [
            (share, ms[min(len(ms) - 1, int(len(ms) * share))]) for share in _CURVE_SHARES
        ]

    def report(self, results: Results) -> None:
        """Add the figures of all rounds so far."""
        costs: dict[str, tuple[float, float]] = {}
        for name, values in self.rates.items():
            own, server = zip(*self._cpu_us[name], strict=True)
            costs[name] = min(own), min(server)
            note = f"processor: {min(own):.0f} µs of its own"
            if not name.startswith("constant"):
                note += f", {min(server):.0f} µs of PostgreSQL"
            results.add(Figure(name, "/s", values, "rate", note))
        add_estimates(results, costs)

    async def check_durable(self, results: Results) -> None:
        """Raise LoadError unless every operation that was answered is in the audit trail, and the
        states in memory are those in the database."""
        market = self._market
        async with asyncio.timeout(_SETTLE_S_MAX):
            while True:  # Requests whose generator has left are the last to be recorded.
                self.answered += sum((await market.answered()).values())
                written = await market.rows("select count(*) from trail")
                if written <= self.answered:
                    break
        if written != self.answered:
            raise LoadError(f"{self.answered} operations were answered, {written} were recorded")
        results.checks.append(
            f"{written:,} operations answered, as many entries in the audit trail in PostgreSQL"
        )
        await market.check()
        results.checks.append("after it all the index equals the database, pack by pack")
