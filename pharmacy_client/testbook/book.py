"""The words of the test book: packs, requests, expectations, steps, cases. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from emvs.rules import MarketRules
from pharmacy_client.errors import ProfileError


class WrongUsageError(ProfileError):
    """What was asked of the book cannot be done; nothing was sent."""

    title = "Wrong usage"


class Role(StrEnum):
    """Whose software is qualified."""

    PHARMACY = "pharmacy"
    WHOLESALER = "wholesaler"


class Actor(StrEnum):
    """Who sends a request."""

    TESTED = "tested"
    """The location that runs the test book."""
    OTHER = "other location"
    WHOLESALER = "wholesaler"
    """One at yet another location, for what only wholesalers may do."""


class Purpose(StrEnum):
    """What kind of pack a step needs."""

    ACTIVE = "active"
    EXPIRED = "expired"
    RECALLED = "recalled"
    WITHDRAWN = "withdrawn"
    INTERMARKET = "intermarket"
    """In another market only."""
    NON_FMD = "non_fmd"
    """Of a product that the national organisation lists as not subject to verification."""
    CHECKED_OUT = "checked_out"
    """Checked out for repackaging by a parallel distributor."""
    UNKNOWN_PRODUCT = "unknown_product"


class Pack(NamedTuple):
    """What is printed on a pack."""

    product_code: str
    serial_number: str
    batch_id: str
    expiry: str


class PackSpec(NamedTuple):
    """A pack that a case needs; each one is used by that case alone."""

    purpose: Purpose = Purpose.ACTIVE
    serial_number: str | None = None
    """Wanted exactly so; the stand must load it."""
    batch_id: str | None = None


class Spelling(StrEnum):
    """How identifiers are written into the address."""

    ENCODED = "percent-encoded"
    RAW = "raw"
    """As the oldest clients do: only what would end the path is encoded."""


class Carrier(StrEnum):
    """Where the identifiers are read from."""

    DATA = "data"
    SYMBOL = "Data Matrix"
    INVERSE_SYMBOL = "inverse Data Matrix"


NON_MANUAL: Final = "non-manual"
MANUAL: Final = "manual"

Change: TypeAlias = Callable[[Pack], Pack]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request about one pack."""

    pack: str
    """Name in the case's list of packs."""
    state: str | None = None
    """Wanted state as it is sent; None verifies."""
    by: Actor = Actor.TESTED
    entry_mode: str | None = NON_MANUAL
    """None leaves the header out."""
    change: Change | None = None
    """Makes what is sent differ from the pack."""
    spelling: Spelling = Spelling.ENCODED
    carrier: Carrier = Carrier.DATA
    further_elements: str = ""
    """Of the symbol, in brackets: `[11]290101[7004]0500`."""
    times: int = 1
    """How often; every answer must be as expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitBulk:
    """Submits packs together; the result's address is kept for `FetchBulk`."""

    packs: tuple[str, ...]
    state: str | None = None
    number_of_packs: int | None = None
    """The check sum, if a wrong one is to be sent."""
    changes: Mapping[str, Change] = field(default_factory=dict)
    """What is sent otherwise than printed, by the pack's name."""
    transitions: tuple[str | None, ...] = ()
    """A recovery: what happened to each of the packs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchBulk:
    """Fetches the result of the last submission."""

    early: bool = False
    """Asks once, right away."""
    unknown_id: bool = False


class ReportCall(StrEnum):
    """Calls of the report interface."""

    TYPES = "types"
    REQUEST = "request"
    LIST = "list"
    FETCH = "fetch"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """One call of the report interface; what is requested is kept for the calls after it."""

    call: ReportCall


Action: TypeAlias = Ask | SubmitBulk | FetchBulk | CallReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an answer must be. The HTTP status follows from the operation code."""

    codes: tuple[str, ...]
    """Operation codes that are right; a dot stands for any character."""
    alert: bool | None = False
    """Whether an alert is raised; None if the sources leave it open."""
    alert_codes: tuple[str, ...] = ()
    """Right values of `alertCode`, if it is told; empty leaves it open."""
    state: str | None = None
    """The pack's state in the answer."""
    members: Mapping[str, object] = field(default_factory=dict)
    """Further members that must have these values."""
    inferred: bool = False
    """Whether the code is inferred from the grammar rather than seen or published."""

    def __str__(self) -> str:
        parts = [" or ".join(self.codes)]
        if self.alert is not None:
            parts.append("alert" if self.alert else "no alert")
        if self.state is not None:
            parts.append(f"state {self.state}")
        parts += [f"{name} {value}" for name, value in self.members.items()]
        return ", ".join(parts) + (" (code inferred)" if self.inferred else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a case."""

    text: str
    action: Action | None = None
    """None: a step of the book that does not apply; `skipped` says why."""
    expected: Expected | None = None
    results: tuple[Expected, ...] = ()
    """Of a fetched bulk: one for each pack, in the order of the request."""
    prepare: tuple[Ask, ...] = ()
    """What happens to the packs before; must be done, is not judged otherwise."""
    advance_s: int = 0
    """By how much the clocks of the stand are moved between preparation and action."""
    follows: bool = False
    """Whether it goes on from the step before; then it does not apply if that one did not."""
    skipped: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case of the book."""

    number: str
    name: str
    packs: Mapping[str, PackSpec] = field(default_factory=dict)
    steps: tuple[Step, ...]
    roles: frozenset[Role] = frozenset(Role)
    """Who has to run it."""
    optional: bool = False
    """Whether a system or client may do without: then its absence is no failure."""


class Setting(NamedTuple):
    """What expectations depend on."""

    market: str
    role: Role
    rules: MarketRules
    """Of the market. From these: how often a repeat is tolerated."""

    @property
    def repeat_limit(self) -> int:
        """How many repeats of a supply are tolerated (the double-dispense limit)."""
        return self.rules.supply_repeat_tolerance


ChapterBuilder: TypeAlias = Callable[[Setting], list[Case]]
