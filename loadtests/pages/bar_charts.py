"""Charts of lying bars: a table whose cells are drawn, so that names and figures stay text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

from loadtests.pages.frame import empty_figure, figure

_SHARE_MIN: Final = 0.6
"""Percent of the width that even nothing is drawn with, to be seen."""


class Bar(NamedTuple):
    """One bar. `kind` is a CSS class of the page's style, for the colour."""

    name: str
    value: float
    text: str
    kind: str = ""
    spread: tuple[float, float] | None = None
    """The least and the largest value, drawn as a line across the bar's end."""
    note: str = ""


def bar_chart(
    title: str, bars: Sequence[Bar], *, mark: float | None = None, log: bool = False
) -> str:
    """Return a figure; a sentence where there is nothing to draw. `mark`: a level that matters."""
    if not bars:
        return empty_figure(title)
    ends = [bar.spread[1] if bar.spread else bar.value for bar in bars]
    top = _length(max(*ends, mark or 0.0, 1e-9), log=log)
    rows = "".join(_row(bar, mark, top, log=log) for bar in bars)
    return figure(title, f'<table class="bars">{rows}</table>')


def _row(bar: Bar, mark: float | None, top: float, *, log: bool) -> str:
    def percent(value: float) -> float:
        return 100 * _length(value, log=log) / top

    width = max(_SHARE_MIN, percent(bar.value))
    parts = [f'<span class="{escape(bar.kind)}" style="width:{width:.1f}%"></span>']
    if bar.spread is not None:
        low, high = (percent(value) for value in bar.spread)
        parts.append(f'<i class="spread" style="left:{low:.1f}%;width:{high - low:.1f}%"></i>')
    if mark is not None:
        parts.append(f'<i class="mark" style="left:{percent(mark):.1f}%"></i>')
    note = f' title="{escape(bar.note)}"' if bar.note else ""
    return (
        f"<tr{note}><th>{escape(bar.name)}</th>"
        f'<td class="bar"><div>{"".join(parts)}</div></td><td>{escape(bar.text)}</td></tr>'
    )


def _length(value: float, *, log: bool) -> float:
    return math.log10(value + 1) if log else value
