"""One example of the machine: products of its own, and all that can happen to their packs."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from emvs.states import Operation
from tests.acceptance.goods import master_data
from tests.acceptance.machine.model import (
    MARKETS,
    Actor,
    Expected,
    Identity,
    Model,
    ModelBatch,
)
from tests.acceptance.machine.stand import ACTORS, Stand
from tests.acceptance.machine.wire import code_of, operations_of, state_name
from tests.integration.clients import WireAnswer
from tests.integration.hub.stand import packs
from tests.integration.pack_model import ModelPack
from tests.integration.running import gtin

_ZONES = {"IE": ZoneInfo("Europe/Dublin"), "PL": ZoneInfo("Europe/Warsaw")}
_NO_SUCH_PRODUCT = gtin(999_999_999)
MISREADINGS = ("serial", "batch", "other batch", "serial and batch", "expiry", "product")

Request = tuple[Actor, Operation, Identity]


class Lives:
    """Packs, the model of them, and the two markets that hold them."""

    def __init__(self, stand: Stand, number: int) -> None:
        self.stand = stand
        self.model = Model()
        self._number = number
        self._serials = itertools.count(1)
        self._both, self._polish = gtin(800_000_000 + 2 * number), gtin(800_000_001 + 2 * number)

    async def begin(self) -> None:
        """Upload two products, four batches and nine packs: of both markets and of Poland alone."""
        today = datetime.fromtimestamp(self.stand.now_s, UTC).date()
        soon, month = today + timedelta(days=6), today + timedelta(days=40)
        later = f"{today + timedelta(days=300):%y%m%d}"
        sent = [
            await self._place(self._both, *MARKETS),
            await self._make("A", self._both, MARKETS, f"{soon:%y%m%d}", 2),
            await self._make("B", self._both, MARKETS, f"{month:%y%m}00", 3),
            await self._place(self._both, "PL"),
            await self._make("C", self._both, ("PL",), later, 2),
            await self._place(self._polish, "PL"),
            await self._make("D", self._polish, ("PL",), later, 2),
        ]
        for transaction_id in sent:
            ended = await self.stand.markets.obp.ended(transaction_id)
            assert ended["status"] == "STDS", ended

    async def _place(self, code: str, *markets: str) -> str:
        self.model.products.setdefault(code, set()).update(markets)
        return await self.stand.markets.obp.send("PMDR", **master_data(code, *markets))

    async def _make(
        self, letter: str, code: str, markets: tuple[str, ...], expiry: str, count: int
    ) -> str:
        batch_id = f"{letter}{self._number:06d}"
        batch = ModelBatch(code, expiry, markets, expired_from_s(expiry), set(markets))
        self.model.batches[batch_id] = batch
        serials = self._new_packs(batch_id, count, markets)
        message = packs(serials, productCode=code, batchId=batch_id, expiry=expiry)
        return await self.stand.markets.obp.send("PPDC", **message)

    def _new_packs(self, batch_id: str, count: int, markets: Sequence[str]) -> list[str]:
        serials = [f"S{self._number:06d}{next(self._serials):03d}" for _ in range(count)]
        for serial in serials:
            self.model.packs[serial] = {market: ModelPack(batch_id) for market in markets}
        return serials

    async def ask(self, actor: Actor, operation: int, pack: int) -> None:
        """One request about a pack as it is printed."""
        serial = _pick(list(self.model.packs), pack)
        held = self.model.packs[serial][self.model.answering_market(actor, serial)]
        chosen = _telling(held, actor, operation)
        await self._ask((*chosen, self.model.identity(serial)))

    async def misread(self, actor: Actor, operation: int, pack: int, what: str) -> None:
        """One request in which something is not as it is printed."""
        serial = _pick(list(self.model.packs), pack)
        asked = self.model.identity(serial)
        nowhere = {"serial": f"S{self._number:06d}999", "batch": f"Z{self._number:06d}"}
        if what == "expiry":
            asked = asked._replace(expiry="991231")
        elif what == "product":
            asked = asked._replace(product=_NO_SUCH_PRODUCT)
        elif what == "other batch":
            asked = asked._replace(batch=_pick(list(self.model.batches), operation))
        else:
            asked = asked._replace(**{part: nowhere[part] for part in what.split(" and ")})
        await self._ask((actor, _operation(actor, operation), asked))

    async def _ask(self, request: Request) -> None:
        serial = request[2].serial
        if serial in self.model.packs:
            if self.model.is_nearly(serial, self.stand.now_s):
                return
            answering = self.model.answering_market(request[0], serial)
            if self.model.changed_in.get(serial, answering) != answering:
                await self.settle()
        expected = self.model.ask(*request, self.stand.now_s)
        answer = await self.stand.ask(*request)
        differences = differing(request, expected, answer)
        assert not differences, (request, expected, answer, differences)

    async def at_once_here(self, one: Actor, other: int, pack: int, operations: list[int]) -> None:
        """Two requests at the same moment to one market: as if one had come before the other."""
        serial = _pick(list(self.model.packs), pack)
        await self.settle()
        if self.model.is_nearly(serial, self.stand.now_s):
            return
        market = self.model.answering_market(one, serial)
        near = [who for who in ACTORS if self.model.answering_market(who, serial) == market]
        requests = [
            (actor, _operation(actor, number), self.model.identity(serial))
            for actor, number in zip((one, _pick(near, other)), operations, strict=True)
        ]
        now_s = self.stand.now_s
        answers = await asyncio.gather(*(self.stand.ask(*request) for request in requests))
        possible = []
        for order in ((0, 1), (1, 0)):
            model = deepcopy(self.model)
            expected = {number: model.ask(*requests[number], now_s) for number in order}
            if not any(differing(requests[n], expected[n], answers[n]) for n in order):
                possible.append(model)
        assert possible, (requests, answers)
        self.model = possible[0]
        if len(possible) > 1 and possible[0].packs != possible[1].packs:
            stored = await self.stand.stored(market, [serial])
            copies = [model.packs[serial][market] for model in possible]
            self.model = next(
                model
                for model, copy in zip(possible, copies, strict=True)
                if (copy.state, copy.repeats) == stored[serial][:2]
            )

    async def after_a_lock(
        self, actor: Actor, pack: int, repeats: int, requests: dict[str, list[tuple[int, int]]]
    ) -> None:
        """A lock, perhaps repeated, that both markets know; then its undo and what comes of it."""
        serial = _pick(self._shared(), pack)
        for _ in range(1 + repeats):
            await self._ask((actor, Operation.LOCK, self.model.identity(serial)))
        undo = (0, 0)  # See `_telling`.
        await self.at_once_in_both(pack, requests | {actor.market: [undo]})

    def _shared(self) -> list[str]:
        return [serial for serial in self.model.packs if self.model.is_shared(serial)]

    async def at_once_in_both(self, pack: int, requests: dict[str, list[tuple[int, int]]]) -> None:
        """Requests in both markets while neither can hear of the other, then they agree."""
        serial = _pick(self._shared(), pack)
        await self.settle()
        if self.model.is_nearly(serial, self.stand.now_s):
            return
        async with self.stand.changes_held_back():
            counts = await asyncio.gather(
                *(self._chain(market, serial, requests[market]) for market in MARKETS)
            )
            for market, copy in self.model.packs[serial].items():
                if copy.set_by is not None:  # The second matters here: that of the machine's clock.
                    stored = await self.stand.stored(market, [serial])
                    assert abs(copy.set_at_s - stored[serial].set_at_s) <= 2
                    copy.set_at_s = stored[serial].set_at_s
        self.model.changed_in.pop(serial, None)
        self.model.settle_race(serial, dict(zip(MARKETS, counts, strict=True)))
        await self.settle()

    async def _chain(self, market: str, serial: str, requests: list[tuple[int, int]]) -> int:
        """Ask one thing after the other in a market; return how often the pack changed."""
        people = [actor for actor in ACTORS if actor.market == market]
        copy = self.model.packs[serial][market]
        changes = 0
        for who, number in requests:
            before = copy.state
            chosen = _telling(copy, _pick(people, who), number)
            request = (*chosen, self.model.identity(serial))
            expected = self.model.ask(*request, self.stand.now_s)
            answer = await self.stand.ask(*request)
            differences = differing(request, expected, answer)
            assert not differences, (request, expected, answer, differences)
            changes += copy.state is not before
        return changes

    async def wait(self, hours: int) -> None:
        """Move all clocks."""
        await self.stand.advance(hours * 3600)

    async def wait_for_warsaw(self, batch: int) -> None:
        """Move all clocks to half an hour after a batch has expired in Warsaw, not in Dublin."""
        wanted = _pick(list(self.model.batches.values()), batch)
        seconds = wanted.expired_from_s["PL"] + 1800 - self.stand.now_s
        if 0 < seconds < 100 * 86_400:
            await self.stand.advance(seconds)

    async def recall(self, batch: int, markets: Sequence[str]) -> None:
        """Recall a batch; what was done before is refused."""
        batch_id = _pick(list(self.model.batches), batch)
        known = self.model.batches[batch_id]
        possible = set(markets) <= set(known.markets) - known.recalled
        message = {"productCode": known.product, "batchId": batch_id, "markets": list(markets)}
        ended = await self._end("RCBR", reason="glass", **message)
        assert ended["status"] == ("STDS" if possible else "STIV"), ended
        if possible:
            known.recalled |= set(markets)

    async def withdraw(self, product: int, markets: Sequence[str]) -> None:
        """Withdraw a product; what was done before is refused."""
        code = _pick(list(self.model.products), product)
        wanted = {(code, market) for market in markets}
        possible = set(markets) <= self.model.products[code] and not wanted & self.model.withdrawn
        message = {"productCode": code, "markets": list(markets)}
        ended = await self._end("WDPR", reason="safety", **message)
        assert ended["status"] == ("STDS" if possible else "STIV"), ended
        if possible:
            self.model.withdrawn |= wanted

    async def upload(self, batch: int, count: int) -> None:
        """Upload further packs of a batch together with one that is there already."""
        batch_id = _pick(list(self.model.batches), batch)
        known = self.model.batches[batch_id]
        there = next(
            serial
            for serial, copies in self.model.packs.items()
            if next(iter(copies.values())).batch == batch_id
        )
        open_in = [
            market
            for market in known.markets
            if market not in known.recalled and (known.product, market) not in self.model.withdrawn
        ]
        # Numbers are used up though no market may take them.
        serials = self._new_packs(batch_id, count, open_in)
        if not open_in:
            for serial in serials:
                del self.model.packs[serial]
        message = packs([*serials, there], productCode=known.product, batchId=batch_id)
        ended = await self._end("PPDM", **message | {"expiry": known.expiry})
        assert ended["status"] == ("STDS" if open_in else "STIV"), ended
        for entry in ended["markets"]:
            taken = entry["market"] in open_in
            assert entry["status"] == ("Distributed" if taken else "Rejected"), entry
            if taken:
                assert entry["loadedCount"] == count, entry
                assert [pack["serialNumber"] for pack in entry["refusedSerials"]] == [there]

    async def _end(self, kind: str, **message: Any) -> dict[str, Any]:
        obp = self.stand.markets.obp
        return await obp.ended(await obp.send(kind, **message))

    async def settle(self) -> None:
        """Wait until all changes have arrived: both markets must have what the model has."""
        await self.stand.markets.settled()
        self.model.settle()
        for market in MARKETS:
            held = {
                serial: copies[market]
                for serial, copies in self.model.packs.items()
                if market in copies
            }
            stored = await self.stand.stored(market, list(held))
            for serial, pack in held.items():
                found = stored[serial]
                set_in = pack.set_by.market if pack.set_by else None
                assert (found.state, found.set_in) == (pack.state, set_in), (market, serial)
                # Elsewhere than where it was set, the count is of no use to anybody.
                if set_in == market or not self.model.is_shared(serial):
                    assert found.repeats == pack.repeats, (market, serial)

    async def end(self) -> None:
        """Both markets agree, with memory, disk and audit trail as they must be."""
        await self.settle()
        for market, serial in itertools.product(MARKETS, self.model.packs):
            code = self.model.identity(serial).product
            entries = await self.stand.entries(market, code, serial)
            expected = (self.model.entries[market, code, serial], self.model.heard[market, serial])
            assert entries == expected, (market, serial)
        await self.stand.markets.assert_sound()


def differing(request: Request, expected: Expected, answer: WireAnswer) -> list[str]:
    """Return in what an answer is not as expected."""
    actor, operation, _ = request
    alerts = expected.alerts and actor.kind != "nca"
    checks = {
        "code": answer.code == code_of(actor, operation, expected),
        "alert": (answer.alert_id is not None) == alerts,
        "alert's market": not alerts or (answer.alert_id or "")[:2] == expected.answered_by,
        "intermarket": answer.intermarket == (expected.answered_by != actor.market),
        "state": expected.state is None or answer.state == state_name(expected.state),
    }
    return [name for name, fits in checks.items() if not fits]


def expired_from_s(expiry: str) -> dict[str, int]:
    """Return the first second at which a pack is expired in each market: its own midnight after
    the last day, which is the month's where the day is 00."""
    year, month, day = 2000 + int(expiry[:2]), int(expiry[2:4]), int(expiry[4:])
    if day:
        after = datetime(year, month, day, tzinfo=UTC) + timedelta(days=1)
    else:
        after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return {market: int(after.replace(tzinfo=zone).timestamp()) for market, zone in _ZONES.items()}


def _operation(actor: Actor, number: int) -> Operation:
    return _pick(operations_of(actor.dialect), number)


def _telling(pack: ModelPack, actor: Actor, number: int) -> tuple[Actor, Operation]:
    """Return who asks what: half of the time what is likely to change something, by whoever set
    the state of the pack if that is in the actor's market."""
    if number % 2:
        return actor, _operation(actor, number // 2)
    if pack.set_by is not None and pack.set_by.market == actor.market:
        actor = pack.set_by
    undo = Operation(pack.state + 10) if actor.dialect == "soap" else Operation.REACTIVATE
    wanted = [undo, Operation.LOCK, Operation.STOLEN, Operation.SUPPLY, undo, Operation.LOCK]
    offered = operations_of(actor.dialect)
    return actor, _pick([operation for operation in wanted if operation in offered], number // 2)


def _pick(choices: Sequence[Any], number: int) -> Any:
    return choices[number % len(choices)]
