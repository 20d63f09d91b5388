"""What must come of a request about a known pack, in plain words: a chain of ifs, from the texts.

Delegated Regulation (EU) 2016/161, Art. 13 and 40, and the operators' public rules. Nothing of
`emvs.pack`, `emvs.roles` or `emvs.rules` is imported, only the names of states, operations and
outcomes: machines hold the systems against this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emvs.outcomes import Outcome
from emvs.states import Operation, State

UNDO_WINDOW_S = 240 * 3600
NEVER_UNDONE = {State.DESTROYED, State.STOLEN}
_ONLY_WHOLESALERS = {Operation.EXPORT, Operation.UNDO_EXPORT}
_ONLY_DISTRIBUTORS = {Operation.CHECK_OUT, Operation.UNDO_CHECK_OUT}

WHY_REFUSED = {
    State.WITHDRAWN: Outcome.PRODUCT_WITHDRAWN,
    State.RECALLED: Outcome.BATCH_RECALLED,
    State.EXPIRED: Outcome.PACK_EXPIRED,
}


@dataclass
class ModelPack:
    """What is remembered of a pack."""

    batch: str
    state: State = State.ACTIVE
    set_by: Any = None
    set_at_s: int = 0
    repeats: int = 0


def may(kind: str, operation: Operation) -> bool:
    """Tell whether a participant of this kind may ask for it, where a market sets nothing."""
    if kind == "nca":
        return operation is Operation.VERIFY
    if operation in _ONLY_DISTRIBUTORS:
        return False
    return kind == "wholesaler" or operation not in _ONLY_WHOLESALERS


def what_comes(
    pack: ModelPack,
    operation: Operation,
    who: Any,
    *,
    now_s: int,
    inactive: State | None,
    supply_repeats: int = 2,
    other_repeats: int = 0,
) -> Outcome:
    """Return what must come of it, and change the pack accordingly.

    `inactive` is what batch and product make of the pack, if anything.
    """
    if operation is Operation.VERIFY:
        return Outcome.VERIFIED
    if inactive is not None:
        return WHY_REFUSED[inactive]
    if operation >= Operation.REACTIVATE:
        return _undo(pack, operation, who, now_s)
    wanted = State(operation)
    parked = pack.state is State.LOCKED and wanted in NEVER_UNDONE
    if pack.state is State.ACTIVE or parked:
        pack.state, pack.set_by, pack.set_at_s, pack.repeats = wanted, who, now_s, 0
        return Outcome.DECOMMISSIONED
    if pack.state is not wanted:
        return Outcome.IN_OTHER_STATE
    tolerated = supply_repeats if wanted is State.SUPPLIED else other_repeats
    if pack.set_by == who and pack.repeats < tolerated:
        pack.repeats += 1
        return Outcome.REPEAT_TOLERATED
    return Outcome.ALREADY_IN_STATE


def _undo(pack: ModelPack, operation: Operation, who: Any, now_s: int) -> Outcome:
    if pack.state is State.ACTIVE:
        return Outcome.ALREADY_ACTIVE
    if pack.state in NEVER_UNDONE:
        return Outcome.UNDO_IMPOSSIBLE
    if operation is not Operation.REACTIVATE and operation - 10 != pack.state:
        return Outcome.UNDO_MISMATCH
    if pack.set_by != who:
        return Outcome.UNDO_ELSEWHERE
    if pack.state is not State.LOCKED and now_s - pack.set_at_s > UNDO_WINDOW_S:
        return Outcome.UNDO_TOO_LATE
    pack.state, pack.set_by, pack.set_at_s, pack.repeats = State.ACTIVE, who, now_s, 0
    return Outcome.REACTIVATED
