"""States of a pack and the operations on it: the two enumerations everything else speaks in.

The numbers are stored in databases and follow the order in which the REST-built national systems
number states (inferred from public clients), so they never change.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class State(IntEnum):
    """State of a pack (1-9), or what its batch or product makes of it (10-12)."""

    ACTIVE = 1
    SUPPLIED = 2
    DESTROYED = 3
    LOCKED = 4
    EXPORTED = 5
    SAMPLE = 6
    STOLEN = 7
    FREE_SAMPLE = 8
    CHECKED_OUT = 9
    RECALLED = 10
    EXPIRED = 11
    WITHDRAWN = 12


PACK_STATES: Final = tuple(State(number) for number in range(1, 10))
"""States a pack itself can have; the others are derived from its batch and product."""

INACTIVE_BY_BATCH_OR_PRODUCT: Final = (State.WITHDRAWN, State.RECALLED, State.EXPIRED)
"""In order of precedence: the first that holds is the effective state."""


class Operation(IntEnum):
    """What a participant asks.

    A decommissioning has the number of its target state, its undo that number plus ten.
    """

    VERIFY = 1
    SUPPLY = 2
    DESTROY = 3
    LOCK = 4
    EXPORT = 5
    SAMPLE = 6
    STOLEN = 7
    FREE_SAMPLE = 8
    CHECK_OUT = 9
    REACTIVATE = 11
    UNDO_SUPPLY = 12
    UNDO_DESTROY = 13
    UNDO_LOCK = 14
    UNDO_EXPORT = 15
    UNDO_SAMPLE = 16
    UNDO_STOLEN = 17
    UNDO_FREE_SAMPLE = 18
    UNDO_CHECK_OUT = 19

    @property
    def is_decommissioning(self) -> bool:
        """Whether the operation takes an active pack out of circulation."""
        return 2 <= self <= 9

    @property
    def is_undo(self) -> bool:
        """Whether the operation makes a pack active again; REACTIVATE names no particular state."""
        return self >= 11

    @property
    def target_state(self) -> State | None:
        """State the pack has after a successful operation; None for a verification."""
        if self is Operation.VERIFY:
            return None
        return State.ACTIVE if self.is_undo else State(self.value)

    @property
    def undone_state(self) -> State | None:
        """State a typed undo applies to; None for REACTIVATE and whatever is no undo."""
        return State(self.value - 10) if self > Operation.REACTIVATE else None
