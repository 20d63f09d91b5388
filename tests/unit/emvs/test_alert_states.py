"""The life of an alert, as rows: who may change what, with which reason."""

from __future__ import annotations

import pytest

from emvs.alert_states import (
    REASONS,
    TRANSITIONS,
    AlertChange,
    AlertParty,
    AlertReason,
    AlertState,
    Refusal,
    refusal,
)

NEW, ACTIVE, INVESTIGATION, ESCALATED, CLOSED = AlertState
OBP, NMVO, NCA, SYSTEM = AlertParty
PLAIN = {
    OBP: AlertReason.OBP_ERROR_FIXED,
    NMVO: AlertReason.NEW_INFORMATION,
    NCA: AlertReason.NEW_INFORMATION,
    SYSTEM: AlertReason.AUTOMATIC,
}
"""A reason with which each party may do all that it may do at all."""

ALLOWED = [
    (NEW, ACTIVE, {SYSTEM}),
    (NEW, INVESTIGATION, {OBP, NMVO}),
    (NEW, ESCALATED, {OBP, NMVO}),
    (NEW, CLOSED, {OBP, NMVO, SYSTEM}),
    (ACTIVE, INVESTIGATION, {OBP, NMVO}),
    (ACTIVE, ESCALATED, {OBP, NMVO}),
    (ACTIVE, CLOSED, {OBP, NMVO}),
    (INVESTIGATION, ACTIVE, {OBP}),
    (INVESTIGATION, ESCALATED, {OBP, NMVO}),
    (INVESTIGATION, CLOSED, {OBP, NMVO}),
    (ESCALATED, ACTIVE, {NMVO}),
    (ESCALATED, INVESTIGATION, {NMVO}),
    (ESCALATED, CLOSED, {NMVO, NCA}),
    (CLOSED, INVESTIGATION, {NMVO}),
]


@pytest.mark.parametrize("party", AlertParty)
@pytest.mark.parametrize("target", AlertState)
@pytest.mark.parametrize("current", AlertState)
def test_each_party_makes_its_own_changes_and_no_other(
    current: AlertState, target: AlertState, party: AlertParty
) -> None:
    allowed = next((who for start, end, who in ALLOWED if (start, end) == (current, target)), set())
    found = refusal(current, AlertChange(party, target, PLAIN[party]))
    if party in allowed:
        assert found is None
    else:
        assert found is (Refusal.PARTY_WRONG if allowed else Refusal.NO_TRANSITION)


def test_the_grids_are_total() -> None:
    assert len(TRANSITIONS) == 25
    assert REASONS.keys() == set(AlertReason)
    assert all(parties for parties, _ in REASONS.values())


@pytest.mark.parametrize(
    ("current", "change", "found"),
    [
        # Each row mends one fault of the row above it.
        (CLOSED, AlertChange(OBP, CLOSED, None, "x" * 501), Refusal.TEXT_TOO_LONG),
        (CLOSED, AlertChange(OBP, CLOSED, None, "x\0"), Refusal.TEXT_UNREADABLE),
        (CLOSED, AlertChange(OBP, CLOSED, None, "x" * 500), Refusal.REASON_MISSING),
        (CLOSED, AlertChange(OBP, CLOSED, AlertReason.FIRST_VIEW), Refusal.REASON_OF_OTHERS),
        (CLOSED, AlertChange(OBP, CLOSED, AlertReason.OTHER, " "), Refusal.TEXT_MISSING),
        (CLOSED, AlertChange(OBP, CLOSED, AlertReason.OTHER, "why"), Refusal.NO_TRANSITION),
        (ESCALATED, AlertChange(OBP, CLOSED, AlertReason.OTHER, "why"), Refusal.PARTY_WRONG),
        (ACTIVE, AlertChange(OBP, CLOSED, AlertReason.OTHER, "why"), Refusal.NOT_AT_FAULT),
        (ACTIVE, AlertChange(OBP, CLOSED, AlertReason.END_USER_ERROR), Refusal.NOT_AT_FAULT),
        (ACTIVE, AlertChange(OBP, CLOSED, AlertReason.OBP_ERROR_NOT_FIXED), None),
        (ACTIVE, AlertChange(NMVO, CLOSED, AlertReason.END_USER_SILENT), None),
        # Only this change needs no reason; a new line may stand in a text.
        (ACTIVE, AlertChange(OBP, INVESTIGATION), None),
        (ACTIVE, AlertChange(OBP, INVESTIGATION, None, "é\n" * 250), None),
    ],
)
def test_the_first_fault_of_a_change_is_told(
    current: AlertState, change: AlertChange, found: Refusal | None
) -> None:
    assert refusal(current, change) is found
