"""What a manufacturer and the EU Hub say to each other: the messages both ends use.

JSON over HTTP. The real hub's schema is not public: this one is ours, named after the published
message types and data elements. Members are camelCase on the wire, so the names below are. A
member that is `None` was not sent: the hub tells an absent element from an empty one.

`POST {hub}/obp/v1/{message type}` uploads; `GET {hub}/obp/v1/requests/{transaction id}` tells
what became of it. No rule stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from emvs.serial_quality import SerialQuality

# ruff: noqa: N815 - these are the names on the wire.


@dataclass(slots=True)
class PostalOrganisation:
    """A company with its address: marketing authorisation holder, manufacturer, wholesaler."""

    id: str | None = None
    name: str | None = None
    street: str | None = None
    street2: str | None = None
    city: str | None = None
    postCode: str | None = None
    country: str | None = None


@dataclass(slots=True)
class MarketPart:
    """What holds for a product in one market."""

    market: str | None = None
    """ISO 3166 alpha-2 (MemberStateISO)."""
    nationalCode: str | None = None
    article57Code: str | None = None
    marketingAuthorisationHolder: PostalOrganisation | None = None
    designatedWholesalers: list[PostalOrganisation] = field(default_factory=list)


@dataclass(slots=True)
class ProductMessage:
    """`PMDR`: master data of a product. Each accepted one is a new version."""

    transactionId: str
    scheme: str | None = None
    """"GTIN" or "PPN" (CodingScheme)."""
    productCode: str | None = None
    name: str | None = None
    commonName: str | None = None
    pharmaceuticalForm: str | None = None
    strength: str | None = None
    packType: str | None = None
    packSize: int | None = None
    atcCodes: list[str] = field(default_factory=list)
    markets: list[MarketPart] = field(default_factory=list)


@dataclass(slots=True)
class PacksMessage:
    """`PPDC` makes a batch and its first packs; `PPDM` adds packs to it."""

    transactionId: str
    scheme: str | None = None
    """May be left out: the length of the product code tells it."""
    productCode: str | None = None
    productVersion: int | None = None
    """Left out: the latest version for a new batch, the batch's own for a known one."""
    batchId: str | None = None
    expiry: str | None = None
    """YYMMDD exactly as in the barcode; DD may be 00."""
    manufacturer: PostalOrganisation | None = None
    """Who placed the safety features. Required when the batch is made."""
    serialNumbers: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RecallMessage:
    """`RCBR`: recall of a batch in markets. Final."""

    transactionId: str
    productCode: str | None = None
    batchId: str | None = None
    reason: str | None = None
    markets: list[str] = field(default_factory=list)


@dataclass(slots=True)
class WithdrawalMessage:
    """`WDPR`: withdrawal of a product from markets. Final."""

    transactionId: str
    productCode: str | None = None
    reason: str | None = None
    markets: list[str] = field(default_factory=list)


@dataclass(slots=True)
class BatchName:
    """A batch of a product."""

    productCode: str | None = None
    batchId: str | None = None


@dataclass(slots=True)
class LinkMessage:
    """`RPLK`: each of the target batches was made from each of the source batches by repackaging.
    A parallel distributor's message; never taken back."""

    transactionId: str
    sources: list[BatchName] = field(default_factory=list)
    targets: list[BatchName] = field(default_factory=list)


@dataclass(slots=True)
class Acknowledgement:
    """The hub has the request, durably, and will look at it. HTTP status 202."""

    messageType: str
    transactionId: str
    acknowledgementId: str
    hubTransactionId: str
    status: str = "Accepted"


class MarketStatus(StrEnum):
    """Where a request stands in one market."""

    WAITING = "Waiting"
    DISTRIBUTED = "Distributed"
    REJECTED = "Rejected"
    """By the hub: the market takes no more of this product or batch."""
    REFUSED = "Refused"
    """By the national system."""
    FAILED = "Failed"
    """The national system could not be reached for as long as the hub tries."""


@dataclass(slots=True)
class StatusEntry:
    """A step of a request: `STVA`, `STIV`, `STLD`, `STDS` or `STDF`."""

    status: str
    at: str


