"""The rules on packs: a table of rows, each mending one fault of the row above it, and totality."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emvs.expiry import ExpiryMatching
from emvs.outcomes import OUTCOMES, Outcome
from emvs.pack import (
    TRANSITIONS,
    BatchFacts,
    Change,
    Pack,
    Transition,
    decide,
    match_identifiers,
    undo_until_s,
)
from emvs.rules import MarketRules
from emvs.states import PACK_STATES, Operation, State

HERE, ELSEWHERE = 7, 8
NOW_S = 1_900_000_000
DAY_S = 86_400
RULES = MarketRules()

FRESH = BatchFacts("LOT1", "301231", NOW_S + DAY_S, recalled=False, withdrawn=False)
EXPIRED = FRESH._replace(expired_from_s=NOW_S)
RECALLED = EXPIRED._replace(recalled=True)
WITHDRAWN = RECALLED._replace(withdrawn=True)


def pack(state: State, *, set_by: int = HERE, age_s: int = 60, repeats: int = 0) -> Pack:
    return Pack(state, set_by, NOW_S - age_s, repeats, 3, 1)


ACTIVE = Pack(State.ACTIVE, 0, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("given", "batch", "outcome"),
    [
        # Each row mends one fault of the row above it.
        (pack(State.EXPORTED, set_by=ELSEWHERE), WITHDRAWN, Outcome.PRODUCT_WITHDRAWN),
        (pack(State.EXPORTED, set_by=ELSEWHERE), RECALLED, Outcome.BATCH_RECALLED),
        (pack(State.EXPORTED, set_by=ELSEWHERE), EXPIRED, Outcome.PACK_EXPIRED),
        (pack(State.EXPORTED, set_by=ELSEWHERE), FRESH, Outcome.IN_OTHER_STATE),
        (pack(State.SUPPLIED, set_by=ELSEWHERE), FRESH, Outcome.ALREADY_IN_STATE),
        (pack(State.SUPPLIED, repeats=2), FRESH, Outcome.ALREADY_IN_STATE),
        (pack(State.SUPPLIED, repeats=1), FRESH, Outcome.REPEAT_TOLERATED),
        (ACTIVE, FRESH, Outcome.DECOMMISSIONED),
    ],
)
def test_a_supply_reports_the_first_fault(given: Pack, batch: BatchFacts, outcome: Outcome) -> None:
    decision = decide(given, batch, Operation.SUPPLY, location=HERE, now_s=NOW_S, rules=RULES)
    assert decision.outcome is outcome


@pytest.mark.parametrize(
    ("given", "batch", "operation", "outcome"),
    [
        # The order of the checks of an undo; each row mends one fault of the row above it.
        (
            pack(State.DESTROYED, set_by=ELSEWHERE),
            WITHDRAWN,
            Operation.UNDO_SUPPLY,
            Outcome.PRODUCT_WITHDRAWN,
        ),
        (
            pack(State.DESTROYED, set_by=ELSEWHERE),
            RECALLED,
            Operation.UNDO_SUPPLY,
            Outcome.BATCH_RECALLED,
        ),
        (
            pack(State.DESTROYED, set_by=ELSEWHERE),
            EXPIRED,
            Operation.UNDO_SUPPLY,
            Outcome.PACK_EXPIRED,
        ),
        (ACTIVE, FRESH, Operation.UNDO_SUPPLY, Outcome.ALREADY_ACTIVE),
        (
            pack(State.DESTROYED, set_by=ELSEWHERE),
            FRESH,
            Operation.UNDO_SUPPLY,
            Outcome.UNDO_IMPOSSIBLE,
        ),
        (
            pack(State.EXPORTED, set_by=ELSEWHERE, age_s=11 * DAY_S),
            FRESH,
            Operation.UNDO_SUPPLY,
            Outcome.UNDO_MISMATCH,
        ),
        (
            pack(State.SUPPLIED, set_by=ELSEWHERE, age_s=11 * DAY_S),
            FRESH,
            Operation.UNDO_SUPPLY,
            Outcome.UNDO_ELSEWHERE,
        ),
        (
            pack(State.SUPPLIED, age_s=240 * 3600 + 1),
            FRESH,
            Operation.UNDO_SUPPLY,
            Outcome.UNDO_TOO_LATE,
        ),
        (pack(State.SUPPLIED, age_s=240 * 3600), FRESH, Operation.UNDO_SUPPLY, Outcome.REACTIVATED),
        (pack(State.EXPORTED, age_s=60), FRESH, Operation.REACTIVATE, Outcome.REACTIVATED),
        (pack(State.LOCKED, age_s=900 * DAY_S), FRESH, Operation.UNDO_LOCK, Outcome.REACTIVATED),
        (pack(State.STOLEN), FRESH, Operation.REACTIVATE, Outcome.UNDO_IMPOSSIBLE),
    ],
)
def test_an_undo_reports_the_first_fault(
    given: Pack, batch: BatchFacts, operation: Operation, outcome: Outcome
) -> None:
    decision = decide(given, batch, operation, location=HERE, now_s=NOW_S, rules=RULES)
    assert decision.outcome is outcome


@pytest.mark.parametrize(
    ("found", "batch_known", "batch_id", "expiry", "outcome"),
    [
        (None, False, "OTHER", "300101", Outcome.BATCH_AND_SERIAL_UNKNOWN),
        (None, True, "OTHER", "300101", Outcome.SERIAL_UNKNOWN),
        (FRESH, True, "OTHER", "300101", Outcome.BATCH_MISMATCH),
        (FRESH, True, "lot1", "300101", Outcome.BATCH_MISMATCH),
        (FRESH, True, "LOT1", "300101", Outcome.EXPIRY_MISMATCH),
        (FRESH, True, "LOT1", "301200", Outcome.EXPIRY_MISMATCH),
        (FRESH, True, "LOT1", "301231", None),
        (FRESH, False, None, None, None),
        (None, False, None, None, Outcome.SERIAL_UNKNOWN),
    ],
)
def test_the_first_mismatch_is_reported(
    found: BatchFacts | None,
    batch_known: bool,
    batch_id: str | None,
    expiry: str | None,
    outcome: Outcome | None,
) -> None:
    assert (
        match_identifiers(
            pack_batch=found,
            batch_known=batch_known,
            batch_id=batch_id,
            expiry=expiry,
            matching=ExpiryMatching.EXACT,
        )
        is outcome
    )


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("state", PACK_STATES)
def test_every_state_and_operation_has_a_decision_that_keeps_its_word(
    state: State, operation: Operation
) -> None:
    for location in (HERE, ELSEWHERE):
        for batch in (FRESH, EXPIRED, RECALLED, WITHDRAWN):
            given = pack(state)
            decision = decide(given, batch, operation, location=location, now_s=NOW_S, rules=RULES)
            assert decision.outcome in OUTCOMES
            if decision.change is None:
                assert decision.state is state
            else:
                assert decision.change.state is decision.state
            if decision.outcome is Outcome.DECOMMISSIONED:
                assert decision.state == operation.target_state
            if batch is not FRESH and operation is not Operation.VERIFY:
                assert decision.change is None
                assert not OUTCOMES[decision.outcome].raises_alert


def test_only_undoable_states_are_undone() -> None:
    undone = {state for (state, _), what in TRANSITIONS.items() if what is Transition.UNDO}
    assert undone == {
        State.SUPPLIED,
        State.LOCKED,
        State.EXPORTED,
        State.SAMPLE,
        State.FREE_SAMPLE,
        State.CHECKED_OUT,
    }


@pytest.mark.parametrize(
    ("batch", "effective"),
    [
        (WITHDRAWN, State.WITHDRAWN),
        (RECALLED, State.RECALLED),
        (EXPIRED, State.EXPIRED),
        (FRESH, State.SUPPLIED),
    ],
)
def test_a_verification_tells_the_effective_state(batch: BatchFacts, effective: State) -> None:
    given = pack(State.SUPPLIED)
    decision = decide(given, batch, Operation.VERIFY, location=HERE, now_s=NOW_S, rules=RULES)
    assert (decision.outcome, decision.effective, decision.state) == (
        Outcome.VERIFIED,
        effective,
        State.SUPPLIED,
    )
    assert decision.here


def test_a_tolerated_repeat_counts_and_keeps_the_first_time() -> None:
    given = pack(State.SUPPLIED, age_s=500)
    decision = decide(given, FRESH, Operation.SUPPLY, location=HERE, now_s=NOW_S, rules=RULES)
    assert decision.change == Change(State.SUPPLIED, HERE, NOW_S - 500, 1)


def test_other_decommissionings_have_a_tolerance_of_their_own() -> None:
    given = pack(State.DESTROYED)
    strict = decide(given, FRESH, Operation.DESTROY, location=HERE, now_s=NOW_S, rules=RULES)
    mild_rules = replace(RULES, other_repeat_tolerance=1)
    mild = decide(given, FRESH, Operation.DESTROY, location=HERE, now_s=NOW_S, rules=mild_rules)
    assert (strict.outcome, mild.outcome) == (Outcome.ALREADY_IN_STATE, Outcome.REPEAT_TOLERATED)


def test_a_market_may_allow_destroying_expired_packs() -> None:
    rules = replace(RULES, destroy_on_inactive_batch=True)
    decision = decide(ACTIVE, EXPIRED, Operation.DESTROY, location=HERE, now_s=NOW_S, rules=rules)
    assert decision.outcome is Outcome.DECOMMISSIONED
    assert decision.effective is State.EXPIRED
    supply = decide(ACTIVE, EXPIRED, Operation.SUPPLY, location=HERE, now_s=NOW_S, rules=rules)
    assert supply.outcome is Outcome.PACK_EXPIRED


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.SUPPLIED, 1000 + 240 * 3600),
        (State.LOCKED, None),
        (State.DESTROYED, None),
        (State.ACTIVE, None),
    ],
)
def test_the_end_of_the_undo_window(state: State, expected: int | None) -> None:
    assert undo_until_s(state, 1000, RULES) == expected
