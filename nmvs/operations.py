"""One operation on one pack: find, match, decide, apply, record, answer. The only way to a pack.

Between finding and applying there is no `await`: on one event loop that is the lock, so of any
number of supplies of one pack exactly one wins. The answer is given after the entry is durable.
"""

from __future__ import annotations

import asyncio
import secrets
from time import monotonic_ns
from typing import Final

from emvs.alert_rules import AlertRules
from emvs.errors import OverloadedError, UnavailableError
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from emvs.markets import Market
from emvs.outcomes import Outcome
from emvs.pack import Decision, Pack, decide, match_batch, match_identifiers, undo_until_s
from emvs.rules import MarketRules
from emvs.states import Operation, State
from emvs.synchronisation import version_after
from nmvs.alert_entries import AlertMaker
from nmvs.catalogue import Batch, Catalogue, Product
from nmvs.exemptions import Exemptions
from nmvs.ledger import Entry, Ledger, PackChange, PackConflictError
from nmvs.metrics import OperationMetrics
from nmvs.operation_times import OperationTimes
from nmvs.outgoing import outgoing_change
from nmvs.pack_index import PackIndex
from nmvs.pack_keys import PackKeys
from nmvs.recovery import Recovery
from nmvs.refusals import AskHub, Refusals
from nmvs.requests import Answer, PackRequest
from nmvs.store import Store

_ATTEMPTS_MAX: Final = 4
"""How often a request is decided again after somebody else changed the pack."""

_STATES: Final = (State.ACTIVE, *State)
"""By number; number 0 is never stored."""

_RECOVERY_S_MAX: Final = 2.0
"""How long a request whose group failed by a conflict waits to be decided again (our choice)."""
_REFERENCE_S_MAX: Final = 2.0
"""How long the client transaction that an undo refers to is looked for (our choice)."""

