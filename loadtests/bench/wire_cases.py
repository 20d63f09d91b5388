"""Verify and supply by REST and SOAP, and the constant they are held against."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtests.bench import samples
from loadtests.bench.closed_loop import Throughput, drive
from loadtests.bench.errors import LoadError
from loadtests.bench.figures import Figure, Results
from loadtests.bench.requests import (
    FreshPacks,
    Step,
    Template,
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
LOOKS: Final = 100_000
"""Verifications that are prepared; after the last the first comes again."""
_WARM_UP_S: Final = 1.0
_BESIDE_S: Final = 1.0
_SETTLE_S_MAX: Final = 30.0
MARKS: Final = {"REST": b'{"operationCode":"1', "SOAP": b'code="NMVS_SUCCESS"'}
"""What the body of each success has, by dialect."""


@dataclass
class Case:
    """One closed-loop case; `steps` makes the requests of a round. `sample`: letters of the
    requests that a pack nobody has touched is asked about before and after."""

    name: str
    port: int
    pid: int
    templates: Mapping[str, Template]
    steps: Callable[[], Sequence[Step]]
    mark: bytes
    sample: str
    market: MarketUnderTest | None = None
    allowed: frozenset[str] = frozenset()
    body: bytes = b""
    """What the constant answers."""
    spell: Callable[[str], str] = str
    """How a serial number stands in a request."""
    is_beside: bool = False
    """Whether no goal needs it, so that a moment of it does."""

    @property
    def repeats(self) -> bool:
        """Whether its requests may be sent again."""
        return self.market is None or self.sample == "v"


class WireCases:
    """The cases of one market beside the constant, round by round."""

    def __init__(self, market: MarketUnderTest, serials: list[str], scale: Scale) -> None:
        self._market = market
        self._serials = serials
        self._scale = scale
        self.fresh = FreshPacks(serials)
        self.templates = {
            "REST": rest_templates(market.port, market.token),
            "SOAP": soap_templates(market.port),
        }
        self.cases: list[Case] = []
        self.answered = 0
        """Operations that the market has told its callers."""
        self.rates: dict[str, list[float]] = {}
        self.cpu_us: dict[str, list[tuple[float, float]]] = {}

    async def prepare(self, exits: ExitStack, folder: Path) -> None:
        """Start the constant with bodies as long as the market's own, and make the cases."""
        bodies, paths = {}, []
        for kind, templates, letter in (
            ("GET", self.templates["REST"], "v"),
            ("PATCH", self.templates["REST"], "s"),
            ("SOAP", self.templates["SOAP"], "v"),
        ):
            request = templates[letter].with_serial(next(self.fresh))
            bodies[kind] = await samples.ask(self._market.port, request)
            path = folder / f"constant-{kind}"
            path.write_bytes(bodies[kind])
            paths.append(path)
        await self._count_samples()
        pid, port = start_constant(exits, *paths)
        lean_pid, lean_port = start_constant(exits, *paths, is_lean=True)
        most = int(self._scale.seconds * PACKS_PER_SECOND)
        looks = verifications(self._serials, LOOKS)
        market = self._market

        def ours(name: str, dialect: str, letter: str) -> Case:
            if letter == "v":
                allowed, steps, sample = VERIFIED, lambda: looks, "v"
            else:
                allowed, steps, sample = SUPPLIED, lambda: supplies(self.fresh, most), "vsv"
            return Case(
                name,
                market.port,
                market.pid,
                self.templates[dialect],
                steps,
                MARKS[dialect],
                sample,
                market,
                allowed,
            )

        def constants(kind: str, dialect: str, letter: str) -> list[Case]:
            steps = [Step(letter, serial) for _, serial in looks]
            return [
                Case(
                    f"{name} {kind}",
                    at,
                    process,
                    self.templates[dialect],
                    lambda: steps,
                    MARKS[dialect],
                    letter,
                    body=bodies[kind],
                    is_beside=name != "constant",
                )
                for name, at, process in (
                    ("constant", port, pid),
                    ("low-level constant", lean_port, lean_pid),
                )
            ]

        self.cases = [
            *constants("GET", "REST", "v"),
            ours("verify REST", "REST", "v"),
            *constants("PATCH", "REST", "s"),
            ours("supply REST", "REST", "s"),
            *constants("SOAP", "SOAP", "v"),
            ours("verify SOAP", "SOAP", "v"),
            ours("supply SOAP", "SOAP", "s"),
        ]

    async def check_sample(self, case: Case) -> None:
        """Ask about one pack as the case does; raise LoadError unless the answers are right."""
        if case.market is None:
            request = case.templates[case.sample].with_serial(self._serials[0])
            if await samples.ask(case.port, request) != case.body:
                raise LoadError(f"{case.name}: the constant answers something else")
            return
        serial, state = next(self.fresh), "ACTIVE"
        for letter in case.sample:
            state = samples.STATES.get(letter, state)
            request = case.templates[letter].with_serial(case.spell(serial))
            await samples.check(case.port, request, state, case=case.name)
        await self._count_samples()

    async def _check_last(self, case: Case, steps: Sequence[Step]) -> None:
        """What a generator has supplied must be supplied."""
        supplied = [step.serial for step in steps if step.letter == "s"]
        if case.allowed == SUPPLIED and supplied:
            request = case.templates["v"].with_serial(supplied[len(supplied) // 2])
            await samples.check(case.port, request, "SUPPLIED", case=case.name)
            await self._count_samples()

    async def _count_samples(self) -> None:
        self.answered += sum((await self._market.answered()).values())

    async def warm_up(self, case: Case) -> None:
        """Run a case for a moment: connections, plans, pages; its figures count for nothing."""
        await self.run(case, seconds=_WARM_UP_S)
        self.rates[case.name].clear()
        self.cpu_us[case.name].clear()

    async def run(self, case: Case, *, seconds: float | None = None) -> Throughput:
        """Run a case once and check that the server counted what was asked, and answers what it
        should before and after."""
        await self.check_sample(case)
        steps = case.steps()
        if seconds is None:
            seconds = min(self._scale.seconds, _BESIDE_S) if case.is_beside else self._scale.seconds
        postmaster = self._market.server.pid
        cpu_s, server_s = process_cpu_s(case.pid), server_cpu_s(postmaster)
        try:
            measured = await drive(
                case.port,
                case.templates,
                steps,
                seconds=seconds,
                connections=CONNECTIONS,
                mark=case.mark,
                wrap=case.repeats,
            )
        except LoadError as error:
            told = await case.market.answered() if case.market else {}
            raise LoadError(f"{case.name}: {error}; the server's answers: {told}") from error
        taken = process_cpu_s(case.pid) - cpu_s, server_cpu_s(postmaster) - server_s
        self.rates.setdefault(case.name, []).append(measured.requests_per_s)
        per_request = [seconds / measured.answered * 1e6 for seconds in taken]
        self.cpu_us.setdefault(case.name, []).append((per_request[0], per_request[1]))
        if case.market is not None:
            await self.compare(case.name, measured.answered, measured.asked, case.allowed)
            await self._check_last(case, steps[1 : measured.answered // 2])
        if not case.repeats:
            self.fresh.give_back(steps[measured.asked :])
        await self.check_sample(case)
        return measured

    async def compare(self, case: str, answered: int, asked: int, allowed: frozenset[str]) -> None:
        self.answered += await check_answers(
            self._market, answered=answered, asked=asked, allowed=allowed, case=case
        )

    def report(self, results: Results) -> None:
        """Add the figures of all rounds so far."""
        for name, values in self.rates.items():
            own, server = zip(*self.cpu_us[name], strict=True)
            note = f"processor: {min(own):.0f} µs of its own"
            if "constant" not in name:
                note += f", {min(server):.0f} µs of PostgreSQL"
            results.add(Figure(name, "/s", values, "rate", note))

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
