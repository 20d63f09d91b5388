"""A load generator: everything one Locust process needs for its share of a run. Runs on gevent.

Locust users of `users` are lanes: each carries one request at a time. What they carry comes from
here, at its planned moment; what became of it goes into samples.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Final

import gevent
import gevent.pool

from loadtests.scenarios.arrivals import Arrival, Arrivals, Errand
from loadtests.scenarios.bulk_errand import run_bulk
from loadtests.scenarios.connection import STOPPED, Reply
from loadtests.scenarios.lanes import Lanes
from loadtests.scenarios.locust_stats import Teller
from loadtests.scenarios.messages import Writer, expected_codes, rest_code, soap_code
from loadtests.scenarios.mix import Operation, Role
from loadtests.scenarios.packs import Pack, fresh_packs
from loadtests.scenarios.plan import Plan
from loadtests.scenarios.recalls import market_of, recall_times
from loadtests.scenarios.samples import Flag, Verdict, pack_row
from loadtests.scenarios.shelves import Job, Mixture, Shelves
from loadtests.scenarios.tokens import Tokens
from loadtests.scenarios.wire import FastClient, WireClient

_WARM_UP_GREENLETS: Final = 4
_OPEN_AHEAD_MAX: Final = 8
"""Connections of a site that are there before the run: many handshakes in the first second would
make it slower than all others (our choice)."""
_RECALL_LEAD_S: Final = 0.5
"""From so long before a recall is sent its batch may be answered either way."""


class Generator:
    """One process's share. `index` counts from 0."""

    def __init__(self, plan: Plan, *, index: int, generators: int, teller: Teller) -> None:
        self.plan = plan
        self.index = index
        self.rows = bytearray()
        """Samples that nobody has fetched yet."""
        self.busy_lanes = 0
        self.fetching = gevent.pool.Group()
        """Who waits for the results of many packs at once."""
        self.unsent_count = 0
        self.is_over = self.is_stopped = False
        self._teller = teller
        self._trx_prefix = f"{plan.packs[0].run_id}{index:03}"
        self._trx_count = 0
        self._started_at = 0.0
        self.arrivals = {
            role: Arrivals(plan, role, index=index, generators=generators) for role in Role
        }
        self.lanes = Lanes(self.arrivals, self.now)
        packs = {one.market: one for one in plan.packs}
        self.markets = {
            name: market_of(plan, one, index=index, generators=generators)
            for name, one in packs.items()
        }
        foreign = self._foreign_packs(generators)
        foreign_code = plan.foreign.product_code if plan.foreign else None
        mixture = Mixture(plan.alerts, plan.intermarket if foreign else 0.0, plan.manual)
        self.shelves = [
            Shelves(
                self.markets[site.market],
                site.role,
                site=site.number,
                mixture=mixture,
                rng=random.Random(f"{plan.seed}:{site.number}:{index}"),  # noqa: S311
                foreign=(lambda: next(foreign)) if foreign else lambda: None,
            )
            for site in plan.sites
        ]
        self.writers = [
            Writer(site, packs[site.market].product_code, foreign_code) for site in plan.sites
        ]
        self.clients: list[WireClient | FastClient] = [
            FastClient(site, plan.ca, plan.timeout_s, plan.lanes)
            if plan.client == "fasthttp"
            else WireClient(site, plan.ca, plan.timeout_s)
            for site in plan.sites
        ]
        self.tokens = Tokens(plan.sites, self.writers, self.clients)
        self._names = [f"{site.market} {site.dialect} " for site in plan.sites]
        self._recalls = recall_times(plan)
        self._rng = random.Random(f"{plan.seed}:repeats:{index}")  # noqa: S311

    def _foreign_packs(self, generators: int) -> Iterator[Pack] | None:
        foreign = self.plan.foreign
        if foreign is None:
            return None
        packs = list(fresh_packs(foreign, index=self.index, generators=generators))
        rng = random.Random(f"{self.plan.seed}:foreign:{self.index}")  # noqa: S311
        return iter(lambda: rng.choice(packs), None)

    def warm_up(self) -> None:
        """Log every site in and open connections for it, outside of all measuring.

        A first login costs the server a memory-hard hash, which no later request pays. The first
        arrival follows from all prescriptions that began earlier: seconds of processor at high
        rates, in which nothing could be sent.
        """
        for arrivals in self.arrivals.values():
            arrivals.next_at()
        pool = gevent.pool.Pool(_WARM_UP_GREENLETS)
        for _ in pool.imap_unordered(self._warm_up_site, range(len(self.plan.sites))):
            pass

    def _warm_up_site(self, number: int) -> None:
        self.tokens.refresh(number)
        pack = self.markets[self.plan.sites[number].market].fresh()
        if pack is not None:
            job = Job(Operation.VERIFY, pack)
            client = self.clients[number]
            if isinstance(client, WireClient):
                client.open_ahead(min(_OPEN_AHEAD_MAX, -(-self.plan.lanes // len(self.clients))))
            client.send(self.writers[number].request(job, self.next_trx()))

    def start(self, lanes: dict[Role, int]) -> None:
        """Begin the run. `lanes`: how many Locust has given this process of each role."""
        self.lanes.adopt(lanes)
        self._started_at = time.perf_counter()

    def now(self) -> float:
        """Return the second of the run."""
        return time.perf_counter() - self._started_at

    def next_trx(self) -> str:
        """Return a client transaction id that no other request of the run has."""
        self._trx_count += 1
        return f"{self._trx_prefix}{self._trx_count:09}"

    def carry(self, role: Role) -> bool:
        """Do one errand of a role at its planned moment; False if there is none any more."""
        taken = self.lanes.take(role)
        if taken is None:
            return False
        self.busy_lanes += 1
        try:
            self.do(taken.arrival, waited=taken.waited)
        finally:
            self.busy_lanes -= 1
        return True

    def do(self, arrival: Arrival, *, waited: bool) -> None:
        """Do an errand now."""
        if self._recalls:
            self._look_at_recalls()
        if arrival.errand is Errand.BULK:
            run_bulk(self, arrival, waited=waited)
            return
        shelves = self.shelves[arrival.site]
        job = shelves.next_job(goods_in=arrival.errand is Errand.GOODS_IN)
        if job is None:
            self.unsent_count += 1
            return
        reference = self.next_trx()
        accepted = self._send(arrival, job, reference, waited=waited)
        shelves.done(job, accepted=accepted, reference=reference)
        duplicates = self.plan.duplicates
        if (
            duplicates
            and accepted
            and job.operation is Operation.SUPPLY
            and self._rng.random() < duplicates
        ):
            self._send(arrival._replace(at=self.now()), job._replace(repeat=True), self.next_trx())

    def _look_at_recalls(self) -> None:
        now = self.now() + _RECALL_LEAD_S
        for at, market, batch in self._recalls:
            if at <= now:
                self.markets[market].recalled |= {batch}

    def _send(self, arrival: Arrival, job: Job, trx: str, *, waited: bool = True) -> bool:
        """Send one request, keep its sample; return whether the operation was done."""
        number = arrival.site
        writer = self.writers[number]
        is_soap = writer.site.soap is not None
        if not is_soap:
            self.tokens.keep(number)
        request = writer.request(job, trx)
        sent_at = self.now()
        try:
            reply = self.clients[number].send(request)
        except gevent.GreenletExit:
            self._keep_unknown(arrival, job, sent_at)
            raise
        took = self.now() - sent_at
        code = (soap_code if is_soap else rest_code)(reply.body)
        recalled = job.pack.batch in self.markets[writer.site.market].recalled
        expected = expected_codes(job, is_soap=is_soap, recalled=recalled)
        verdict = judge(reply, code, expected)
        flags = (
            Flag.MANUAL * job.manual
            | Flag.FOREIGN * job.foreign
            | Flag.REPEAT * job.repeat
            | Flag.WAITED * waited
            | Flag.RECALLED * recalled
        )
        self.keep(
            arrival.at,
            sent_at - arrival.at,
            took,
            job.pack.number,
            1,
            number,
            reply,
            job.operation,
            job.fault,
            flags,
            verdict,
            code,
        )
        return code == "SUCCESS" if is_soap else code[:1] == "1"

    def _keep_unknown(self, arrival: Arrival, job: Job, sent_at: float) -> None:
        """Keep a request whose lane is ended: the market may have done it."""
        flags = Flag.FOREIGN * job.foreign | Flag.REPEAT * job.repeat
        self.keep(
            arrival.at,
            sent_at - arrival.at,
            self.now() - sent_at,
            job.pack.number,
            1,
            arrival.site,
            STOPPED,
            job.operation,
            job.fault,
            flags,
            Verdict.UNKNOWN,
            "",
        )

    def keep(  # noqa: PLR0917 - the members of a sample in order, called for each request.
        self,
        planned: float,
        late: float,
        took: float,
        pack: int,
        count: int,
        site: int,
        reply: Reply,
        operation: Operation,
        fault: int,
        flags: int,
        verdict: Verdict,
        code: str,
    ) -> None:
        """Keep a sample and tell Locust."""
        shown = code or reply.trouble or f"HTTP {reply.status}"
        self.rows += pack_row(
            *(planned, max(late, 0.0), took, pack, count, site, reply.status),
            *(operation, fault, flags, verdict, shown.encode()[:12]),
        )
        if verdict is Verdict.UNKNOWN:
            return
        self._teller.add(
            "REST" if self.plan.sites[site].soap is None else "SOAP",
            self._names[site] + operation.label,
            took,
            len(reply.body),
            "" if verdict is Verdict.EXPECTED else shown,
        )

    def keep_row(
        self,
        times_and_pack: tuple[float, float, float, int],
        what: tuple[int, int, int],
        marks: tuple[int, int, int, int],
        code: str,
    ) -> None:
        """Keep a sample of a request that Locust knows of already."""
        self.rows += pack_row(*times_and_pack, *what, *marks, code.encode()[:12])

    def take_rows(self) -> bytes:
        """Return the samples since the last call. Locust has been told of them."""
        self._teller.tell()
        rows, self.rows = bytes(self.rows), bytearray()
        return rows

    def due_count(self) -> int:
        """Return how many arrivals should have begun by now and wait for a lane."""
        if self.plan.model == "closed":
            return 0  # Tills plan nothing.
        now = self.now()
        return sum(arrivals.due_count(now) for arrivals in self.arrivals.values())

    @property
    def is_idle(self) -> bool:
        """Whether every answer has come."""
        return self.busy_lanes == 0 and not self.fetching

    def stop_sending(self) -> None:
        """Count what was due and never sent; what is under way still gets its answer."""
        due = self.lanes.drop_all()
        if self.plan.model != "closed":  # Tills plan nothing.
            self.unsent_count += due

    def stop(self) -> None:
        """End before the plan's end: whatever has no answer by now is nobody's fault."""
        self.is_stopped = True
        self.stop_sending()

    def finish(self) -> None:
        """End. Results that have not come are kept as such."""
        self.fetching.kill()
        self.is_over = True


def judge(reply: Reply, code: str, expected: frozenset[str]) -> Verdict:
    """Return how good an answer is."""
    if code in expected:
        return Verdict.EXPECTED
    if reply.status == 0 or reply.status >= 500 or not code or reply.status == 429:
        return Verdict.ERROR
    return Verdict.ERROR if code.startswith(("TE_", "TI_", "FI_", "B")) else Verdict.UNEXPECTED
