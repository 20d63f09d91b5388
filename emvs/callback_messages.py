"""What the EU Hub tells organisations unasked: the notices it posts to their callback endpoints.

A notice is a JSON object: `noticeId`, `messageType`, `createdAt` and `content`, whose members the
message type tells. The same notice may come more than once: `noticeId` stays the same. The order
of `sequence` is the order of the events; a notice that had to be repeated comes later than that.
The real hub's schema is not public: this one is ours, named after the published message types. The
signature is in `emvs.callback_signatures`. No rule stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from emvs.obp_messages import BatchName, Defect, MarketEntry

# ruff: noqa: N815 - these are the names on the wire.

NOTICE_TYPES: Final = {
    "RCBR": "batch recall",
    "WDPR": "product withdrawal",
    "ALRT": "alert",
    "STVA": "request valid",
    "STIV": "request invalid",
    "STLD": "request loaded",
    "STDS": "request distributed",
    "STDF": "request: distribution failed",
    "RPRQ": "report made",
}
"""What can be told. A receiver leaves alone what it does not know."""

URGENT_TYPES: Final = frozenset({"RCBR", "WDPR"})
"""Patients' safety depends on them: they go first, and are kept for good."""


class NoticeStatus(StrEnum):
    """What became of a notice at the callback endpoint. All of them can be fetched."""

    WAITING = "Waiting"
    DELIVERED = "Delivered"
    FAILED = "Failed"
    """The endpoint did not take it for as long as the hub tries."""
    STORED = "Stored"
    """It is not sent: there was no endpoint, or too many notices waited."""


@dataclass(slots=True)
class RecallNotice:
    """`RCBR`: a batch is recalled. Final."""

    eventId: str
    """The hub's id of the recall; another notice about the same one has the same."""
    productCode: str
    batchId: str
    reason: str
    markets: list[str]
    recalledAt: str
    linkedBatchCount: int
    linkedBatches: list[BatchName]
    """Batches of the receiver made from this one; none if it only trades the product. Bounded: the
    count may be larger, and `GET /obp/v1/links` lists all."""


@dataclass(slots=True)
class WithdrawalNotice:
    """`WDPR`: a product is withdrawn from markets. Final."""

    eventId: str
    productCode: str
    reason: str
    markets: list[str]
    withdrawnAt: str
    linkedBatchCount: int
    linkedBatches: list[BatchName]


@dataclass(slots=True)
class StatusNotice:
    """`STVA`, `STIV`, `STLD`, `STDS`, `STDF`: a step of a request of the receiver's."""

    requestType: str
    transactionId: str
    hubTransactionId: str
    status: str
    productCode: str | None
    batchId: str | None
    defectCount: int = 0
    defects: list[Defect] = field(default_factory=list)
    """The first of them, without serial numbers; `GET /obp/v1/requests/{transaction id}` lists
    more."""
    markets: list[MarketEntry] = field(default_factory=list)
    """Of `STDS` and `STDF`: what became of it in each market, without serial numbers."""


@dataclass(slots=True)
class Notice:
    """The body of a callback. `content` is one of the above, or an alert as the hub lists it."""

    noticeId: str
    messageType: str
    organisationId: str
    sequence: int
    createdAt: str
    content: dict[str, Any]
