"""What was done before a crash or a failed write, read back from the audit trail.

A pack's entry is durable before its job's slice is. So of a slice without results some packs may
have been done; each has its transaction id, and the answer is made from its entry as it would have
been given: a supply whose result was lost answers as the first one, not as a repeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from emvs.alerts import Alert
from emvs.outcomes import Outcome
from emvs.pack import Pack, undo_until_s
from emvs.rules import MarketRules
from emvs.states import State
from nmvs.bulk.store import BulkStore, Trace
from nmvs.catalogue import Catalogue
from nmvs.pack_index import PackIndex
from nmvs.pack_keys import PackKeys
from nmvs.requests import Answer, PackRequest
from nmvs.scanner_hints import hint_for

_UNSEEN: Final = range(Outcome.PRODUCT_UNKNOWN, Outcome.BATCH_EXEMPTED + 1)
"""Outcomes that tell nothing of the pack."""
_HERE: Final = frozenset(
    {
        Outcome.DECOMMISSIONED,
        Outcome.REACTIVATED,
        Outcome.REPEAT_TOLERATED,
        Outcome.UNDO_TOO_LATE,
    }
)
_BY_BATCH: Final = {
    Outcome.PRODUCT_WITHDRAWN: State.WITHDRAWN,
    Outcome.BATCH_RECALLED: State.RECALLED,
    Outcome.PACK_EXPIRED: State.EXPIRED,
}
_TELLS_BATCH: Final = frozenset({Outcome.VERIFIED, Outcome.DECOMMISSIONED})
"""Outcomes that batch and product leave as they are, but not the effective state."""


class Traces:
    """Finds the answers of requests that were recorded."""

    def __init__(
        self,
        *,
        store: BulkStore,
        keys: PackKeys,
        index: PackIndex,
        catalogue: Catalogue,
        rules: MarketRules,
    ) -> None:
        self._store = store
        self._keys = keys
        self._index = index
        self._catalogue = catalogue
        self._rules = rules

    async def answers(self, requests: Mapping[int, PackRequest]) -> dict[int, Answer]:
        """Return, by position, the answers of those requests that stand in the audit trail."""
        if not requests:
            return {}
        positions = {
            request.transaction_id: position
            for position, request in requests.items()
            if request.transaction_id is not None
        }
        found = await self._store.traces(
            [self._key(request) for request in requests.values()], list(positions)
        )
        answers = {}
        for trace in found:
            position = positions[trace.transaction_id]
            answers[position] = self._answer(requests[position], trace)
        return answers

    def _key(self, request: PackRequest) -> bytes:
        return self._keys.key(request.product_code, request.serial_number)

    def _answer(self, request: PackRequest, trace: Trace) -> Answer:
        outcome = Outcome(trace.outcome)
        product = self._catalogue.products.get(request.product_code)
        alert = Alert(trace.alert_id, trace.hub_code or "") if trace.alert_id else None
        answer = Answer(outcome, trace.transaction_id, trace.at_ms, alert=alert, product=product)
        row = self._index.find(self._key(request))
        pack = batch = None
        if row >= 0:
            state_number, *others = self._index.get(row)
            pack = Pack(State(state_number), *others)
            batch = self._catalogue.batches[pack.batch_number]
        if trace.intermarket:
            state = State(trace.state_after) if trace.state_after else None
            return answer._replace(state=state, effective=state, intermarket=True)
        if outcome in _UNSEEN:
            return answer._replace(hint=hint_for(outcome, request, product, batch))
        state = State(trace.state_after)
        effective = _BY_BATCH.get(outcome, state)
        if batch is not None and outcome in _TELLS_BATCH:
            effective = batch.facts.inactive_state(trace.at_ms // 1000) or state
        # What another location has done to the pack since then is the one thing not known here.
        set_here = pack is not None and pack.set_by == request.participant.number
        here = outcome in _HERE or (set_here and outcome is not Outcome.UNDO_ELSEWHERE)
        until_s = None
        if here and effective is state and pack is not None:
            done = outcome in (Outcome.DECOMMISSIONED, Outcome.REACTIVATED)
            set_at_s = trace.at_ms // 1000 if done else pack.set_at_s
            until_s = undo_until_s(state, set_at_s, self._rules)
        return answer._replace(
            state=state, effective=effective, here=here, undo_until_s=until_s, batch=batch
        )
