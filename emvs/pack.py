"""What may happen to a pack: every rule on pack states is in this file. No I/O, no clock.

Two questions, answered in this order: do the submitted identifiers belong to a stored pack
(`match_identifiers`), and what does the operation do to it (`decide`)? Both are total: whatever
is asked, an `Outcome` comes back, never an exception.

Sources: Delegated Regulation (EU) 2016/161, Art. 10-13 and 40; the hub operator's public rules
on pack states; the national organisations' return-code guides.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from emvs.expiry import ExpiryMatching, expiry_matches
from emvs.outcomes import Outcome
from emvs.rules import MarketRules
from emvs.states import PACK_STATES, Operation, State


class Transition(Enum):
    """What a (pack state, operation) pair leads to, before place and time are looked at."""

    REPORT = "."
    """Nothing changes, the state is told."""
    MOVE = ">"
    """The pack takes the operation's target state."""
    REPEAT = "~"
    """The pack is there already: tolerated from the same location, for a while."""
    REFUSE = "x"
    """The pack is inactive for another reason."""
    UNDO = "<"
    """The pack becomes active again, if place and time allow it."""
    UNDO_ACTIVE = "a"
    """There is nothing to undo."""
    UNDO_NEVER = "n"
    """Destroyed and stolen packs never come back."""
    UNDO_OTHER = "m"
    """The undo is that of another operation."""


# To read this grid is to read the rules. Columns: VERify, SUPply, DEStroy, LOCk, EXPort, SAMple,
# STOlen, FREe sample, CHeck-Out; then the undo of any state (REActivate) and of each in turn.
_GRID: Final = """
            VER SUP DES LOC EXP SAM STO FRE CHO  REA  SUP DES LOC EXP SAM STO FRE CHO
ACTIVE       .   >   >   >   >   >   >   >   >    a    a   a   a   a   a   a   a   a
SUPPLIED     .   ~   x   x   x   x   x   x   x    <    <   m   m   m   m   m   m   m
DESTROYED    .   x   ~   x   x   x   x   x   x    n    n   n   n   n   n   n   n   n
LOCKED       .   x   >   ~   x   x   >   x   x    <    m   m   <   m   m   m   m   m
EXPORTED     .   x   x   x   ~   x   x   x   x    <    m   m   m   <   m   m   m   m
SAMPLE       .   x   x   x   x   ~   x   x   x    <    m   m   m   m   <   m   m   m
STOLEN       .   x   x   x   x   x   ~   x   x    n    n   n   n   n   n   n   n   n
FREE_SAMPLE  .   x   x   x   x   x   x   ~   x    <    m   m   m   m   m   m   <   m
CHECKED_OUT  .   x   x   x   x   x   x   x   ~    <    m   m   m   m   m   m   m   <
"""


def _read_grid(text: str) -> dict[tuple[State, Operation], Transition]:
    rows = (line.split() for line in text.strip().splitlines()[1:])
    return {
        (State[name], operation): Transition(cell)
        for name, *cells in rows
        for operation, cell in zip(Operation, cells, strict=True)
    }


TRANSITIONS: Final[Mapping[tuple[State, Operation], Transition]] = _read_grid(_GRID)
assert len(TRANSITIONS) == len(PACK_STATES) * len(Operation), "the grid must be total"


class Pack(NamedTuple):
    """What the system remembers of a pack; all that a decision needs."""

    state: State
    set_by: int
    """Number of the location that set the state; 0 if the manufacturer uploaded it so."""
    set_at_s: int
    """When, in seconds since 1970 UTC; 0 if never."""
    repeat_count: int
    """How often the same location has repeated its decommissioning since."""
    version: int
    """Grows with each change; a write names the version that it was decided from."""
    batch_number: int


class BatchFacts(NamedTuple):
    """What a decision needs to know of the pack's batch and product in this market."""

    batch_id: str
    expiry: str
    """YYMMDD as uploaded, day 00 for the end of the month."""
    expired_from_s: int
    """First second at which the pack counts as expired: market-local midnight."""
    recalled: bool
    withdrawn: bool

    def inactive_state(self, now_s: int) -> State | None:
        """Return what makes the pack inactive whatever its own state: withdrawn before recalled
        before expired."""
        if self.withdrawn:
            return State.WITHDRAWN
        if self.recalled:
            return State.RECALLED
        return State.EXPIRED if now_s >= self.expired_from_s else None


class Change(NamedTuple):
    """The new values of a pack that a decision changes."""

    state: State
    set_by: int
    set_at_s: int
    repeat_count: int


class Decision(NamedTuple):
    """What comes of a request about a known pack."""

    outcome: Outcome
    state: State
    """The pack's own state afterwards."""
    effective: State
    """Its effective state afterwards."""
    here: bool
    """Whether the asking location is the one that set the pack's state."""
    change: Change | None


