"""What is sent as one: a job of one or several messages, and what became of it. No I/O.

A batch of a million serial numbers is a job of four messages: the first makes the batch, the
others add to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from emvs.limits import SERIALS_PER_MESSAGE_MAX
from emvs.obp_messages import MarketEntry, MarketStatus, PostalOrganisation, RequestStatus
from emvs.outcomes import OUTCOMES, Outcome

CREATE: Final = "PPDC"
ADD: Final = "PPDM"
PRODUCT: Final = "PMDR"
RECALL: Final = "RCBR"
WITHDRAW: Final = "WDPR"
VERIFY: Final = "VBOP"
LINK: Final = "RPLK"

VALID: Final = "STVA"
INVALID: Final = "STIV"
LOADED: Final = "STLD"
DISTRIBUTED: Final = "STDS"
DISTRIBUTION_FAILED: Final = "STDF"
ENDED: Final = frozenset({INVALID, DISTRIBUTED, DISTRIBUTION_FAILED})
"""Statuses after which nothing more comes, unless a failed market is heard after all."""
JUDGED: Final = ENDED | {VALID, LOADED}
"""Statuses that tell whether the hub takes the message."""


_ALERT_LEVEL: Final = 5
"""European alert rules: of the five levels of exceptions only this one is an alert."""


class Change(StrEnum):
    """What a manufacturer does to packs of its own; a parallel distributor also checks out."""

    DECOMMISSION = "decommission"
    EXPORT = "export"
    DISPENSE = "dispense"
    CHECK_OUT = "check-out"


MESSAGES_OF_CHANGES: Final = {
    Change.DECOMMISSION: ("PSUDC", "PSUUD"),
    Change.EXPORT: ("PSUEX", "PSUUE"),
    Change.DISPENSE: ("PSUDS", "PSUUS"),
    Change.CHECK_OUT: ("PSURP", "PSUUR"),
}
"""Message that does it, and the one that undoes it."""
REPEATABLE: Final = frozenset(
    {name for pair in MESSAGES_OF_CHANGES.values() for name in pair} | {VERIFY}
)
"""Messages whose content may be sent again later and mean something new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is told of a batch beside its serial numbers."""

    product_code: str
    batch_id: str
    expiry: str
    """YYMMDD exactly as in the barcode; DD may be 00."""
    manufacturer: PostalOrganisation | None = None
    """None: the profile's company."""
    product_version: int | None = None
    """None: the product's latest, or the batch's own."""


@dataclass(slots=True)
class JobMessage:
    """One message of a job, as the journal knows it."""

    transaction_id: str
    message_type: str
    position: int
    serial_count: int
    packed_bytes: int
    """Of the body, packed with gzip."""
    acknowledgement_id: str | None = None
    """The hub has it; None: not known to have it."""
    hub_transaction_id: str | None = None


@dataclass(slots=True)
class Job:
    """What is sent as one. `resumed` tells that the journal knew it already."""

    number: int
    kind: str
    """Type of its first message."""
    title: str
    """For people: product, batch."""
    created_at: str
    messages: list[JobMessage] = field(default_factory=list)
    resumed: bool = False

    @property
    def serial_count(self) -> int:
        """Of all its messages."""
        return sum(message.serial_count for message in self.messages)

    @property
    def unsent(self) -> list[JobMessage]:
        """Messages without an acknowledgement."""
        return [message for message in self.messages if message.acknowledgement_id is None]


@dataclass(slots=True)
class JobEnd:
    """What became of a job."""

    job: Job
    statuses: list[RequestStatus]
    """Of its messages, in order; a message that was not sent has none."""

    @property
    def is_ended(self) -> bool:
        """Whether all that was sent has come to its end."""
        return all(status.status in ENDED for status in self.statuses)

    @property
    def is_invalid(self) -> bool:
        """Whether the hub found a message wrong."""
        return any(status.status == INVALID for status in self.statuses)

    @property
    def is_done(self) -> bool:
        """Whether every market has everything: nothing invalid, rejected, refused or left out."""
        return (
            len(self.statuses) == len(self.job.messages)
            and all(status.status == DISTRIBUTED for status in self.statuses)
            and not any(status.defectCount for status in self.statuses)
            and all(_is_done(entry) for status in self.statuses for entry in status.markets)
        )

    @property
    def outcomes(self) -> dict[str, dict[str, int]]:
        """How many packs had which outcome, by market; of changes and verifications."""
        return self._sums(lambda entry: entry.outcomes)

    @property
    def loaded(self) -> dict[str, int]:
        """How many packs each market has loaded, or that are there as was wanted."""
        sums = self._sums(lambda entry: {"loaded": entry.loadedCount})
        return {market: counts["loaded"] for market, counts in sums.items()}

    @property
    def alert_count(self) -> int:
        """How many answers of markets raised an alert about the sender's own transaction."""
        return sum(
            count
            for counts in self.outcomes.values()
            for name, count in counts.items()
            if name in Outcome.__members__ and OUTCOMES[Outcome[name]].level == _ALERT_LEVEL
        )

    def _sums(self, counts_of: Any) -> dict[str, dict[str, int]]:
        sums: dict[str, dict[str, int]] = {}
        for status in self.statuses:
            for entry in status.markets:
                of_market = sums.setdefault(entry.market, {})
                for name, count in counts_of(entry).items():
                    of_market[name] = of_market.get(name, 0) + count
        return sums


def _is_done(entry: MarketEntry) -> bool:
    as_wanted = not entry.outcomes or entry.loadedCount == sum(entry.outcomes.values())
    return entry.status is MarketStatus.DISTRIBUTED and not entry.refusedCount and as_wanted


def split(
    serial_numbers: Iterable[str], *, per_message: int = SERIALS_PER_MESSAGE_MAX
) -> Iterator[list[str]]:
    """Yield the serial numbers in lists of `per_message`; the last may be shorter. Only one list
    is in memory at a time."""
    iterator = iter(serial_numbers)
    while part := list(islice(iterator, per_message)):
        yield part


def message_type_at(kind: str, position: int) -> str:
    """Return the type of a job's message: only the first makes the batch."""
    return ADD if kind == CREATE and position > 0 else kind


def batch_members(batch: Batch, company: PostalOrganisation | None) -> dict[str, Any]:
    """Return the members of `PPDC` and `PPDM` but for id and serial numbers."""
    manufacturer = batch.manufacturer or company
    return without_absent(
        {
            "productCode": batch.product_code,
            "productVersion": batch.product_version,
            "batchId": batch.batch_id,
            "expiry": batch.expiry,
            "manufacturer": None if manufacturer is None else organisation_members(manufacturer),
        }
    )


def organisation_members(organisation: PostalOrganisation) -> dict[str, str]:
    """Return a company's members that are told."""
    return without_absent(
        {name: getattr(organisation, name) for name in organisation.__dataclass_fields__}
    )


def without_absent(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are not None: the hub tells an absent element from an empty one."""
    return {name: value for name, value in members.items() if value is not None}
