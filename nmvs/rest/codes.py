"""Operation codes of the REST dialect: from an outcome to the eight characters on the wire.

A code reads `H OO I SS RR`: class of the HTTP status, operation, 1 for information or 2 for
warning, state of the pack, reason. The grammar is certain, read from two clients; the numbers of
some states and the meaning of the reasons are inferred. What the grammar leaves open stands in
`_REASONS`; a code that follows no rule in `FIXED`. No text enters (see `texts`).
"""

from __future__ import annotations

from typing import Final

from emvs.outcomes import NEVER_ANSWERED, Outcome
from emvs.scanner_hints import Hint
from emvs.states import Operation, State

HTTP_STATUS: Final = {
    "1": 200,
    "2": 202,
    "3": 403,
    "4": 404,
    "5": 409,
    "6": 422,
    "7": 429,
    "B": 503,
}
"""By the first character. 7 and B are inferred: the series counts on in HTTP's order."""

# Codes that no outcome stands for, because no request came of what arrived.
ENTRY_MODE_MISSING: Final = "61020012"
ENTRY_MODE_INVALID: Final = "61020013"
STATE_MISSING: Final = "61020005"
"""Inferred from the alphabetical order in which the texts are numbered, as is the next."""
STATE_INVALID: Final = "61020010"
BODY_INVALID: Final = "61020015"
"""Our choice: known to be a pair of 61020014, meaning unknown."""
NOT_LOGGED_IN: Final = "30020000"
"""Goes with status 401, for which the grammar has no letter (our choice)."""
THROTTLED: Final = "70020000"
CONNECTOR_LOCATION_MISSING: Final = "60020001"
"""Made by the grammar for connectors, as are the next two (our choice: real ones are unknown)."""
CONNECTOR_LOCATION_UNKNOWN: Final = "60020002"
CONNECTOR_NOT_ALLOWED: Final = "30020001"
PATH_UNKNOWN: Final = "40020000"
"""Made by the grammar, as is the next (our choice)."""
REQUEST_INVALID: Final = "60020000"
TECHNICAL: Final = "B0020000"

FIXED: Final[dict[Outcome, str]] = {
    Outcome.PRODUCT_UNKNOWN: "41020000",
    Outcome.SERIAL_UNKNOWN: "41020001",
    Outcome.BATCH_AND_SERIAL_UNKNOWN: "41020002",
    Outcome.BATCH_MISMATCH: "41020003",
    # Inferred: clients show it without alert, as what is "not subject to verification".
    Outcome.NON_FMD_PRODUCT: "41020004",
    Outcome.EXPIRY_MISMATCH: "41020005",
    Outcome.BATCH_EXEMPTED: "41020006",
    Outcome.BATCH_MISSING: "61020000",
    Outcome.PRODUCT_CODE_MISSING: "61020001",
    Outcome.SCHEME_MISSING: "61020002",
    Outcome.SERIAL_MISSING: "61020003",
    Outcome.EXPIRY_MISSING: "61020004",
    Outcome.BATCH_INVALID: "61020006",
    Outcome.EXPIRY_INVALID: "61020007",
    Outcome.PRODUCT_CODE_INVALID: "61020008",
    Outcome.SCHEME_INVALID: "61020009",
    Outcome.SERIAL_INVALID: "61020011",
    Outcome.SERIAL_TWICE: "62120000",
    Outcome.NOT_PERMITTED: "30020000",
    Outcome.LOGIN_WRONG: NOT_LOGGED_IN,
    Outcome.LOGIN_LOCKED: NOT_LOGGED_IN,
    Outcome.UNAVAILABLE: TECHNICAL,
    Outcome.OVERLOADED: TECHNICAL,
    Outcome.HUB_UNREACHABLE: "B1020000",
    Outcome.HUB_TIMEOUT: "B1020000",
    Outcome.MARKET_UNREACHABLE: "B1020000",
    # This dialect has one undo for all states: these come from another market, if at all.
    Outcome.UNDO_MISMATCH: "51420000",
    Outcome.UNDO_REFERENCE_WRONG: "51420000",
}
"""Outcomes whose code depends on nothing else."""

HINTED: Final[dict[tuple[Outcome, Hint], str]] = {
    (Outcome.BATCH_MISMATCH, Hint.LENGTH): "41020007",
    (Outcome.BATCH_MISMATCH, Hint.FORMAT): "41020008",
    (Outcome.BATCH_MISMATCH, Hint.LENGTH_AND_FORMAT): "41020009",
    (Outcome.SERIAL_UNKNOWN, Hint.LENGTH): "41020010",
    (Outcome.SERIAL_UNKNOWN, Hint.FORMAT): "41020011",
    (Outcome.SERIAL_UNKNOWN, Hint.LENGTH_AND_FORMAT): "41020012",
}
"""Which three codes belong to which outcome is certain, which of the three is which is inferred."""

