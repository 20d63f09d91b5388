"""The audit trail as each role may read it: which entries, and which of their members.

Rows come from `nmvs.audit_queries`, the rule who sees what from `emvs.audit_views`; the wire is
`nmvs.audit_routes`'. Members that a role may not see are left out here and nowhere else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from emvs.audit_views import AUDIT_VIEWS, AuditView
from emvs.errors import BadRequestError, ForbiddenError, NotFoundError
from emvs.interconnect import PackAudit
from emvs.limits import AUDIT_ROWS_DEFAULT
from emvs.outcomes import Outcome
from emvs.roles import Role
from emvs.states import Operation, State
from nmvs.audit_queries import Place, Pool, Selection, place_of, slices, state_of_pack, whole
from nmvs.location_tokens import LocationTokens
from nmvs.pack_keys import PackKeys

SLICE_ROWS: Final = 500
"""Entries read and rendered between two turns of the event loop: some milliseconds."""

_WHO: Final = ("location", "name", "role", "equipment", "clientTransactionId")
_STORED: Final = ("batchId", "expiry")


class AuditRequest(NamedTuple):
    """Who asks for what."""

    role: Role
    location: str | None = None
    product_code: str | None = None
    serial_number: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    after: Place | None = None
    outcomes: Sequence[Outcome] | None = None
    """Only entries with one of these."""
    alerts_only: bool = False
    """Entries that raised an alert, which the national organisation sees of any pack."""


class AuditSlice(NamedTuple):
    """Some entries, and the place of each."""

    entries: list[dict[str, Any]]
    places: list[Place]


class Audit:
    """Reads the audit trail of one national system. `tokens` makes locations anonymous."""

    def __init__(self, pool: Pool, keys: PackKeys, *, market: str, tokens: LocationTokens) -> None:
        self._pool = pool
        self._keys = keys
        self._market = market
        self._tokens = tokens

    async def read(
        self, request: AuditRequest, *, rows_max: int = SLICE_ROWS
    ) -> AsyncIterator[AuditSlice]:
        """Yield what the request's role may see of what it asks for, oldest first.

        Raises BadRequestError, ForbiddenError or NotFoundError before the first slice.
        """
        view = AUDIT_VIEWS[request.role]
        selection = await self._selection(request, view)
        async for rows in slices(self._pool, selection, rows_max):
            yield AuditSlice(
                [self._entry(row, view) for row in rows], [place_of(row) for row in rows]
            )

    async def read_all(self, request: AuditRequest) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield all of it, found once: for whoever reads to the end. Raises as `read`."""
        view = AUDIT_VIEWS[request.role]
        selection = await self._selection(request, view)
        async for rows in whole(self._pool, selection, SLICE_ROWS):
            yield [self._entry(row, view) for row in rows]

    async def of_pack(self, product_code: str, serial_number: str) -> PackAudit:
        """Return all that is known here about one pack, as an authority sees it."""
        entries: list[dict[str, Any]] = []
        request = AuditRequest(Role.NCA, product_code=product_code, serial_number=serial_number)
        async for part in self.read(request):
            entries += part.entries
            if len(entries) > AUDIT_ROWS_DEFAULT:
                break
        state = await state_of_pack(self._pool, self._keys.key(product_code, serial_number))
        return PackAudit(
            market=self._market,
            productCode=product_code,
            serialNumber=serial_number,
            state=_state_name(state),
            truncated=len(entries) > AUDIT_ROWS_DEFAULT,
            entries=entries[:AUDIT_ROWS_DEFAULT],
        )

    async def check(self, request: AuditRequest) -> None:
        """Raise what `read` would raise."""
        await self._selection(request, AUDIT_VIEWS[request.role])

    async def _selection(self, request: AuditRequest, view: AuditView) -> Selection:
        if request.serial_number is not None and request.product_code is None:
            raise BadRequestError("a serial number is one of a product: product_code is missing")
        location_number = None
        if view is AuditView.OWN_ENTRIES:
            location_number = await self._location_number(request)
        elif request.location is not None and view is not AuditView.EVERYTHING:
            raise ForbiddenError(f"role {request.role} may not ask about a location")
        elif request.location is not None:
            location_number = await self._number_of(request.location)
        if view is AuditView.OWN_PRODUCTS and request.product_code is None:
            raise BadRequestError(f"role {request.role} reads one product: product_code is missing")
        product_code, pack_key = request.product_code, None
        if product_code is not None and request.serial_number is not None:
            pack_key = self._keys.key(product_code, request.serial_number)
            product_code = None
        return Selection(
            start=request.start,
            end=request.end,
            after=request.after,
            pack_key=pack_key,
            location_number=location_number,
            product_code=product_code,
            # What was flagged is the national organisation's to look at: Art. 37(d).
            investigated_packs_only=(
                view is AuditView.INVESTIGATED_PACKS and not request.alerts_only
            ),
            alerts_only=request.alerts_only,
            outcomes=request.outcomes,
        )

    async def _location_number(self, request: AuditRequest) -> int:
        if request.location is None:
            raise BadRequestError(f"role {request.role} reads its own entries: location is missing")
        return await self._number_of(request.location, request.role)

    async def _number_of(self, location: str, role: Role | None = None) -> int:
        row = await self._pool.fetchrow(
            "select location_number, role from location where market = $1 and location = $2",
            self._market,
            location,
        )
        if row is None:
            raise NotFoundError(f"there is no location {location!a}")
        if role is not None and row["role"] != role.value:
            raise ForbiddenError(f"{location!a} is not registered as {role}")
        number: int = row["location_number"]
        return number

    def _entry(self, row: Any, view: AuditView) -> dict[str, Any]:
        submitted: dict[str, Any] | None = row["submitted"] and orjson.loads(row["submitted"])
        entry = _entry(row, submitted)
        if view is AuditView.OWN_PRODUCTS:
            for member in _WHO:
                entry[member] = None
            entry["locationToken"] = self._tokens.of_location(row["market"], row["location"])
        elif view is AuditView.OWN_ENTRIES and submitted and not entry["intermarket"]:
            # Whoever sent identifiers that are not a pack's must not learn the pack's here.
            for member in (*_STORED, "stateBefore", "stateAfter"):
                entry[member] = None
        return entry