_log = get_logger(__name__)


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
        exemptions: Exemptions,
        ask_hub: AskHub | None,
        alerts: AlertMaker,
    ) -> None:
        self.market = market
        self.rules = rules
        self.clock = clock
        self.metrics = OperationMetrics()
        self.times = OperationTimes()
        self._keys = keys
        self._index = index
        self._catalogue = catalogue
        self._ledger = ledger
        self._recovery = recovery
        self._store = store
        self._has_hub = ask_hub is not None
        self._exemptions = exemptions
        self._alert_rules = AlertRules(rules)
        self._refusals = Refusals(
            rules=rules,
            clock=clock,
            ledger=ledger,
            alerts=alerts,
            alert_rules=self._alert_rules,
            ask_hub=ask_hub,
            new_transaction_id=self.new_transaction_id,
        )
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
        except Recovery.TROUBLE:  # Told once, by the recovery; the counters tell how often.
            return self.answer(Outcome.UNAVAILABLE)
        except Exception:  # noqa: BLE001 - a defect of ours: nobody may be told "done".
            _log.exception("request failed", action="defect")
            return self.answer(Outcome.UNAVAILABLE)
        self.metrics.count(answer.outcome)
        return answer

    async def refuse_twice(self, request: PackRequest) -> Answer:
        """Return the answer to a bulk that names a pack twice, its alert durable.

        Raises what the ledger raises.
        """
        key = self._keys.key(request.product_code, request.serial_number)
        product = self._catalogue.products.get(request.product_code)
        answer = await self._refusals.refuse_twice(request, key, product)
        self.metrics.count(answer.outcome)
        return answer

    async def refuse_common(self, request: PackRequest) -> Answer | None:
        """Return the one answer to a bulk whose product, batch or expiry are wrong for all of its
        packs, durable; None if they are not. `request` is about the first pack.

        Raises what the ledger raises.
        """
        code, batch_id = request.product_code, request.batch_id
        if self._exemptions.outcome(code, batch_id):
            return None
        product = self._catalogue.products.get(code)
        outcome: Outcome | None = Outcome.PRODUCT_UNKNOWN
        if product is not None:
            batch = product.batches.get(batch_id or "")
            outcome = match_batch(
                batch.facts if batch is not None else None,
                request.expiry,
                matching=self.rules.expiry_matching,
            )
        if outcome is None:
            return None
        key = self._keys.key(code, request.serial_number)
        answer = await self._refusals.refuse_whole(outcome, request, key, product)
        self.metrics.count(outcome)
        return answer

    async def _perform(self, request: PackRequest, *, from_hub: bool) -> Answer:
        asked_at_ns = monotonic_ns()
        key = self._keys.key(request.product_code, request.serial_number)
        for _ in range(_ATTEMPTS_MAX):
            if not self._recovery.is_serving:
                raise UnavailableError("the system is recovering")
            reference_fits = request.reference_transaction_id is None or (
                await self._reference_fits(key, request)
            )
            if self._ledger.groups.is_full:
                raise OverloadedError("too many entries wait to be written")
            product = self._catalogue.products.get(request.product_code)
            # What need not be verified here is no other market's business.
            exempted = not from_hub and self._exemptions.outcome(
                request.product_code, request.batch_id
            )
            if exempted:
                answer, entry = self._refusals.refuse(exempted, request, key, product)
            else:
                row = self._index.find(key) if product is not None else -1
                if row < 0:
                    return await self._refusals.answer_unknown(
                        request, key, product, from_hub=from_hub
                    )
                assert product is not None
                answer, entry = self._decide(
                    request, key, row, product, reference_fits=reference_fits, from_hub=from_hub
                )
            decided_at_ns = monotonic_ns()
            try:
                await self._ledger.record(entry)
            except Exception as error:
                self._refusals.not_recorded(request, answer)
                if not isinstance(error, PackConflictError):
                    raise
                # Somebody wrote into the database: it is the arbiter, so decide again.
                await self._recovery.wait_until_serving(_RECOVERY_S_MAX)
                continue
            durable_at_ns = monotonic_ns()
            self.times.add(
                request.operation, durable_at_ns - asked_at_ns, durable_at_ns - decided_at_ns
            )
            return answer
        raise UnavailableError("the pack is being changed elsewhere")

    def _decide(
        self,
        request: PackRequest,
        key: bytes,
        row: int,
        product: Product,
        *,
        reference_fits: bool,
        from_hub: bool,
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
            return self._refusals.refuse(mismatch, request, key, product, stored=(pack, batch))
        location = request.participant.number
        self._refusals.pack_found(location, request.product_code)
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
            # The pack stays as it was; by its batch and product it could have become active.
            decision = Decision(
                Outcome.UNDO_REFERENCE_WRONG, pack.state, pack.state, decision.here, None
            )
        change = self._apply(row, pack, decision)
        transaction_id = request.transaction_id or self.new_transaction_id()
        hub_code = self._alert_rules.hub_code(
            decision.outcome,
            request.participant.role,
            effective=decision.effective,
            intermarket=from_hub,
        )
        alert, alert_entry = self._refusals.alert(hub_code, request, stored=(pack, batch))
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
            request.participant.equipment,
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
            or not self._has_hub
        ):
            return None
        return outgoing_change(request, batch, change, transaction_id, self.market.code)

    def _apply(self, row: int, pack: Pack, decision: Decision) -> PackChange | None:
        change = decision.change
        if change is None:
            return None
        version = version_after(pack.version, state_changes=change.state is not pack.state)
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

    async def _reference_fits(self, key: bytes, request: PackRequest) -> bool:
        """Whether an undo names the client transaction that decommissioned the pack."""
        if request.operation < Operation.REACTIVATE:
            return True
        async with asyncio.timeout(_REFERENCE_S_MAX):
            known = await self._store.client_transaction_of(key, Outcome.DECOMMISSIONED)
        return known is None or known == request.reference_transaction_id
