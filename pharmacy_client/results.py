"""What goes into a dialect and what comes out of it: one call on one pack, one typed result.

No wire format and no code of a market is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from emvs.scan import Scan
from emvs.states import Operation, State
from pharmacy_client.exchange import Exchange


class PackCall(NamedTuple):
    """One operation on one pack."""

    operation: Operation
    scan: Scan
    manual: bool = False
    """Typed in by hand rather than scanned."""
    reference: str | None = None
    """Client transaction id of what an undo undoes, where the dialect has one."""
    transaction_id: str | None = None
    """Our id of the transaction, 8 to 32 letters and digits; a new one is made if there is none."""


class Category(StrEnum):
    """What came of a call, in a word. The market's own code is beside it in the result."""

    ACTIVE = "active"
    """Verified: the pack is active."""
    DONE = "done"
    """The change asked for was made."""
    TOLERATED = "tolerated"
    """Nothing had to be done, and that is no fault: a repeat, an undo of an active pack."""
    REFUSED = "refused"
    """The pack, its batch or its product is in a state that forbids it."""
    UNKNOWN = "unknown"
    """No stored pack has these data."""
    INVALID = "invalid"
    """The data are malformed."""
    NOT_PERMITTED = "not_permitted"
    """This login may not do that."""
    UNAVAILABLE = "unavailable"
    """The system answers that it cannot answer now."""
    QUEUED = "queued"
    """There is no answer yet: what was asked is kept on disk and will be sent."""


SUCCESSFUL = frozenset({Category.ACTIVE, Category.DONE, Category.TOLERATED})


class Colour(StrEnum):
    """What the person at the till sees first."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class Advice(NamedTuple):
    """What the person at the till should do."""

    colour: Colour
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a national system answered about one pack."""

    operation: Operation
    category: Category
    return_code: str
    """The market's own code, as it came."""
    text: str
    """The market's own words, in the language of the profile where it has it."""
    scan: Scan
    """What was asked about."""
    advice: Advice
    exchange: Exchange
    state: State | None = None
    """Effective state of the pack afterwards; None if not told, or told in unknown words."""
    state_text: str | None = None
    """The state in the market's own word."""
    reasons: tuple[str, ...] = ()
    """Why the pack is inactive, in the market's own words."""
    alert_id: str | None = None
    """Unique id of the alert that was raised; None if none was."""
    alert_code: str | None = None
    """Code of the EU Hub, such as "A3", for the alert that was raised."""
    alert_link: str | None = None
    """Address of the alert in the market's alert management system."""
    intermarket: bool = False
    """Whether another market answered."""
    product_name: str | None = None
    undo_until: datetime | None = None
    """Until when this location may undo; None if not told."""
    transaction_id: str | None = None
    """The national system's id of the transaction."""
    client_transaction_id: str | None = None
    """Our id of the transaction: the `reference` of a later undo."""
    notifications: tuple[str, ...] = ()
    """Notes beside the answer, such as a password that is about to expire."""
    retry_after_s: float | None = None
    """How long the system asks to wait before the next try."""
    queue_number: int | None = None
    """Number of the entry in the offline queue, if it was kept there."""
    from_memory: bool = False
    """Whether this was answered just before, and nothing was sent now."""

    @property
    def ok(self) -> bool:
        """Whether the pack is active, or what was asked for holds now."""
        return self.category in SUCCESSFUL

    @property
    def http_status(self) -> int | None:
        """HTTP status of the answer."""
        return self.exchange.http_status


@dataclass(frozen=True, slots=True)
class Pong:
    """What came of a ping."""

    dialect: str
    url: str
    text: str
    elapsed_ms: float
