"""What the EU Hub and the national systems say to each other: the messages both ends use.

JSON over HTTP with a shared bearer token. The real exchange is not public; this one is ours.
All members are camelCase on the wire: the snake_case names below, converted by `msgspec`
(`rename="camel"` is not there for dataclasses, so the wire names stand here as they are).

Deliveries (hub to national system) are at least once: `PUT {base}/hub/v1/{kind}/{delivery id}`
with kind `products`, `packs`, `recalls` or `withdrawals`; the same id gets the same answer. What
manufacturers do to packs is the kind `states` (`emvs.state_deliveries`).
Changes of multi-market packs (national system to hub to national systems) are at least once too:
`POST {hub}/nmvs/v1/changes`, then `PUT {base}/hub/v1/changes/{delivery id}`, a ChangesMessage both.
Intermarket (national system to hub to national system) is `POST {base}/hub/v1/intermarket` and
`POST {hub}/nmvs/v1/intermarket`. A pack's audit trail is `GET {base}/hub/v1/audit/{product code}`
with the serial number in the query (`?serial=`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# ruff: noqa: N815 - these are the names on the wire.


@dataclass(slots=True)
class Wholesaler:
    """A wholesaler that a marketing authorisation holder has designated for a product."""

    name: str
    id: str | None = None
    street: str | None = None
    street2: str | None = None
    city: str | None = None
    postCode: str | None = None
    country: str | None = None


@dataclass(slots=True)
class ProductDelivery:
    """A version of a product for one market."""

    scheme: str
    productCode: str
    version: int
    name: str
    commonName: str
    nationalCode: str | None = None
    articleFields: dict[str, str] = field(default_factory=dict)
    markets: list[str] = field(default_factory=list)
    """All markets of the version, this one included."""
    holderId: str | None = None
    """Of the marketing authorisation holder in this market."""
    holderName: str | None = None
    wholesalers: list[Wholesaler] = field(default_factory=list)
    """Those designated for this market."""


@dataclass(slots=True)
class PacksDelivery:
    """Packs of one batch. At most `limits.SERIALS_PER_MESSAGE_MAX` serial numbers."""

    productCode: str
    productVersion: int
    batchId: str
    expiry: str
    serialNumbers: list[str]


@dataclass(slots=True)
class RecallDelivery:
    """A batch is recalled in this market. Final."""

    productCode: str
    batchId: str
    reason: str


@dataclass(slots=True)
class WithdrawalDelivery:
    """A product is withdrawn from this market. Final."""

    productCode: str
    reason: str


@dataclass(slots=True)
class RefusedSerial:
    """A pack that was not loaded, and why: a code of the national systems' catalogue."""

    serialNumber: str
    code: str


@dataclass(slots=True)
class DeliveryResult:
    """What became of a delivery. A refused one is not repeated; HTTP status is 200 for both."""

    deliveryId: str
    accepted: bool
    code: str | None = None
    text: str | None = None
    loadedCount: int = 0
    refusedSerials: list[RefusedSerial] = field(default_factory=list)


@dataclass(slots=True)
class StateChange:
    """What an end user made of a multi-market pack, told to its other markets (Art. 35(2))."""

    transactionId: str
    """Of the operation, in the system that performed it: 32 hexadecimal digits."""
    productCode: str
    productVersion: int
    serialNumber: str
    version: int
    """Of the pack's state after the change, below `limits.STATE_VERSION_LIMIT`."""
    operation: str
    """Name of an `emvs.states.Operation`."""
    state: str
    """Name of the `emvs.states.State` it led to."""
    setAt: int
    """Seconds since 1970."""
    market: str
    """Market of the location that asked; not the system's own after an intermarket request."""
    location: int
    """Number of the location in that market; no name travels (Art. 38)."""
    role: str
    """Value of an `emvs.roles.Role`."""


@dataclass(slots=True)
class ChangesMessage:
    """Changes in the order in which they were made. At most `limits.CHANGES_PER_MESSAGE_MAX`."""

    changes: list[StateChange]


@dataclass(slots=True)
class ChangesReceipt:
    """The hub has stored the changes: the national system need not keep them."""

    acceptedCount: int


@dataclass(slots=True)
class IntermarketRequest:
    """An operation on a pack that the asking market does not hold."""

    requestId: str
    market: str
    """Market that asks."""
    operation: str
    """Name of an `emvs.states.Operation`."""
    scheme: str
    productCode: str
    serialNumber: str
    batchId: str | None
    expiry: str | None
    manual: bool
    location: int
    """Number of the asking location in its market; no name travels (Art. 38)."""
    role: str
    """Value of an `emvs.roles.Role`."""


@dataclass(slots=True)
class IntermarketAnswer:
    """What came of it. `market` is None if no other market is served with the product."""

    requestId: str
    market: str | None
    outcome: str
    """Name of an `emvs.outcomes.Outcome`."""
    state: str | None = None
    effective: str | None = None
    here: bool = False
    undoUntil: int | None = None
    """Seconds since 1970."""
    alertId: str | None = None
    alertCode: str | None = None
    productName: str | None = None
    nationalCode: str | None = None
    batchId: str | None = None
    expiry: str | None = None
    recallReason: str | None = None
    withdrawalReason: str | None = None


@dataclass(slots=True)
class PackAudit:
    """What one market recorded about a pack, for an authority (Art. 39)."""

    market: str
    productCode: str
    serialNumber: str
    state: str | None
    """The pack's own state; None if it is not stored there."""
    truncated: bool
    """Whether there are more entries than `limits.AUDIT_ROWS_DEFAULT`."""
    entries: list[dict[str, Any]]
    """Oldest first, with all members of the national system's own `GET /audit`."""
