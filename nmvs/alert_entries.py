"""Making an alert when an outcome raises one: its id, what was sent, what is stored, its group.

Runs on the way to an answer, so nothing here waits or asks the database.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from emvs.alerts import Alert, alert_id
from emvs.markets import Market
from emvs.pack import Pack
from emvs.roles import Role
from emvs.states import Operation
from nmvs.catalogue import Batch
from nmvs.ledger import AlertEntry
from nmvs.location_tokens import LocationTokens
from nmvs.requests import PackRequest


class AlertMaker:
    """Makes alerts in a market's name."""

    def __init__(self, market: Market, tokens: LocationTokens) -> None:
        self._market = market
        self._zone = ZoneInfo(market.time_zone)
        self._tokens = tokens

    def make(
        self,
        hub_code: str,
        request: PackRequest,
        submitted: dict[str, object],
        *,
        stored: tuple[Pack, Batch] | None,
        now_ms: int,
    ) -> tuple[Alert, AlertEntry]:
        """Return a new alert with this code, for the terminal and for the ledger."""
        identifier = alert_id(self._market.code, secrets.randbelow(36**15))
        event_at_ms = now_ms if request.event_at_ms is None else request.event_at_ms
        return Alert(identifier, hub_code), AlertEntry(
            identifier,
            hub_code,
            request.product_code,
            submitted,
            stored and _stored_values(*stored),
            request.event_at_ms,
            self._initiating_market(request),
            source_process(request, self._market.code),
            self._repeat_group(hub_code, request, event_at_ms),
        )

    def _initiating_market(self, request: PackRequest) -> str:
        # A manufacturer asks each market itself.
        participant = request.participant
        return self._market.code if participant.is_central else participant.market

    def _repeat_group(self, hub_code: str, request: PackRequest, event_at_ms: int) -> str:
        # Grouped are alerts on one identifier with one code from one location on one day; whose
        # day is our choice: the market's.
        day = datetime.fromtimestamp(event_at_ms / 1000, UTC).astimezone(self._zone).date()
        return self._tokens.of(
            "group",
            hub_code,
            request.product_code,
            request.serial_number,
            request.batch_id or "",
            request.expiry or "",
            str(request.participant.number),
            day.isoformat(),
        )


def source_process(request: PackRequest, market: str) -> str:
    """Return the name under which national alert management systems file the process."""
    if request.participant.role is Role.OBP or request.participant.is_central:
        verifies = request.operation is Operation.VERIFY
        return "MAH PPV Request" if verifies else "MAH PPSU Request"
    if request.participant.market != market:
        return "IMT"
    if request.operation.is_undo:
        return "Undo"
    if request.operation.is_decommissioning and request.operation is not Operation.SUPPLY:
        return "Decommission"
    return request.operation.name.title()


def _stored_values(pack: Pack, batch: Batch) -> dict[str, object]:
    return {
        "batchId": batch.facts.batch_id,
        "expiry": batch.facts.expiry,
        "state": pack.state.name,
        # For the national organisation only: these never leave the market.
        "setBy": pack.set_by,
        "setAt": pack.set_at_s,
    }
