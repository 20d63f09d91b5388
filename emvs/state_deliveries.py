"""Operations of manufacturers and parallel distributors on their way from the hub to a market.

`PUT {base}/hub/v1/states/{delivery id}` with a StatesDelivery, answered by a StatesResult: at least
once, the same id gets the same answer (see `emvs.interconnect`). Its verify form has the operation
VERIFY. Answers are told in runs of like ones, as nearly all packs of a message have the same. The
real exchange is not public; this one is ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from emvs.interconnect import DeliveryResult
from emvs.outcomes import Outcome
from emvs.states import State

# ruff: noqa: N815 - these are the names on the wire.

DONE: Final = frozenset(
    {
        Outcome.VERIFIED,
        Outcome.DECOMMISSIONED,
        Outcome.REACTIVATED,
        Outcome.REPEAT_TOLERATED,
        Outcome.ALREADY_ACTIVE,
    }
)
"""Outcomes after which a pack is as it was wanted."""
NOT_HELD: Final = frozenset(
    {Outcome.PRODUCT_UNKNOWN, Outcome.BATCH_AND_SERIAL_UNKNOWN, Outcome.SERIAL_UNKNOWN}
)
"""Outcomes that say that a market does not hold the pack."""


@dataclass(slots=True)
class StatesDelivery:
    """One operation on packs of one batch. At most `limits.SERIALS_PER_MESSAGE_MAX` of them, each
    once."""

    operation: str
    """Name of an `emvs.states.Operation`."""
    scheme: str
    productCode: str
    batchId: str
    organisation: str
    """Who asks: its five characters at the hub."""
    role: str
    """Value of an `emvs.roles.Role`."""
    reason: str | None = None
    silent: bool = False
    """Unknown packs raise no alert here, as another market is asked next."""
    requestedAt: int | None = None
    """When the hub was asked, in milliseconds since 1970 UTC: after an outage, or out of order, a
    delivery comes later. Alerts carry both times."""
    serialNumbers: list[str] = field(default_factory=list)


@dataclass(slots=True)
class OutcomeRun:
    """So many packs in a row with one outcome."""

    count: int
    outcome: str
    """Name of an `emvs.outcomes.Outcome`."""
    state: str | None
    """Name of the effective `emvs.states.State` afterwards; None if no such pack was found."""


@dataclass(slots=True)
class PackAlert:
    """The alert that one pack raised."""

    position: int
    alertId: str


@dataclass(slots=True)
class StatesResult(DeliveryResult):
    """What became of each pack, in the order of the delivery."""

    runs: list[OutcomeRun] = field(default_factory=list)
    alerts: list[PackAlert] = field(default_factory=list)


def runs_of(answers: Iterable[tuple[Outcome, State | None]]) -> list[OutcomeRun]:
    """Return answers as runs."""
    return [
        OutcomeRun(sum(1 for _ in same), outcome.name, None if state is None else state.name)
        for (outcome, state), same in groupby(answers)
    ]
