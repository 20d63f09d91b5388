"""Two markets and a hub in plain Python: who holds which pack, and what must come of a request.

Written from the texts: Delegated Regulation (EU) 2016/161, Art. 34 and 35, and the operators'
public rules on look-up and intermarket requests; how two changes at once end, from
docs/synchronisation.md. One pack's own rules are in `tests.integration.pack_model`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from emvs.outcomes import Outcome
from emvs.states import Operation, State
from tests.integration.pack_model import UNDO_WINDOW_S, ModelPack, may, what_comes

MARKETS = ("IE", "PL")
NEARLY_S = 120
"""So close to the end of a time nothing is asked: the request might come before or after."""
ALERTS = {
    Outcome.ALREADY_IN_STATE,
    Outcome.IN_OTHER_STATE,
    Outcome.UNDO_MISMATCH,
    Outcome.SERIAL_UNKNOWN,
    Outcome.BATCH_AND_SERIAL_UNKNOWN,
    Outcome.BATCH_MISMATCH,
    Outcome.EXPIRY_MISMATCH,
}


class Actor(NamedTuple):
    """A location of a market, and the dialect it speaks."""

    market: str
    kind: str
    number: int
    dialect: str


class Identity(NamedTuple):
    """What a request names."""

    product: str
    batch: str
    expiry: str
    serial: str


class Expected(NamedTuple):
    """What must come of a request."""

    outcome: Outcome
    answered_by: str
    state: State | None = None
    """Effective state afterwards; None if no pack was found."""
    here: bool = False

    @property
    def alerts(self) -> bool:
        return self.outcome in ALERTS


@dataclass
class ModelBatch:
    """A batch, the markets of its product version, and what they know of it."""

    product: str
    expiry: str
    markets: tuple[str, ...]
    expired_from_s: dict[str, int]
    stored_in: set[str] = field(default_factory=set)
    recalled: set[str] = field(default_factory=set)


class Model:
    """All that the two markets and the hub know."""

    def __init__(self) -> None:
        self.products: dict[str, set[str]] = {}
        """Product code to the markets that have a version of it."""
        self.batches: dict[str, ModelBatch] = {}
        self.withdrawn: set[tuple[str, str]] = set()
        self.packs: dict[str, dict[str, ModelPack]] = {}
        """Serial number to each market's copy."""
        self.changed_in: dict[str, str] = {}
        """Serial numbers of packs whose change the other market may not know yet."""
        self.entries: Counter[tuple[str, str, str]] = Counter()
        """Entries in each market's audit trail, other markets' changes apart: by market, product
        code and serial number."""
        self.heard: Counter[tuple[str, str]] = Counter()
        """Changes of the other market in each market's audit trail of each pack."""

    def identity(self, serial: str) -> Identity:
        """Return what is printed on a pack."""
        batch_id = next(iter(self.packs[serial].values())).batch
        batch = self.batches[batch_id]
        return Identity(batch.product, batch_id, batch.expiry, serial)

    def is_shared(self, serial: str) -> bool:
        """Tell whether both markets hold a pack."""
        return len(self.packs[serial]) == len(MARKETS)

    def inactive(self, batch_id: str, market: str, now_s: int) -> State | None:
        """Return what batch and product make of a pack in a market."""
        batch = self.batches[batch_id]
        if (batch.product, market) in self.withdrawn:
            return State.WITHDRAWN
        if market in batch.recalled:
            return State.RECALLED
        return State.EXPIRED if now_s >= batch.expired_from_s[market] else None

    def is_nearly(self, serial: str, now_s: int) -> bool:
        """Tell whether some time of a pack ends about now."""
        batch = self.batches[self.identity(serial).batch]
        ends = list(batch.expired_from_s.values())
        ends += [copy.set_at_s + UNDO_WINDOW_S for copy in self.packs[serial].values()]
        return any(abs(now_s - end) < NEARLY_S for end in ends)

    def answering_market(self, actor: Actor, serial: str) -> str:
        """Return the market whose copy of a pack an actor's request reaches."""
        return (
            actor.market if actor.market in self.packs[serial] else next(iter(self.packs[serial]))
        )

    def ask(self, actor: Actor, operation: Operation, asked: Identity, now_s: int) -> Expected:
        """Return what must come of a request, and note what it changes."""
        home = actor.market
        if not may(actor.kind, operation):
            return Expected(Outcome.NOT_PERMITTED, home)
        self.entries[home, asked.product, asked.serial] += 1
        found = self._in_market(home, actor, operation, asked, now_s)
        if isinstance(found, Expected):
            return found
        if found is not Outcome.SERIAL_UNKNOWN:
            there = self._elsewhere(actor, operation, asked, now_s)
            if isinstance(there, Expected):
                return there
            if there is not Outcome.PRODUCT_UNKNOWN:
                found = there
        return Expected(found, home)

    def _elsewhere(
        self, actor: Actor, operation: Operation, asked: Identity, now_s: int
    ) -> Expected | Outcome:
        """What the hub says: it asks the batch's markets, or else those of the product."""
        if asked.product not in self.products:
            return Outcome.PRODUCT_UNKNOWN
        batch = self.batches.get(asked.batch)
        known = batch is not None and batch.product == asked.product
        markets = batch.markets if batch and known else self.products[asked.product]
        nobody = Outcome.SERIAL_UNKNOWN if known else Outcome.BATCH_AND_SERIAL_UNKNOWN
        for other in set(markets) - {actor.market}:
            self.entries[other, asked.product, asked.serial] += 1
            found = self._in_market(other, actor, operation, asked, now_s)
            if isinstance(found, Expected):
                return found
            nobody = found
        return nobody

    def _in_market(
        self, market: str, actor: Actor, operation: Operation, asked: Identity, now_s: int
    ) -> Expected | Outcome:
        """What a market answers about a pack that it holds, or what it does not know."""
        if market not in self.products.get(asked.product, ()):
            return Outcome.PRODUCT_UNKNOWN
        pack = self.packs.get(asked.serial, {}).get(market)
        if pack is None or self.batches[pack.batch].product != asked.product:
            batch = self.batches.get(asked.batch)
            stored = batch and batch.product == asked.product and market in batch.stored_in
            return Outcome.SERIAL_UNKNOWN if stored else Outcome.BATCH_AND_SERIAL_UNKNOWN
        if asked.batch != pack.batch:
            return Expected(Outcome.BATCH_MISMATCH, market)
        if asked.expiry != self.batches[pack.batch].expiry:
            return Expected(Outcome.EXPIRY_MISMATCH, market)
        return self.decide(market, actor, operation, asked.serial, now_s)

    def decide(
        self, market: str, actor: Actor, operation: Operation, serial: str, now_s: int
    ) -> Expected:
        """What a market makes of a request about its copy of a pack."""
        pack = self.packs[serial][market]
        before = pack.state
        inactive = self.inactive(pack.batch, market, now_s)
        here = pack.set_by == actor
        outcome = what_comes(
            pack, operation, actor, now_s=now_s, inactive=inactive, other_repeats=1
        )
        if pack.state is not before and self.is_shared(serial):
            self.changed_in[serial] = market
            self.heard[other_than(market), serial] += 1
        return Expected(outcome, market, inactive or pack.state, here)

    def settle(self) -> None:
        """Every change has reached the other market; what was tolerated stays where it was."""
        for serial, market in self.changed_in.items():
            copies = self.packs[serial]
            copies[other_than(market)] = replace(copies[market], repeats=0)
        self.changed_in.clear()

    def settle_race(self, serial: str, changes: dict[str, int]) -> None:
        """Two markets changed a pack at once, so many times each: more changes hold, then the
        earlier last one, then the smaller market code."""

        def order(market: str) -> tuple[int, int, str]:
            return (-changes[market], self.packs[serial][market].set_at_s, market)

        if any(changes.values()):
            self.changed_in[serial] = min(MARKETS, key=order)
            self.settle()


def other_than(market: str) -> str:
    """Return the other of the two markets."""
    return MARKETS[1 - MARKETS.index(market)]
