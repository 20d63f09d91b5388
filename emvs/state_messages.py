"""What manufacturers and parallel distributors ask of packs through the EU Hub, and are told.

State updates (`PSUDC` decommission, `PSURP` check-out for repack, `PSUEX` export, `PSUDS` dispense,
and their undos `PSUUD`, `PSUUR`, `PSUUE`, `PSUUS`) and bulk verification (`VBOP`): one batch, many
serial numbers. `GET {hub}/obp/v1/requests/{transaction id}/packs` tells what each market made of
each pack. JSON as in `emvs.obp_messages`. No rule stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from emvs.states import State

# ruff: noqa: N815 - these are the names on the wire.

STATE_WORDS: Final[Mapping[State, str]] = {
    state: "".join(part.title() for part in state.name.split("_")) for state in State
}
"""States as these messages write them: `Destroyed`, `FreeSample`, `CheckedOut` ..."""


@dataclass(slots=True)
class StateUpdateMessage:
    """`PSU..`: a new state for packs of one batch, or the end of one."""

    transactionId: str
    scheme: str | None = None
    """May be left out: the length of the product code tells it."""
    productCode: str | None = None
    batchId: str | None = None
    state: str | None = None
    """The wanted state, or in an undo the one that is undone; only `PSUDC` and `PSUUD` need it."""
    reason: str | None = None
    markets: list[str] = field(default_factory=list)
    """Left out: all markets of the batch's product version."""
    serialNumbers: list[str] = field(default_factory=list)


@dataclass(slots=True)
class VerifyMessage:
    """`VBOP`: what state packs of one batch are in."""

    transactionId: str
    scheme: str | None = None
    productCode: str | None = None
    batchId: str | None = None
    serialNumbers: list[str] = field(default_factory=list)


PacksOfBatch = StateUpdateMessage | VerifyMessage
"""Messages about packs that were uploaded before."""


@dataclass(slots=True)
class MarketAnswer:
    """What one market made of one pack."""

    market: str
    outcome: str
    """Name of an `emvs.outcomes.Outcome`."""
    state: str | None
    """Effective state afterwards, one of `STATE_WORDS`; None if no such pack was found."""
    alertId: str | None


@dataclass(slots=True)
class PackAnswer:
    """What became of one pack."""

    position: int
    """Where it stands in the message, from 0."""
    serialNumber: str
    markets: list[MarketAnswer]
    """Those that have answered."""


@dataclass(slots=True)
class PackAnswers:
    """A page of answers in the order of the message; `after=next` asks for the page that
    follows."""

    transactionId: str
    packs: list[PackAnswer]
    next: int | None
    forgotten: bool
    """Whether the answers are too old: the hub keeps no serial numbers."""
