"""Charts of reports: what is where, and that nothing breaks them."""

from __future__ import annotations

import re

import pytest

from loadtests.pages.bar_charts import Bar, bar_chart
from loadtests.pages.frame import table
from loadtests.pages.line_charts import Line, Point, line_chart, step_chart


def widths(chart: str) -> list[float]:
    return [
        float(width) for width in re.findall(r'<span class="[^"]*" style="width:([\d.]+)', chart)
    ]


def dots(chart: str) -> list[tuple[float, float]]:
    found = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', chart)
    return [(float(x), float(y)) for x, y in found]


@pytest.mark.parametrize(
    ("values", "log", "wide"),
    [
        ((10, 5, 0), False, [100, 50, 0.6]),
        ((99, 9, 0), True, [100, 50, 0.6]),
        ((0, 0), False, [0.6, 0.6]),
        ((0, 0), True, [0.6, 0.6]),
    ],
)
def test_bars_are_as_long_as_their_values(
    values: tuple[float, ...], wide: list[float], *, log: bool
) -> None:
    bars = [Bar("name", value, f"{value}") for value in values]
    assert widths(bar_chart("title", bars, log=log)) == wide


def test_a_mark_and_a_spread_beyond_all_bars_fit_into_the_chart() -> None:
    assert widths(bar_chart("title", [Bar("name", 1.0, "")], mark=4.0)) == [25]
    chart = bar_chart("title", [Bar("name", 1.0, "", spread=(0.5, 2.0))])
    assert widths(chart) == [50]
    assert 'class="spread" style="left:25.0%;width:75.0%"' in chart


def test_steps_are_equally_far_apart_and_a_higher_point_is_higher() -> None:
    chart = step_chart("title", [Point("10^5", 1.0, "one"), Point("10^6", 5, ""), Point("", 0, "")])
    (x1, y1), (x2, y2), (x3, y3) = dots(chart)
    assert x3 - x2 == pytest.approx(x2 - x1)
    assert y2 < y1 < y3
    assert [">10^5</text>" in chart, ">one</text>" in chart] == [True, True]


def test_where_there_is_nothing_a_chart_says_so() -> None:
    charts = [
        bar_chart("title", []),
        step_chart("title", []),
        line_chart("title", [Line("gap", [1.0], [None])], x_unit="s", y_unit="ms"),
    ]
    assert [chart.count("No data.") for chart in charts] == [1, 1, 1]
    assert table(["head"], []) == '<p class="none">Nothing.</p>'


def test_charts_escape_what_they_are_given() -> None:
    bad = "<b \"'>"
    charts = [
        bar_chart(bad, [Bar(bad, 1.0, bad, bad, (1.0, 2.0), bad)], mark=1.0),
        step_chart(bad, [Point(bad, 1.0, bad)]),
        line_chart(bad, [Line(bad, [1.0], [1.0])], x_unit=bad, y_unit=bad, dots=True),
    ]
    assert [chart.count("<b ") for chart in charts] == [0, 0, 0]
    assert [chart.count("\"'") for chart in charts] == [0, 0, 0]
