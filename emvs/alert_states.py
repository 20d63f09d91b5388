"""The life of an alert: its states, who may move it from one to another, and with which reason.

Pure. The states, the compulsory reason and the length of the text are those of the European alert
management system as far as described in public; the grid of parties and the list of reasons are
our choice. Nothing of this touches the pack: it is set aside by hand while its alert is open.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple
from unicodedata import category

TEXT_LENGTH_MAX: Final = 500
"""European alert management system: free text of a change."""


class AlertState(StrEnum):
    """State of an alert, spelled as users know it."""

    NEW = "New"
    ACTIVE = "Active"
    UNDER_INVESTIGATION = "Under investigation"
    ESCALATED = "Escalated"
    CLOSED = "Closed"


UNDER_INVESTIGATION: Final = frozenset({AlertState.UNDER_INVESTIGATION, AlertState.ESCALATED})
"""States in which somebody looks into an alert. Only then may the operator of the system read the
audit trail of its pack: Delegated Regulation (EU) 2016/161, Art. 37 and 38."""


class AlertParty(StrEnum):
    """Who changes an alert."""

    OBP = "OBP"
    NMVO = "NMVO"
    NCA = "NCA"
    SYSTEM = "System"


class AlertReason(StrEnum):
    """Why an alert was changed. Our choice, modelled on what national schemes tell apart."""

    FIRST_VIEW = "FIRST_VIEW"
    AUTOMATIC = "AUTOMATIC"
    OBP_ERROR_FIXED = "OBP_ERROR_FIXED"
    OBP_ERROR_NOT_FIXED = "OBP_ERROR_NOT_FIXED"
    END_USER_ERROR = "END_USER_ERROR"
    END_USER_SILENT = "END_USER_SILENT"
    TECHNICAL_ERROR = "TECHNICAL_ERROR"
    NEW_INFORMATION = "NEW_INFORMATION"
    FALSIFICATION_SUSPECTED = "FALSIFICATION_SUSPECTED"
    OTHER = "OTHER"


class Refusal(StrEnum):
    """Why a change is not made, in order of precedence; the value is the sentence for the user."""

    TEXT_TOO_LONG = f"the text has more than {TEXT_LENGTH_MAX} characters"
    TEXT_UNREADABLE = "the text holds control characters"
    REASON_MISSING = "a reason is wanted for every change but that to Under investigation"
    REASON_OF_OTHERS = "this party does not give this reason"
    TEXT_MISSING = "the reason OTHER wants a text"
    NO_TRANSITION = "an alert in this state does not change so"
    PARTY_WRONG = "this party may not make this change"
    NOT_AT_FAULT = "the manufacturer closes an alert only if the fault was its own"


class AlertChange(NamedTuple):
    """What a party wants of an alert."""

    party: AlertParty
    state: AlertState
    reason: AlertReason | None = None
    text: str | None = None


# O manufacturer (OBP), N national organisation (NMVO), C authority (NCA), S the system by itself;
# "-" nobody. The system makes a new alert active when somebody first opens it.
_TRANSITION_GRID: Final = """
from \\ to            ACTIVE UNDER_INVESTIGATION ESCALATED CLOSED
NEW                     S           ON              ON       ONS
ACTIVE                  -           ON              ON       ON
UNDER_INVESTIGATION     O           -               ON       ON
ESCALATED               N           N               -        NC
CLOSED                  -           N               -        -
"""
_PARTIES: Final = {
    "O": AlertParty.OBP,
    "N": AlertParty.NMVO,
    "C": AlertParty.NCA,
    "S": AlertParty.SYSTEM,
}

# Who gives a reason, and whose fault it says it was ("-" nobody's known).
_REASON_GRID: Final = """
reason                   parties fault
FIRST_VIEW                 S      -
AUTOMATIC                  S      -
OBP_ERROR_FIXED            ONC    OBP
OBP_ERROR_NOT_FIXED        ONC    OBP
END_USER_ERROR             ONC    END_USER
END_USER_SILENT            NC     END_USER
TECHNICAL_ERROR            ONC    SYSTEM
NEW_INFORMATION            ONC    -
FALSIFICATION_SUSPECTED    ONC    -
OTHER                      ONC    -
"""


def _parties(cell: str) -> frozenset[AlertParty]:
    return frozenset(_PARTIES[letter] for letter in cell if letter != "-")


def _read_transitions(text: str) -> dict[tuple[AlertState, AlertState], frozenset[AlertParty]]:
    header, *lines = text.strip().splitlines()
    targets = [AlertState[name] for name in header.split()[3:]]
    # Nothing becomes new again.
    cells = {(state, AlertState.NEW): frozenset[AlertParty]() for state in AlertState}
    for line in lines:
        name, *row = line.split()
        for target, cell in zip(targets, row, strict=True):
            cells[AlertState[name], target] = _parties(cell)
    return cells


def _read_reasons(text: str) -> dict[AlertReason, tuple[frozenset[AlertParty], str | None]]:
    rows = (line.split() for line in text.strip().splitlines()[1:])
    return {
        AlertReason[name]: (_parties(cell), None if fault == "-" else fault)
        for name, cell, fault in rows
    }


TRANSITIONS: Final = _read_transitions(_TRANSITION_GRID)
assert len(TRANSITIONS) == len(AlertState) ** 2, "the grid must be total"
REASONS: Final = _read_reasons(_REASON_GRID)
assert REASONS.keys() == set(AlertReason), "every reason has its row"


def refusal(current: AlertState, change: AlertChange) -> Refusal | None:
    """Return why an alert in state `current` is not changed so, None if it is."""
    wrong = _malformed(change)
    if wrong is not None:
        return wrong
    parties = TRANSITIONS[current, change.state]
    if not parties:
        return Refusal.NO_TRANSITION
    if change.party not in parties:
        return Refusal.PARTY_WRONG
    if change.state is AlertState.CLOSED and change.party is AlertParty.OBP:
        fault = REASONS[change.reason][1] if change.reason else None
        if fault != AlertParty.OBP:
            return Refusal.NOT_AT_FAULT
    return None


def _malformed(change: AlertChange) -> Refusal | None:
    text = change.text or ""
    if len(text) > TEXT_LENGTH_MAX:
        return Refusal.TEXT_TOO_LONG
    if any(category(character) == "Cc" and character not in "\n\r\t" for character in text):
        return Refusal.TEXT_UNREADABLE
    if change.reason is None:
        optional = change.state is AlertState.UNDER_INVESTIGATION
        return None if optional else Refusal.REASON_MISSING
    if change.party not in REASONS[change.reason][0]:
        return Refusal.REASON_OF_OTHERS
    if change.reason is AlertReason.OTHER and not text.strip():
        return Refusal.TEXT_MISSING
    return None
