"""Answers to requests whose identifiers are not those of a stored pack, and what they alert.

A pack unknown here is looked for in other markets first. Part of `nmvs.operations`, which alone
asks it; packs that are found are decided on there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from emvs.alert_rules import AlertRules
from emvs.alerts import Alert
from emvs.errors import HubTimeoutError, HubUnreachableError, UnavailableError
from emvs.infra.clock import Clock
from emvs.outcomes import Outcome
from emvs.pack import Pack, match_identifiers
from emvs.rules import MarketRules
from emvs.scanner_hints import Hint
from nmvs.alert_entries import AlertMaker
from nmvs.catalogue import Batch, Product
from nmvs.ledger import AlertEntry, Entry, Ledger, PackConflictError
from nmvs.requests import Answer, PackRequest
from nmvs.scanner_hints import hint_for
from nmvs.typing_tolerance import TypingErrors

_ATTEMPTS_MAX: Final = 4
"""How often an entry is written again after its group met a foreign write."""

SERIAL_TWICE_CODE: Final = "A99"
"""Hub code of the alert about a pack that a bulk names twice. That there is an alert is public, its
code is not: this one was the hub's general code once, and goes to no manufacturer (our choice)."""

AskHub = Callable[[PackRequest, str], Awaitable[Answer | Outcome]]
"""Asks other markets through the hub, under our transaction id; if none knows the pack, what
they do not know of it."""


