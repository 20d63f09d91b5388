"""Operation codes: the agreed examples, and that nothing unknown to clients ever leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from emvs.outcomes import NEVER_ANSWERED, OUTCOMES, Outcome
from emvs.pack import BatchFacts, Pack, decide
from emvs.rules import MarketRules
from emvs.states import PACK_STATES, Operation, State
from nmvs.rest.codes import FIXED, http_status, operation_code, text_member
from nmvs.rest.texts import ENGLISH, TEXTS, display_text

VECTORS = Path(__file__).parents[3] / "vectors" / "rest"
REST_OPERATIONS = [
    Operation.VERIFY,
    Operation.SUPPLY,
    Operation.DESTROY,
    Operation.LOCK,
    Operation.EXPORT,
    Operation.SAMPLE,
    Operation.STOLEN,
    Operation.FREE_SAMPLE,
    Operation.REACTIVATE,
]
NOW_S = 1_900_000_000


def lines(name: str) -> Iterator[list[str]]:
    for line in (VECTORS / name).read_text().splitlines():
        if not line.startswith("#"):
            yield line.split()


PUBLISHED = {code: int(status) for status, *codes in lines("published_codes.txt") for code in codes}


@pytest.mark.parametrize("row", list(lines("outcome_codes.txt")), ids=" ".join)
def test_outcome_has_its_code(row: list[str]) -> None:
    operation, outcome, state, place, code, member = row
    effective = None if state == "-" else State[state]
    made = operation_code(Outcome[outcome], Operation[operation], effective, here=place == "h")
    assert (made, text_member(made)) == (code, member)
    assert http_status(made) == PUBLISHED[made]


def test_the_examples_name_every_outcome_this_dialect_can_have() -> None:
    named = {Outcome[row[1]] for row in lines("outcome_codes.txt")}
    # Logins are refused with 401 before; the last two belong to dialects with an undo per state.
    assert set(Outcome) - NEVER_ANSWERED - named == {
        Outcome.LOGIN_WRONG,
        Outcome.LOGIN_LOCKED,
        Outcome.UNDO_MISMATCH,
        Outcome.UNDO_REFERENCE_WRONG,
    }


def decisions() -> Iterator[tuple[Outcome, Operation, State, bool]]:
    """Everything that the rules can make of a stored pack."""
    batches = [
        BatchFacts("B", "301231", NOW_S + 1, recalled=False, withdrawn=False),
        BatchFacts("B", "301231", NOW_S, recalled=False, withdrawn=False),
        BatchFacts("B", "301231", NOW_S + 1, recalled=True, withdrawn=False),
        BatchFacts("B", "301231", NOW_S + 1, recalled=False, withdrawn=True),
    ]
    rule_sets = [
        MarketRules(),
        MarketRules(other_repeat_tolerance=2, destroy_on_inactive_batch=True),
    ]
    for operation in REST_OPERATIONS:
        for state in PACK_STATES:
            for set_by in (1, 2):
                for age_s in (1, 11 * 86_400):
                    for repeat_count in (0, 9):
                        for batch in batches:
                            for rules in rule_sets:
                                pack = Pack(state, set_by, NOW_S - age_s, repeat_count, 1, 1)
                                decision = decide(
                                    pack, batch, operation, location=1, now_s=NOW_S, rules=rules
                                )
                                yield (
                                    decision.outcome,
                                    operation,
                                    decision.effective,
                                    decision.here,
                                )


def test_whatever_the_rules_decide_has_a_published_code_and_a_text() -> None:
    outcomes = set()
    for outcome, operation, effective, here in set(decisions()):
        outcomes.add(outcome)
        code = operation_code(outcome, operation, effective, here=here)
        assert code in PUBLISHED, (code, outcome, operation, effective, here)
        assert http_status(code) == PUBLISHED[code]
        assert display_text(code)
    assert len(outcomes) == 13, "the rules reach all outcomes whose code tells a state"


def test_alerts_are_warnings_and_no_success() -> None:
    for outcome in OUTCOMES.keys() - NEVER_ANSWERED:
        facts = OUTCOMES[outcome]
        code = operation_code(outcome, Operation.SUPPLY, None, here=False)
        if facts.raises_alert:
            assert text_member(code) == "warning"
            assert http_status(code) in (404, 409)


def test_every_language_has_all_texts() -> None:
    for texts in TEXTS.values():
        assert texts.keys() == ENGLISH.keys()
        assert all(texts.values())


def test_codes_without_a_state_have_texts_of_their_own() -> None:
    for code in FIXED.values():
        if code != "51420000":
            assert display_text(code) == ENGLISH[code]
    assert display_text("51420000") == ENGLISH["5142"]
