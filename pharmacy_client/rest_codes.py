"""Operation codes of the REST-built national systems: what an answer means to a client.

The code's grammar is `H OO I SS RR`: HTTP class, operation, information or warning, state, reason.
The HTTP status decides first, the grammar second, and never a list of codes: new ones appear at
any time. Grammar, states and reasons are inferred from public clients.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from emvs.states import INACTIVE_BY_BATCH_OR_PRODUCT, Operation, State
from pharmacy_client.results import Category

_BY_STATUS: Final = {
    200: Category.DONE,
    403: Category.NOT_PERMITTED,
    404: Category.UNKNOWN,
    409: Category.REFUSED,
    422: Category.INVALID,
    # The interface uses 422; these are what its neighbours on the way may answer.
    400: Category.INVALID,
    429: Category.UNAVAILABLE,
    500: Category.UNAVAILABLE,
    502: Category.UNAVAILABLE,
    503: Category.UNAVAILABLE,
    504: Category.UNAVAILABLE,
}
# Spelling on the wire varies: case, blank or hyphen.
_STATES: Final = {state.name.replace("_", ""): state for state in State}
_HERE: Final = "01"
_WARNING: Final = "2"


class Judgement(NamedTuple):
    """What an answer means."""

    category: Category
    state: State | None
    here: bool
    """Whether the asking location set the state; False also if that is not told."""


def read_state(text: str | None) -> State | None:
    """Return the state for the market's word; None if absent or unknown."""
    if not text:
        return None
    return _STATES.get(text.replace(" ", "").replace("-", "").replace("_", "").upper())


def judge(
    operation_code: str,
    operation: Operation,
    *,
    http_status: int,
    state_text: str | None,
    warned: bool,
) -> Judgement | None:
    """Return what an answer means; None if its parts contradict each other or mean nothing here.

    Nothing is called active or done unless the state, where it is told, says so too.
    """
    category = _BY_STATUS.get(http_status)
    if category is None:
        return None
    follows_grammar = _follows_grammar(operation_code)
    state = read_state(state_text)
    if state is None and not state_text and follows_grammar and http_status in (200, 409):
        state = _state_of_number(operation_code[4:6])
    here = follows_grammar and http_status in (200, 409) and operation_code[6:] == _HERE
    if http_status == 200:
        if operation is Operation.VERIFY:
            category = Category.ACTIVE if state is State.ACTIVE else Category.REFUSED
        elif not _fits(operation, state, told=bool(state_text)):
            return None
        elif operation_code[3:4] == _WARNING if follows_grammar else warned:
            category = Category.TOLERATED
    elif category is Category.REFUSED and operation.is_undo and state is State.ACTIVE:
        # Refused with 409 because the pack is active: clients show that in green.
        category = Category.TOLERATED
    return Judgement(category, state, here)


def _follows_grammar(operation_code: str) -> bool:
    digits = operation_code[1:]
    return len(operation_code) == 8 and digits.isascii() and digits.isdecimal()


def _fits(operation: Operation, state: State | None, *, told: bool) -> bool:
    """Tell whether `state` can be the effective one after the operation was done."""
    if state is None:
        return not told
    # The change is done, but the state of the batch or product hides it.
    return state is operation.target_state or state in INACTIVE_BY_BATCH_OR_PRODUCT


def _state_of_number(digits: str) -> State | None:
    number = int(digits)
    return State(number) if State.ACTIVE <= number <= State.WITHDRAWN else None
