"""Goals are judged round by round, and missing one is told."""

from __future__ import annotations

import json
import re

import pytest

from loadtests.bench.figures import Figure, Goal, Results, as_document, judge
from loadtests.bench.goals import GOALS
from loadtests.bench.report_html import as_html
from loadtests.bench.report_text import as_markdown, as_text
from loadtests.bench.requests import mixed


def figure(name: str, *values: float, lower_is_better: bool = False) -> Figure:
    return Figure(name, "/s", values, "rate", "<note>", lower_is_better=lower_is_better)


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Goal("ratio", "ours", "theirs", 0.5), 0.6, True),
        (Goal("ratio", "ours", "theirs", 0.61), 0.6, False),
        (Goal("bound", "ours", "", 60, at_most=True), 60, True),
        (Goal("bound", "ours", "", 59, at_most=True), 60, False),
    ],
)
def test_a_goal_is_met_by_the_median_of_the_rounds(goal: Goal, value: float, met: bool) -> None:
    # Each round's ratio counts, so that what slows a whole round down changes nothing.
    figures = {"ours": figure("ours", 60, 12, 61), "theirs": figure("theirs", 100, 20, 200)}
    (verdict,) = judge(figures, [goal])
    assert verdict.median == pytest.approx(value)
    assert verdict.is_met is met


def test_a_goal_whose_figures_are_missing_is_left_out() -> None:
    assert judge({"ours": figure("ours", 1)}, [Goal("ratio", "ours", "theirs", 1)]) == []


def test_best_and_spread_know_which_way_is_better() -> None:
    assert (figure("a", 1, 2, 4).best, figure("a", 1, 2, 4).spread) == (4, 1.5)
    assert figure("a", 1, 2, 4, lower_is_better=True).best == 1


def test_every_report_has_every_goal_and_figure_and_the_page_needs_nothing_else() -> None:
    results = Results({"machine": "<two> cores"})
    for goal in GOALS:
        for name in filter(None, (goal.of, goal.to)):
            results.add(figure(name, 1.0, 2.0))
    results.curves["look-up"] = [(10**5, 500.0), (10**6, 600.0)]
    results.verdicts = judge(results.figures, GOALS)
    assert {verdict.goal for verdict in results.verdicts} == set(GOALS)
    page = as_html(results)
    document = json.dumps(as_document(results), ensure_ascii=False)
    for text in (as_text(results), as_markdown(results), page, document):
        assert [goal.name for goal in GOALS if goal.name not in text] == []
    assert "<two>" not in page
    assert "&lt;note&gt;" in page
    assert not re.search(r"(src|href)=|https?://", page)


def test_mixed_traffic_undoes_only_what_it_has_supplied_long_before() -> None:
    fresh = (f"F{number}" for number in range(100_000))
    steps = mixed(["A", "B"], fresh, 20_000)
    shares = {letter: sum(step.letter == letter for step in steps) for letter in "vsul"}
    assert 0.57 < shares["v"] / len(steps) < 0.63
    assert 0.34 < shares["s"] / len(steps) < 0.42
    assert shares["u"]
    assert shares["l"]
    supplied: dict[str, int] = {}
    for number, (letter, serial) in enumerate(steps):
        if letter == "u":
            assert number - supplied.pop(serial) >= 3_000
        elif letter != "v":
            assert serial not in supplied
            supplied[serial] = number
