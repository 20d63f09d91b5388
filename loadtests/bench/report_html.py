"""Results as one page that needs nothing else, in the frame that all our reports have."""

from __future__ import annotations

import math
from html import escape
from typing import Final

from loadtests.bench.figures import Figure, Results, Verdict
from loadtests.bench.report_text import bound_of, figure_rows, goal_rows, number
from loadtests.pages.bar_charts import Bar, bar_chart
from loadtests.pages.frame import bullets, facts, page, table, text_cell, verdict, verdict_cell
from loadtests.pages.line_charts import Point, step_chart

_TITLES: Final = {
    "rate": "Requests per second",
    "rows": "Rows per second",
    "latency": "Milliseconds",
    "memory": "Memory",
    "look-up": "One look-up in the index",
    "flatness": "Verifications with few and many packs",
    "markets": "One process and two",
    "peers": "What somebody might use instead",
}
_OURS: Final = ("verify REST", "supply REST")
"""What stands beside the peers."""
_SPREAD: Final = (
    '<p class="sub">Bars end at the median of the rounds; the line across goes from the least of'
    " them to the largest.</p>"
)
_SHARE_MAX: Final = 3.0
"""Of a goal that is drawn: one surpassed by far leaves room for the others."""


def as_html(results: Results) -> str:
    """Return the page."""
    body = (
        f"<h1>Benchmark</h1>{_ending(results)}<h2>Run</h2>{facts(results.about)}"
        f"<h2>Goals</h2>{_ratios(results)}{_goals(results)}"
        f"<h2>Figures</h2>{_SPREAD}{_charts(results)}{_figures(results)}"
        f"<h2>Checked</h2>{bullets([*results.checks, *_left_out(results)])}"
        f"<h2>On paper</h2>{bullets(results.on_paper)}"
    )
    return page("Benchmark", body)


def _ending(results: Results) -> str:
    broken = [verdict(f"not valid: {text}", is_good=False) for text in results.broken]
    goals = [one for one in results.verdicts if one.goal.bound is not None]
    missed, unmeasured = len(results.missed), len(results.unmeasured)
    if not goals:
        return "".join(broken)
    told = "All goals are met." if not missed else f"{missed} of {len(goals)} goals are not met."
    if unmeasured:
        told = f"{missed} of {len(goals)} goals are not met, {unmeasured} not measured."
    return "".join([*broken, verdict(told, is_good=not missed and not unmeasured)])


def _left_out(results: Results) -> list[str]:
    return [f"left out: {text}" for text in results.left_out]


def _ratios(results: Results) -> str:
    """Each figure as a share of its goal, the goal being the line at 1."""
    bars = [_ratio(one) for one in results.verdicts if one.is_judged]
    return bar_chart("What was reached; the dashed line is the goal", bars, mark=1.0)


def _ratio(one: Verdict) -> Bar:
    bound, value = one.goal.bound or 0.0, one.median
    over, under = (bound, value) if one.goal.at_most else (value, bound)
    share = min(over / under, _SHARE_MAX) if under else _SHARE_MAX
    text = f"{number(value)} {one.goal.unit}".strip()
    kind = "good" if one.is_met else "bad"
    return Bar(one.goal.name, share, f"{text}, {bound_of(one)}", kind)


def _goals(results: Results) -> str:
    heads, *rows = goal_rows(results)
    cells = [
        [
            *map(escape, (name, value, bound)),
            verdict_cell(met, is_good=met == "yes") if met else "",
            escape(rounds),
        ]
        for name, value, bound, met, rounds in rows
    ]
    return table(heads, cells)


def _charts(results: Results) -> str:
    bars = [
        bar_chart(title, [_bar(figure) for figure in figures])
        for kind, title in _TITLES.items()
        if (figures := _of_kind(results, kind))
    ]
    lines = [
        step_chart(name, [Point(_step(x), y, number(y)) for x, y in points])
        for name, points in results.curves.items()
        if len(points) > 1
    ]
    return f'<div class="charts packed">{"".join(bars)}{"".join(lines)}</div>'


def _of_kind(results: Results, kind: str) -> list[Figure]:
    figures = [figure for figure in results.figures.values() if figure.kind == kind]
    if figures and kind == "peers":
        ours = [results.figures[name] for name in _OURS if name in results.figures]
        return ours + figures
    return figures


def _bar(figure: Figure) -> Bar:
    spread = (min(figure.values), max(figure.values)) if len(figure.values) > 1 else None
    text = f"{number(figure.median)} {figure.unit}"
    return Bar(figure.name, figure.median, text, spread=spread, note=figure.note)


def _step(value: float) -> str:
    if value > 1:
        return f"10^{math.log10(value):g}" if math.log10(value).is_integer() else f"{value:,.0f}"
    return "longest" if value == 1 else f"{value * 100:g} %"


def _figures(results: Results) -> str:
    heads, *rows = figure_rows(results.figures.values())
    cells = [[*map(escape, figures), text_cell(note)] for *figures, note in rows]
    return table(heads, cells, texts=(0, 3, 5))
