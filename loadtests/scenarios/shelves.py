"""Which pack a scan is about: what stands on the shelves of a site. Pure: answers come in.

A pack is verified when it arrives, perhaps again before it is handed out, and then decommissioned;
few supplies are undone. No pack has two requests under way, so each answer can be told in advance,
and whatever else comes is unexpected. The only packs scanned twice at once are those that shall be.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from loadtests.scenarios.mix import (
    CUMULATED,
    FAULTS,
    FAULTS_CUMULATED,
    OPERATIONS,
    Fault,
    Operation,
    Role,
)
from loadtests.scenarios.packs import Pack

_SHELF_DEPTH: Final = 40
"""Verified packs of a site before it looks at known ones again (our choice)."""
_SUPPLIED_KEPT: Final = 20
"""Supplies that may be undone or scanned elsewhere."""


class Mixture(NamedTuple):
    """The dials, as shares of transactions."""

    alerts: float
    intermarket: float
    manual: float


class Job(NamedTuple):
    """One request about one pack."""

    operation: Operation
    pack: Pack
    fault: Fault = Fault.NONE
    manual: bool = False
    foreign: bool = False
    reference: str | None = None
    """Transaction id of the supply that is undone."""
    repeat: bool = False


class Market:
    """What the sites of one market share at one load generator."""

    def __init__(
        self, fresh: Iterator[Pack], *, hits: Callable[[], Pack | None] = lambda: None
    ) -> None:
        """`hits` returns now and then a pack of a batch that is recalled in this run."""
        self._fresh = fresh
        self._hits = hits
        self.taken_count = 0
        self.is_empty = False
        self.supplied: deque[tuple[Pack, int]] = deque(maxlen=_SUPPLIED_KEPT)
        """Packs that a site has handed out for good, with the site's number."""
        self.recalled: frozenset[str] = frozenset()
        """Batches that are being recalled or have been."""

    def fresh(self) -> Pack | None:
        """Return a pack that nobody has scanned; None if there is none left."""
        pack = self._hits() or next(self._fresh, None)
        if pack is None:
            self.is_empty = True
        else:
            self.taken_count += 1
        return pack

    def fresh_run(self, count: int) -> list[Pack]:
        """Return up to so many fresh packs of one batch."""
        packs: list[Pack] = []
        while len(packs) < count:
            pack = next(self._fresh, None)
            if pack is None or (packs and pack.batch != packs[0].batch):
                break
            packs.append(pack)
        self.taken_count += len(packs)
        self.is_empty = self.is_empty or not packs
        return packs


class Shelves:
    """The packs of one site at one load generator."""

    def __init__(
        self,
        market: Market,
        role: Role,
        *,
        site: int,
        mixture: Mixture,
        rng: random.Random,
        foreign: Callable[[], Pack | None] = lambda: None,
    ) -> None:
        self._market = market
        self._weights = CUMULATED[role]
        self._site = site
        self._mixture = mixture
        self._rng = rng
        self._foreign = foreign
        self._verified: deque[Pack] = deque()
        self._undoable: deque[tuple[Pack, str]] = deque()
        self._owed_undos = 0

    def next_job(self, *, goods_in: bool = False) -> Job | None:
        """Return the next request by the mix; None if there are no packs left."""
        rng, mixture = self._rng, self._mixture
        manual = rng.random() < mixture.manual
        draw = rng.random()
        if draw < mixture.alerts:
            job = self._faulty()
            if job is not None:
                return job
        elif draw < mixture.alerts + mixture.intermarket:
            pack = self._foreign()
            if pack is not None:
                return Job(Operation.VERIFY, pack, manual=manual, foreign=True)
        if goods_in:
            return self._verify(manual=manual)
        weights = self._weights
        operation = OPERATIONS[bisect_right(weights, rng.random() * weights[-1])]
        if operation is Operation.UNDO:
            self._owed_undos += 1
            operation = Operation.VERIFY
        if operation is Operation.VERIFY:
            return self._undo() or self._verify(manual=manual)
        pack = self._verified.popleft() if self._verified else self._market.fresh()
        # Only supplies and verifications have a form for packs that are typed in.
        manual = manual and operation is Operation.SUPPLY
        return None if pack is None else Job(operation, pack, manual=manual)

    def done(self, job: Job, *, accepted: bool, reference: str) -> None:
        """Take the answer to a job. What was not answered is looked at no more."""
        if job.fault or job.foreign or job.repeat or not accepted:
            return
        if job.operation in (Operation.VERIFY, Operation.UNDO):
            if job.pack.batch not in self._market.recalled:
                self._verified.append(job.pack)
        elif job.operation is Operation.SUPPLY:
            self._undoable.append((job.pack, reference))
            if len(self._undoable) > _SUPPLIED_KEPT:
                pack, _ = self._undoable.popleft()
                self._market.supplied.append((pack, self._site))

    def _verify(self, *, manual: bool) -> Job | None:
        pack = None
        if len(self._verified) < _SHELF_DEPTH:
            pack = self._market.fresh()
        if pack is None and self._verified:
            pack = self._verified.popleft()
        return None if pack is None else Job(Operation.VERIFY, pack, manual=manual)

    def _undo(self) -> Job | None:
        if self._owed_undos == 0 or not self._undoable:
            return None
        self._owed_undos -= 1
        pack, reference = self._undoable.pop()
        return Job(Operation.UNDO, pack, reference=reference)

    def _faulty(self) -> Job | None:
        fault = self._rng.choices(FAULTS, cum_weights=FAULTS_CUMULATED)[0]
        if fault is Fault.ALREADY_INACTIVE:
            pack = self._inactive_elsewhere()
            if pack is not None:
                return Job(Operation.SUPPLY, pack, fault)
            fault = Fault.SERIAL_UNKNOWN  # Nobody has handed out enough yet.
        if self._verified:
            # It goes back to its place: a refusal of wrong identifiers changes nothing.
            pack = self._verified[0]
        else:
            pack = self._market.fresh()
            if pack is None:
                return None
            self._verified.append(pack)
        return Job(Operation.VERIFY, damaged(pack, fault), fault)

    def _inactive_elsewhere(self) -> Pack | None:
        supplied = self._market.supplied
        for _ in range(len(supplied)):
            pack, site = supplied.popleft()
            if site != self._site:
                return pack
            supplied.append((pack, site))
        return None


def damaged(pack: Pack, fault: Fault) -> Pack:
    """Return the identifiers as they come in when something is wrong with them."""
    if fault is Fault.SERIAL_UNKNOWN:
        # As long as the right one, so that no lost separator is suspected; 0 is in no serial.
        return pack._replace(serial=f"{pack.serial[:-1]}0")
    if fault is Fault.BATCH_MISMATCH:
        return pack._replace(batch=OTHER_BATCH)
    if fault is Fault.BATCH_UNKNOWN:
        return pack._replace(batch=f"{pack.batch[:-1]}X", serial=f"{pack.serial[:-1]}0")
    if fault is Fault.EXPIRY_MISMATCH:
        year = (int(pack.expiry[:2]) + 1) % 100
        return pack._replace(expiry=f"{year:02}{pack.expiry[2:4]}28")
    return pack


OTHER_BATCH: Final = "LOT-OF-ANOTHER"
"""Never the right one; whether it exists does not matter once the serial number is known."""