def match_identifiers(
    *,
    pack_batch: BatchFacts | None,
    batch_known: bool,
    batch_id: str | None,
    expiry: str | None,
    matching: ExpiryMatching,
) -> Outcome | None:
    """Return the first mismatch between what was submitted and what is stored, None if all match.

    `pack_batch` is the batch of the pack found under product code and serial number, None if
    there is none; `batch_known` tells whether the submitted batch exists for the product. What
    was not submitted is not compared (manual entry).
    """
    if pack_batch is None:
        if batch_id is not None and not batch_known:
            return Outcome.BATCH_AND_SERIAL_UNKNOWN
        return Outcome.SERIAL_UNKNOWN
    if batch_id is not None and batch_id != pack_batch.batch_id:
        return Outcome.BATCH_MISMATCH
    if expiry is not None and not expiry_matches(expiry, pack_batch.expiry, matching):
        return Outcome.EXPIRY_MISMATCH
    return None


def match_batch(
    batch: BatchFacts | None, expiry: str | None, *, matching: ExpiryMatching
) -> Outcome | None:
    """Return what is wrong with batch and expiry, whichever pack is meant; None if nothing is.

    `batch` is what is stored of the submitted one, None if that is unknown for the product.
    """
    if batch is None:
        return Outcome.BATCH_AND_SERIAL_UNKNOWN
    if expiry is not None and not expiry_matches(expiry, batch.expiry, matching):
        return Outcome.EXPIRY_MISMATCH
    return None


_REFUSED_BY_BATCH: Final = {
    State.WITHDRAWN: Outcome.PRODUCT_WITHDRAWN,
    State.RECALLED: Outcome.BATCH_RECALLED,
    State.EXPIRED: Outcome.PACK_EXPIRED,
}


def decide(
    pack: Pack,
    batch: BatchFacts,
    operation: Operation,
    *,
    location: int,
    now_s: int,
    rules: MarketRules,
) -> Decision:
    """Return what `operation`, asked by `location` at `now_s`, does to `pack`."""
    state = pack.state
    overriding = batch.inactive_state(now_s)
    here = pack.set_by == location
    if operation is Operation.VERIFY:
        return Decision(Outcome.VERIFIED, state, overriding or state, here, None)
    transition = TRANSITIONS[state, operation]
    if overriding is not None and not _passes_inactive_batch(transition, operation, rules):
        return Decision(_REFUSED_BY_BATCH[overriding], state, overriding, here, None)
    if transition is Transition.MOVE:
        target = State(operation)
        change = Change(target, location, now_s, 0)
        return Decision(Outcome.DECOMMISSIONED, target, overriding or target, True, change)
    if transition is Transition.REPEAT:
        return _decide_repeat(pack, operation, here=here, rules=rules)
    if transition is Transition.UNDO:
        return _decide_undo(pack, here=here, now_s=now_s, location=location, rules=rules)
    return Decision(_FIXED[transition], state, state, here, None)


_FIXED: Final = {
    Transition.REFUSE: Outcome.IN_OTHER_STATE,
    Transition.UNDO_ACTIVE: Outcome.ALREADY_ACTIVE,
    Transition.UNDO_NEVER: Outcome.UNDO_IMPOSSIBLE,
    Transition.UNDO_OTHER: Outcome.UNDO_MISMATCH,
}


def _passes_inactive_batch(
    transition: Transition, operation: Operation, rules: MarketRules
) -> bool:
    """Whether the state of batch or product leaves the operation to the pack's own state."""
    return (
        rules.destroy_on_inactive_batch
        and operation is Operation.DESTROY
        and transition is Transition.MOVE
    )


def _decide_repeat(pack: Pack, operation: Operation, *, here: bool, rules: MarketRules) -> Decision:
    """A location that scans twice is tolerated for a while; another location never is."""
    state = pack.state
    tolerance = (
        rules.supply_repeat_tolerance
        if operation is Operation.SUPPLY
        else rules.other_repeat_tolerance
    )
    if not here or pack.repeat_count >= tolerance:
        return Decision(Outcome.ALREADY_IN_STATE, state, state, here, None)
    change = Change(state, pack.set_by, pack.set_at_s, pack.repeat_count + 1)
    return Decision(Outcome.REPEAT_TOLERATED, state, state, here, change)


def _decide_undo(
    pack: Pack, *, here: bool, now_s: int, location: int, rules: MarketRules
) -> Decision:
    """Delegated Regulation (EU) 2016/161, Art. 13(1)(a) and (b): same premises, ten days.

    A lock has no time limit: it parks a pack while somebody investigates.
    """
    state = pack.state
    if not here:
        return Decision(Outcome.UNDO_ELSEWHERE, state, state, here, None)
    if state is not State.LOCKED and now_s - pack.set_at_s > rules.undo_window_s:
        return Decision(Outcome.UNDO_TOO_LATE, state, state, here, None)
    change = Change(State.ACTIVE, location, now_s, 0)
    return Decision(Outcome.REACTIVATED, State.ACTIVE, State.ACTIVE, here, change)


def undo_until_s(pack_state: State, set_at_s: int, rules: MarketRules) -> int | None:
    """Last second at which the setting location may undo; None if never or without limit."""
    if TRANSITIONS[pack_state, Operation.REACTIVATE] is not Transition.UNDO:
        return None
    return None if pack_state is State.LOCKED else set_at_s + rules.undo_window_s