class Refusals:
    """What a market's system says of packs that are not its own, or not as they were sent."""

    def __init__(
        self,
        *,
        rules: MarketRules,
        clock: Clock,
        ledger: Ledger,
        alerts: AlertMaker,
        alert_rules: AlertRules,
        ask_hub: AskHub | None,
        new_transaction_id: Callable[[], str],
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._ledger = ledger
        self._alerts = alerts
        self._alert_rules = alert_rules
        self._ask_hub = ask_hub
        self._new_transaction_id = new_transaction_id
        self._typing_errors = TypingErrors(rules.typing_tolerance)

    async def answer_unknown(
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
                matching=self._rules.expiry_matching,
            )
        assert outcome is not None
        sought = False
        # A typed pack has no batch: it may be any market's.
        elsewhere = outcome is not Outcome.SERIAL_UNKNOWN or request.batch_id is None
        asks = not (from_hub or request.local_only)
        if request.participant.is_central:  # The hub tells the other markets itself.
            asks = False
        if elsewhere and asks and self._ask_hub is not None:
            sought = True
            found = await self._ask_others(request)
            if isinstance(found, Answer):
                return await self._record_foreign(found, request, key)
            if found is not Outcome.PRODUCT_UNKNOWN:
                outcome = found
        answer, entry = self.refuse(
            outcome, request, key, product, silent=from_hub, sought_elsewhere=sought
        )
        try:
            await self._record(entry)
        except Exception:
            if not from_hub:  # Else nothing was counted: the alert is the asking market's.
                self.not_recorded(request, answer)
            raise
        return answer

    async def _record(self, entry: Entry, *, reserved: bool = False) -> None:
        """Record what changes no pack here; a group that met a foreign write is of no concern."""
        for _ in range(_ATTEMPTS_MAX):
            with suppress(PackConflictError):
                await self._ledger.record(entry, reserved=reserved)
                return
        raise UnavailableError("packs are being changed elsewhere")

    async def _ask_others(self, request: PackRequest) -> Answer | Outcome:
        """Ask the other markets; trouble on the way is an answer of its own."""
        assert self._ask_hub is not None
        transaction_id = request.transaction_id or self._new_transaction_id()
        try:
            return await self._ask_hub(request, transaction_id)
        except HubTimeoutError:
            trouble = Outcome.HUB_TIMEOUT
        except HubUnreachableError:
            trouble = Outcome.HUB_UNREACHABLE
        return Answer(trouble, transaction_id, self._clock.now_ms())

    async def _record_foreign(self, foreign: Answer, request: PackRequest, key: bytes) -> Answer:
        """Record what another market did, or may have done: that cannot be taken back."""
        state = foreign.state or 0
        await self._record(
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
                equipment=request.participant.equipment,
            ),
            reserved=True,
        )
        return foreign

    def refuse(
        self,
        outcome: Outcome,
        request: PackRequest,
        key: bytes,
        product: Product | None,
        *,
        stored: tuple[Pack, Batch] | None = None,
        silent: bool = False,
        sought_elsewhere: bool = False,
    ) -> tuple[Answer, Entry]:
        """Answer a request whose identifiers are not those of a stored pack.

        `stored` is what the serial number belongs to. `silent`: the alert is the asking market's.
        """
        now_ms = self._clock.now_ms()
        transaction_id = request.transaction_id or self._new_transaction_id()
        hub_code = None
        if not silent:
            hub_code = self._alert_code(outcome, request, sought_elsewhere=sought_elsewhere)
        hint = hint_for(outcome, request, product, stored and stored[1])
        alert, alert_entry = self.alert(hub_code, request, stored=stored, hint=hint)
        state = 0 if stored is None else stored[0].state
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
            equipment=request.participant.equipment,
        )
        answer = Answer(outcome, transaction_id, now_ms, alert=alert, product=product, hint=hint)
        return answer, entry

    async def refuse_twice(
        self, request: PackRequest, key: bytes, product: Product | None
    ) -> Answer:
        """Record that a bulk names a pack twice, with an alert; return the answer."""
        answer, entry = self.refuse(Outcome.SERIAL_TWICE, request, key, product)
        alert, alert_entry = self.alert(SERIAL_TWICE_CODE, request, stored=None)
        await self._record(entry._replace(alert=alert_entry))
        return answer._replace(alert=alert)

    async def refuse_whole(
        self, outcome: Outcome, request: PackRequest, key: bytes, product: Product | None
    ) -> Answer:
        """Record what is wrong with all packs of a bulk, once; return the answer."""
        answer, entry = self.refuse(outcome, request, key, product)
        await self._record(entry)
        return answer

    def pack_found(self, location: int, product_code: str) -> None:
        """Take note that a location has found a pack of a product: its slips are forgotten."""
        if self._typing_errors:
            self._typing_errors.forget(location, product_code)

    def not_recorded(self, request: PackRequest, answer: Answer) -> None:
        """Take note that an answer is not given: a slip counts once, however often it was tried."""
        participant = request.participant
        would_alert = self._alert_rules.hub_code(answer.outcome, participant.role) is not None
        if request.manual and would_alert and answer.alert is None:
            self._typing_errors.take_back(participant.number, request.product_code)

    def _alert_code(
        self, outcome: Outcome, request: PackRequest, *, sought_elsewhere: bool
    ) -> str | None:
        participant = request.participant
        code = self._alert_rules.hub_code(
            outcome, participant.role, sought_elsewhere=sought_elsewhere
        )
        if code is not None and request.manual:
            location, product_code = participant.number, request.product_code
            if self._typing_errors.forgive(location, product_code, outcome):
                return None
        return code

    def alert(
        self,
        hub_code: str | None,
        request: PackRequest,
        *,
        stored: tuple[Pack, Batch] | None,
        hint: Hint | None = None,
    ) -> tuple[Alert, AlertEntry] | tuple[None, None]:
        """Return the alert with this code, for the terminal and for the ledger."""
        if hub_code is None:
            return None, None
        submitted, now_ms = _submitted(request), self._clock.now_ms()
        if hint is not None:
            submitted["hint"] = hint.value
        return self._alerts.make(hub_code, request, submitted, stored=stored, now_ms=now_ms)


def _submitted(request: PackRequest) -> dict[str, object]:
    sent: dict[str, object] = {
        "scheme": request.scheme.value,
        "productCode": request.product_code,
        "serialNumber": request.serial_number,
        "batchId": request.batch_id,
        "expiry": request.expiry,
    }
    if request.participant.equipment:  # For the national organisation, whose login it is.
        sent["clientId"] = request.participant.equipment
    return sent
