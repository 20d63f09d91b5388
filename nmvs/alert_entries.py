"""Making an alert when an outcome raises one: its id, what was sent, what is stored, its group.

Runs on the way to an answer, so nothing here waits or asks the database.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final
from zoneinfo import ZoneInfo

from emvs.alerts import Alert, alert_id
from emvs.markets import Market
from emvs.pack import Pack
from emvs.roles import Role
from emvs.states import Operation
from nmvs.catalogue import Batch
from nmvs.ledger import AlertEntry
from nmvs.requests import PackRequest

_TOKEN_BYTES: Final = 16


class AlertMaker:
    """Makes alerts in a market's name, and the tokens that stand for locations.

    `secret` keys the tokens: who does not have it cannot tell a location from its token by trying
    all locations (Delegated Regulation (EU) 2016/161, Art. 38).
    """

    def __init__(self, market: Market, secret: bytes) -> None:
        self._market = market
        self._zone = ZoneInfo(market.time_zone)
        self._secret = secret

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

    def location_token(self, market: str, location: str) -> str:
        """Return what stands for a location outside this national system."""
        return self._token("location", market, location)

    def _initiating_market(self, request: PackRequest) -> str:
        # A manufacturer asks each market itself.
        participant = request.participant
        return self._market.code if participant.is_central else participant.market

    def _repeat_group(self, hub_code: str, request: PackRequest, event_at_ms: int) -> str:
        # Grouped are alerts on one identifier with one code from one location on one day; whose
        # day is our choice: the market's.
        day = datetime.fromtimestamp(event_at_ms / 1000, UTC).astimezone(self._zone).date()
        return self._token(
            "group",
            hub_code,
            request.product_code,
            request.serial_number,
            request.batch_id or "",
            request.expiry or "",
            str(request.participant.number),
            day.isoformat(),
        )

    def _token(self, *parts: str) -> str:
        digest = blake2b(key=self._secret, digest_size=_TOKEN_BYTES)
        for part in parts:
            encoded = part.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(4, "big") + encoded)
        return digest.hexdigest()


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