@dataclass(slots=True)
class Defect:
    """What is wrong with a message, or worth a warning."""

    code: str | None
    """"A16" data validation error, "I1" invalid format; None on a warning."""
    field: str
    """Path of the element: `markets[0].marketingAuthorisationHolder.street`."""
    value: str | None
    """What was sent, cut to a readable length; None if the element is absent."""
    rule: str
    """Stable name of the rule: `absent`, `too_long`, `other_owner` ..."""
    text: str
    market: str | None = None
    """Set where the rest of the message is good for the other markets."""


@dataclass(slots=True)
class UnloadedPack:
    """A pack that the national system did not take, with a code of its catalogue."""

    serialNumber: str
    code: str


@dataclass(slots=True)
class DefectPage:
    """Some of a message's defects; `after=next` asks for those that follow."""

    transactionId: str
    defects: list[Defect]
    defectCount: int
    next: int | None
    """None at the end of what is kept: at most 100,000, for a limited time."""


@dataclass(slots=True)
class RefusedPage:
    """Some of the packs that a market refused; `after=next` asks for those that follow."""

    transactionId: str
    market: str
    packs: list[UnloadedPack]
    refusedCount: int
    next: int | None
    """None at the end of what is kept, for a limited time."""


@dataclass(slots=True)
class MarketEntry:
    """What became of a request in one market."""

    market: str
    system: str
    """Market whose national system serves this one."""
    status: MarketStatus
    attempts: int = 0
    lastError: str | None = None
    at: str | None = None
    """When the market had its last word; None while waiting."""
    loadedCount: int = 0
    refusedCount: int = 0
    refusedSerials: list[UnloadedPack] = field(default_factory=list)
    """The first 1,000; kept for a limited time, as the hub holds no serial numbers."""
    refusedTruncated: bool = False
    """Whether more were refused than are listed."""
    outcomes: dict[str, int] = field(default_factory=dict)
    """Of state updates and verifications: how many packs had which `emvs.outcomes.Outcome`."""
    originalAt: str | None = None
    """When it was put in the market's line; None where it was not."""
    dueAt: str | None = None
    """Not told before, if distribution to the market is slowed down."""
    replayed: bool = False
    """Whether it took more than one attempt, or more than a minute from when it was due; `at` is
    then the time of the replay."""


@dataclass(slots=True)
class RequestSummary:
    """One line of the list of requests."""

    messageType: str
    transactionId: str
    hubTransactionId: str
    receivedAt: str
    status: str
    """The last step, or "Accepted" before the first one."""
    productCode: str | None = None
    batchId: str | None = None
    serialCount: int = 0


@dataclass(slots=True)
class RequestList:
    """A page of requests, oldest first; `after=next` asks for the page that follows."""

    requests: list[RequestSummary]
    next: str | None


@dataclass(slots=True)
class ProgressEntry:
    """How far a large message has come on one stretch of its way."""

    stage: str
    """"received", "validated", "stored" or "distributed"."""
    count: int
    """Serial numbers so far."""
    total: int
    ratePerS: float | None = None
    """By the system's clock, from the beginning of the stretch; None before there is one."""
    at: str | None = None
    """When the stretch ended; None while it has not."""
    system: str | None = None
    """National system, of "distributed": what was sent to it counts until it has answered."""


@dataclass(slots=True)
class RequestStatus:
    """All that is known of a request."""

    messageType: str
    transactionId: str
    acknowledgementId: str
    hubTransactionId: str
    receivedAt: str
    status: str
    productCode: str | None
    productVersion: int | None
    batchId: str | None
    serialCount: int
    history: list[StatusEntry]
    defects: list[Defect]
    defectCount: int
    """May be larger than the list, which has at most 1,000."""
    warnings: list[Defect]
    markets: list[MarketEntry]
    defectsTruncated: bool = False
    """Whether there are more defects than are listed."""
    progress: list[ProgressEntry] = field(default_factory=list)
    """Of messages with serial numbers."""
    serialQuality: SerialQuality | None = None
    """Of uploads, once it was looked at (our addition)."""