# Class of the status and kind of the text, for outcomes whose code tells operation and state.
_CLASSES: Final[dict[Outcome, tuple[str, str]]] = {
    Outcome.VERIFIED: ("1", "1"),
    Outcome.DECOMMISSIONED: ("1", "1"),
    Outcome.REACTIVATED: ("1", "1"),
    Outcome.REPEAT_TOLERATED: ("1", "2"),
    Outcome.ALREADY_ACTIVE: ("5", "2"),
    Outcome.ALREADY_IN_STATE: ("5", "2"),
    Outcome.IN_OTHER_STATE: ("5", "2"),
    Outcome.PACK_EXPIRED: ("5", "2"),
    Outcome.BATCH_RECALLED: ("5", "2"),
    Outcome.PRODUCT_WITHDRAWN: ("5", "2"),
    Outcome.UNDO_IMPOSSIBLE: ("5", "2"),
    Outcome.UNDO_ELSEWHERE: ("5", "2"),
    Outcome.UNDO_TOO_LATE: ("5", "2"),
}
assert FIXED.keys() | _CLASSES.keys() == set(Outcome) - NEVER_ANSWERED, "every answer has a code"
assert not FIXED.keys() & _CLASSES.keys(), "no outcome has two"

_STATES: Final[dict[Outcome, State]] = {
    Outcome.PACK_EXPIRED: State.EXPIRED,
    Outcome.BATCH_RECALLED: State.RECALLED,
    Outcome.PRODUCT_WITHDRAWN: State.WITHDRAWN,
}

_NOT_HERE: Final = "00"
_HERE: Final = "01"
# The exceptions: None as the state stands for all that have no row. Everything else has reason 01
# if the asking location set the state, else 00.
_REASONS: Final[dict[tuple[Outcome, State | None], str]] = {
    (Outcome.VERIFIED, State.ACTIVE): "00",
    (Outcome.DECOMMISSIONED, None): "00",
    (Outcome.REACTIVATED, None): "00",
    # Supplied packs have the two reasons the other way round than all others do.
    (Outcome.UNDO_ELSEWHERE, State.SUPPLIED): "01",
    (Outcome.UNDO_ELSEWHERE, None): "00",
    (Outcome.UNDO_TOO_LATE, State.SUPPLIED): "00",
    (Outcome.UNDO_TOO_LATE, None): "01",
    (Outcome.UNDO_IMPOSSIBLE, State.STOLEN): "00",
}
_NEVER_HERE: Final = frozenset({State.CHECKED_OUT, State.RECALLED, State.EXPIRED, State.WITHDRAWN})
# Another market may answer without telling the state.
_REASONS_WITHOUT_STATE: Final = {Outcome.UNDO_ELSEWHERE: "01", Outcome.UNDO_TOO_LATE: "02"}


def operation_digits(operation: Operation) -> str:
    """Return the two digits of a single-pack operation: verify, supply, decommission, undo."""
    if operation is Operation.VERIFY:
        return "11"
    if operation is Operation.SUPPLY:
        return "12"
    return "14" if operation.is_undo else "13"


def operation_code(
    outcome: Outcome,
    operation: Operation,
    state: State | None,
    *,
    here: bool,
    hint: Hint | None = None,
) -> str:
    """Return the operation code; `state` is the effective one after the operation."""
    if hint is not None:
        return HINTED[outcome, hint]
    fixed = FIXED.get(outcome)
    if fixed is not None:
        return fixed
    status_class, text_kind = _CLASSES[outcome]
    if outcome is Outcome.DECOMMISSIONED:
        # Where packs of a recalled batch may be destroyed, the code still tells what was done.
        state = operation.target_state
    state = _STATES.get(outcome, state)
    prefix = status_class + operation_digits(operation) + text_kind
    if state is None:
        return f"{prefix}00{_REASONS_WITHOUT_STATE.get(outcome, '00')}"
    if state in _NEVER_HERE:
        return f"{prefix}{state:02d}00"
    usual = _HERE if here else _NOT_HERE
    reason = _REASONS.get((outcome, state)) or _REASONS.get((outcome, None), usual)
    return f"{prefix}{state:02d}{reason}"


def code_pattern(outcome: Outcome) -> str | None:
    """Return the outcome's code with small letters for what depends on operation, state and
    reason; None if no request comes to it."""
    if outcome in FIXED:
        return FIXED[outcome]
    if outcome not in _CLASSES:
        return None
    status_class, text_kind = _CLASSES[outcome]
    state = _STATES.get(outcome)
    return f"{status_class}oo{text_kind}" + ("ssrr" if state is None else f"{state:02d}rr")


def http_status(code: str) -> int:
    """Return the HTTP status that a code goes with."""
    return HTTP_STATUS[code[0]]


def text_member(code: str) -> str:
    """Return the name of the member that carries the display text."""
    return "information" if code[3] == "1" else "warning"