def _entry(row: Any, submitted: dict[str, Any] | None) -> dict[str, Any]:
    sent = submitted or {}
    return {
        "at": iso(row["recorded_at"]),
        "transactionId": row["transaction_id"].hex(),
        "operation": Operation(row["operation"]).name,
        "outcome": Outcome(row["outcome"]).name,
        "stateBefore": _state_name(row["state_before"]),
        "stateAfter": _state_name(row["state_after"]),
        "scheme": row["scheme"] or sent.get("scheme"),
        "productCode": row["product_code"] or sent.get("productCode"),
        "serialNumber": row["serial_number"] or sent.get("serialNumber"),
        "submittedBatchId": sent.get("batchId") if submitted else row["batch_id"],
        "submittedExpiry": sent.get("expiry") if submitted else row["expiry"],
        "batchId": row["batch_id"],
        "expiry": row["expiry"],
        "manual": row["manual"],
        "interface": row["dialect"],
        "intermarket": bool(sent.get("intermarket")) or row["dialect"] == "intermarket",
        "market": row["market"],
        "location": row["location"],
        "name": row["name"],
        "role": row["role"],
        "equipment": row["equipment"],
        "clientTransactionId": row["client_transaction_id"],
        "requestedAt": row["requested_at"] and iso(row["requested_at"]),
        "alertId": row["alert_id"],
        "alertCode": row["hub_code"],
    }


def iso(value: datetime) -> str:
    """Return a time as ISO 8601 in UTC, to the millisecond."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _state_name(number: int) -> str | None:
    return State(number).name if number else None
