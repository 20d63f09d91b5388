"""The page of rules is the one that the code makes."""

from __future__ import annotations

from pathlib import Path

from emvs.outcomes import OUTCOMES, Outcome
from emvs.rules import MarketRules
from nmvs.rest.codes import code_pattern
from nmvs.rules_document import rules_document

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"


def test_the_committed_page_is_up_to_date() -> None:
    assert PAGE.read_text() == rules_document(), "python -m nmvs.rules_document > docs/rules.md"


def test_it_tells_every_outcome_and_every_setting() -> None:
    document = rules_document()
    for outcome in OUTCOMES:
        assert (f"`{outcome.name}`" in document) == (code_pattern(outcome) is not None)
    for name in MarketRules.__slots__:
        assert f"| `{name}` |" in document
    assert f"`{Outcome.UNDO_MISMATCH.name}`" in document
