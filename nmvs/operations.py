"""One operation on one pack: find, match, decide, apply, record, answer. The only way to a pack.

Between finding and applying there is no `await`: on one event loop that is the lock, so of any
number of supplies of one pack exactly one wins. The answer is given after the entry is durable.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from emvs.alerts import Alert, alert_id, hub_code_of_alert
from emvs.errors import HubTimeoutError, HubUnreachableError, OverloadedError
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from emvs.markets import Market
from emvs.outcomes import Outcome
from emvs.pack import Decision, Pack, decide, match_identifiers, undo_until_s
from emvs.rules import MarketRules
from emvs.states import Operation, State
from nmvs.catalogue import Batch, Catalogue, Product
from nmvs.ledger import AlertEntry, Entry, Ledger, PackChange
from nmvs.metrics import OperationMetrics
from nmvs.outgoing import outgoing_change
from nmvs.pack_index import VERSION_LIMIT, PackIndex
from nmvs.pack_keys import PackKeys
from nmvs.recovery import Recovery
from nmvs.requests import Answer, PackRequest
from nmvs.store import Store

_ATTEMPTS_MAX: Final = 4
"""How often a request is decided again after somebody else changed the pack."""

_STATES: Final = (State.ACTIVE, *State)
"""By number; number 0 is never stored."""

_FOREIGN: Final = (Outcome.PRODUCT_UNKNOWN, Outcome.BATCH_AND_SERIAL_UNKNOWN)
"""What makes a pack worth looking for in other markets."""

_log = get_logger(__name__)

AskHub = Callable[[PackRequest, str], Awaitable[Answer | None]]
"""Asks other markets through the hub, under our transaction id; None if none knows the pack."""


class Operations:
    """Everything a dialect may ask of this national system."""

    def __init__(
        self,
        *,
        market: Market,
        rules: MarketRules,
        clock: Clock,
        keys: PackKeys,
        index: PackIndex,
        catalogue: Catalogue,
        ledger: Ledger,
        recovery: Recovery,
        store: Store,
        ask_hub: AskHub | None,
    ) -> None:
        self.market = market
        self.rules = rules
        self.clock = clock
        self.metrics = OperationMetrics()
        self._keys = keys
        self._index = index
        self._catalogue = catalogue
        self._ledger = ledger
        self._recovery = recovery
        self._store = store
        self._ask_hub = ask_hub
        self._transaction_prefix = secrets.token_hex(10)
        self._transaction_number = 0

    def new_transaction_id(self) -> str:
        """Return an id of 32 hexadecimal digits, unique among all starts of this system."""
        self._transaction_number += 1
        return f"{self._transaction_prefix}{self._transaction_number:012x}"

    def answer(self, outcome: Outcome) -> Answer:
        """Return an answer to a request that reached no pack: nothing is recorded."""
        self.metrics.count(outcome)
        return Answer(outcome, self.new_transaction_id(), self.clock.now_ms())

    async def perform(self, request: PackRequest, *, from_hub: bool = False) -> Answer:
        """Return what comes of `request`, durable.

        `from_hub`: another market asks, so a pack unknown here is not looked for elsewhere and
        the alert about it is the asking market's. Never raises: trouble is an outcome.
        """
        if request.operation not in request.participant.permitted:
            return self.answer(Outcome.NOT_PERMITTED)
        try:
            answer = await self._perform(request, from_hub=from_hub)
        except OverloadedError:
            return self.answer(Outcome.OVERLOADED)
        except HubTimeoutError:
            return self.answer(Outcome.HUB_TIMEOUT)
        except HubUnreachableError:
            return self.answer(Outcome.HUB_UNREACHABLE)
        except Recovery.TROUBLE as error:
            _log.warning("request not recorded", action="request_failed", error=repr(error))
            return self.answer(Outcome.UNAVAILABLE)
        self.metrics.count(answer.outcome)
        return answer

    async def _perform(self, request: PackRequest, *, from_hub: bool) -> Answer:
        key = self._keys.key(request.product_code, request.serial_number)
        reference_fits = request.reference_transaction_id is None or await self._reference_fits(
            key, request
        )
        for _ in range(_ATTEMPTS_MAX):
            if not self._recovery.is_serving:
                return self.answer(Outcome.UNAVAILABLE)
            if self._ledger.groups.is_full:
                raise OverloadedError("too many entries wait to be written")
            product = self._catalogue.products.get(request.product_code)
            row = self._index.find(key) if product is not None else -1
            if row < 0:
                return await self._answer_unknown(request, key, product, from_hub=from_hub)
            assert product is not None
            answer, entry = self._decide(request, key, row, product, reference_fits=reference_fits)
            if await self._ledger.record(entry):
                return answer
            await self._recovery.reload([key])
        raise OverloadedError("the pack is being changed elsewhere")

    def _decide(
        self, request: PackRequest, key: bytes, row: int, product: Product, *, reference_fits: bool
    ) -> tuple[Answer, Entry]:
        """Decide on a pack that was found and apply the decision to the index."""
        state_number, *others = self._index.get(row)
        pack = Pack(_STATES[state_number], *others)
        batch = self._catalogue.batches[pack.batch_number]
        assert batch is not None, "a pack's batch is stored before the pack"
        mismatch = match_identifiers(
            pack_batch=batch.facts,
            batch_known=True,
            batch_id=request.batch_id,
            expiry=request.expiry,
            matching=self.rules.expiry_matching,
        )
        if mismatch is not None:
            return self._refuse(mismatch, request, key, product, pack=pack, batch=batch)
        location = request.participant.number
        now_ms = self.clock.now_ms()
        decision = decide(
            pack,
            batch.facts,
            request.operation,
            location=location,
            now_s=now_ms // 1000,
            rules=self.rules,
        )
        if decision.outcome is Outcome.REACTIVATED and not reference_fits:
            decision = Decision(
                Outcome.UNDO_REFERENCE_WRONG, pack.state, decision.effective, decision.here, None
            )
        change = self._apply(row, pack, decision)
        transaction_id = self.new_transaction_id()
        alert, alert_entry = self._alert(decision.outcome, request, stored=(pack, batch))
        entry = Entry(
            key,
            now_ms,
            transaction_id,
            location,
            request.operation,
            decision.outcome,
            pack.state,
            decision.state,
            request.manual,
            request.dialect,
            request.client_transaction_id,
            None,
            change,
            alert_entry,
            change and self._outgoing(request, pack, batch, change, transaction_id),
        )
        answer = Answer(
            decision.outcome,
            transaction_id,
            now_ms,
            decision.state,
            decision.effective,
            decision.here,
            self._undo_until_s(pack, decision),
            alert,
            product,
            batch,
        )
        return answer, entry

    def _outgoing(
        self,
        request: PackRequest,
        pack: Pack,
        batch: Batch,
        change: PackChange,
        transaction_id: str,
    ) -> str | None:
        """Return what the other markets of the pack are told, None if nothing.

        Tolerated repeats stay here.
        """
        if (
            batch.product_version not in batch.product.shared_versions
            or change.state == pack.state
            or self._ask_hub is None
        ):
            return None
        return outgoing_change(request, batch, change, transaction_id, self.market.code)

    def _apply(self, row: int, pack: Pack, decision: Decision) -> PackChange | None:
        change = decision.change
        if change is None:
            return None
        version = (pack.version + 1) % VERSION_LIMIT
        self._index.set(
            row, change.state, change.set_by, change.set_at_s, change.repeat_count, version
        )
        return PackChange(
            pack.version,
            version,
            change.state,
            change.set_by,
            change.set_at_s,
            change.repeat_count,
        )

    def _undo_until_s(self, pack: Pack, decision: Decision) -> int | None:
        if not decision.here or decision.effective is not decision.state:
            return None
        set_at_s = decision.change.set_at_s if decision.change else pack.set_at_s
        return undo_until_s(decision.state, set_at_s, self.rules)

    async def _answer_unknown(
        self, request: PackRequest, key: bytes, product: Product | None, *, from_hub: bool
    ) -> Answer:
        """No pack here: ask the other markets if it may be theirs, else say what is unknown."""
        if product is None:
            outcome: Outcome | None = Outcome.PRODUCT_UNKNOWN
        else:
            outcome = match_identifiers(
                pack_batch=None,
                batch_known=request.batch_id in product.batches,
                batch_id=request.batch_id,
                expiry=request.expiry,
                matching=self.rules.expiry_matching,
            )
        assert outcome is not None
        if outcome in _FOREIGN and not from_hub and self._ask_hub is not None:
            transaction_id = self.new_transaction_id()
            foreign = await self._ask_hub(request, transaction_id)
            if foreign is not None:
                return await self._record_foreign(foreign, request, key)
        answer, entry = self._refuse(outcome, request, key, product, silent=from_hub)
        await self._ledger.record(entry)
        return answer

    async def _record_foreign(self, foreign: Answer, request: PackRequest, key: bytes) -> Answer:
        state = foreign.state or 0
        await self._ledger.record(
            Entry(
                key,
                foreign.at_ms,
                foreign.transaction_id,
                request.participant.number,
                request.operation,
                foreign.outcome,
                0,
                state,
                request.manual,
                request.dialect,
                request.client_transaction_id,
                _submitted(request) | {"intermarket": True},
                None,
                None,
            )
        )
        return foreign

    def _refuse(
        self,
        outcome: Outcome,
        request: PackRequest,
        key: bytes,
        product: Product | None,
        *,
        pack: Pack | None = None,
        batch: Batch | None = None,
        silent: bool = False,
    ) -> tuple[Answer, Entry]:
        """Answer a request whose identifiers are not those of a stored pack."""
        now_ms = self.clock.now_ms()
        transaction_id = self.new_transaction_id()
        stored = (pack, batch) if pack is not None and batch is not None else None
        alert, alert_entry = (
            (None, None) if silent else self._alert(outcome, request, stored=stored)
        )
        state = 0 if pack is None else pack.state
        entry = Entry(
            key,
            now_ms,
            transaction_id,
            request.participant.number,
            request.operation,
            outcome,
            state,
            state,
            request.manual,
            request.dialect,
            request.client_transaction_id,
            _submitted(request),
            None,
            alert_entry,
        )
        answer = Answer(outcome, transaction_id, now_ms, alert=alert, product=product)
        return answer, entry

    def _alert(
        self, outcome: Outcome, request: PackRequest, *, stored: tuple[Pack, Batch] | None
    ) -> tuple[Alert, AlertEntry] | tuple[None, None]:
        hub_code = hub_code_of_alert(outcome)
        if hub_code is None:
            return None, None
        identifier = alert_id(self.market.code, secrets.randbelow(36**15))
        stored_values: dict[str, object] | None = stored and {
            "batchId": stored[1].facts.batch_id,
            "expiry": stored[1].facts.expiry,
            "state": stored[0].state.name,
        }
        return Alert(identifier, hub_code), AlertEntry(
            identifier, hub_code, request.product_code, _submitted(request), stored_values
        )

    async def _reference_fits(self, key: bytes, request: PackRequest) -> bool:
        """Whether an undo names the client transaction that decommissioned the pack."""
        if request.operation < Operation.REACTIVATE:
            return True
        try:
            known = await self._store.client_transaction_of(key, Outcome.DECOMMISSIONED)
        except Recovery.TROUBLE as error:
            raise OverloadedError("the reference cannot be looked up now") from error
        return known is None or known == request.reference_transaction_id


def _submitted(request: PackRequest) -> dict[str, object]:
    return {
        "scheme": request.scheme.value,
        "productCode": request.product_code,
        "serialNumber": request.serial_number,
        "batchId": request.batch_id,
        "expiry": request.expiry,
    }
