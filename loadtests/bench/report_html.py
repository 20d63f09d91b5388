"""Results as one page that needs nothing else: tables, and charts drawn as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from loadtests.bench.figures import Figure, Results, Verdict
from loadtests.bench.report_text import bound_of, figure_rows, goal_rows, number

_WIDTH: Final = 860
_LABEL_WIDTH: Final = 260
_TEXT_WIDTH: Final = 210
_ROW: Final = 26
_GOOD, _BAD, _PLAIN = "#2f7d4f", "#b3372e", "#4a6fa5"
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
_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%;font-size:13px;margin:1rem 0}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
.no{color:#b3372e;font-weight:600}.yes{color:#2f7d4f}
svg{width:100%;height:auto;margin:.5rem 0}svg text{font:12px system-ui,sans-serif;fill:#222}
"""


def as_html(results: Results) -> str:
    """Return the page."""
    about = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in results.about.items()
    )
    checked = "".join(f"<li>{escape(text)}</li>" for text in results.checks)
    broken = "".join(f"<p class=no>not valid: {escape(text)}</p>" for text in results.broken)
    on_paper = "".join(f"<li>{escape(text)}</li>" for text in results.on_paper)
    left_out = "".join(f"<li>left out: {escape(text)}</li>" for text in results.left_out)
    charts = "".join(
        f"<h2>{escape(title)}</h2>{_bars(figures)}"
        for kind, title in _TITLES.items()
        if (figures := _of_kind(results, kind))
    )
    lines = "".join(
        f"<h2>{escape(name)}</h2>{_line(points)}"
        for name, points in results.curves.items()
        if len(points) > 1
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Benchmark</title>"
        "<meta name=viewport content='width=device-width'>"
        f"<style>{_STYLE}</style><h1>Benchmark</h1><table>{about}</table>"
        f"{broken}<h2>Goals</h2>{_ratios(results.verdicts)}{_table(goal_rows(results))}"
        f"{charts}{lines}<h2>Figures</h2>{_table(figure_rows(results.figures.values()))}"
        f"<h2>Checked</h2><ul>{checked}{left_out}</ul><h2>On paper</h2><ul>{on_paper}</ul></html>\n"
    )


def _of_kind(results: Results, kind: str) -> list[Figure]:
    figures = [figure for figure in results.figures.values() if figure.kind == kind]
    if figures and kind == "peers":
        ours = [results.figures[name] for name in _OURS if name in results.figures]
        return ours + figures
    return figures


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    head, *body = rows
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    for row in body:
        cells = "".join(
            f"<td class={cell.lower()}>{cell}</td>"
            if cell in {"yes", "NO"}
            else f"<td>{escape(cell)}</td>"
            for cell in row
        )
        lines.append(f"<tr>{cells}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _ratios(verdicts: Sequence[Verdict]) -> str:
    """Each figure as a share of its goal, the goal being the line at 1."""
    shares = []
    verdicts = [verdict for verdict in verdicts if verdict.is_judged]
    for verdict in verdicts:
        bound, value = verdict.goal.bound or 0.0, verdict.median
        over, under = (bound, value) if verdict.goal.at_most else (value, bound)
        shares.append(min(over / under if under else 3.0, 3.0))
    largest = max([*shares, 1.0])
    scale = (_WIDTH - _LABEL_WIDTH - _TEXT_WIDTH) / largest
    parts = []
    for row, (verdict, share) in enumerate(zip(verdicts, shares, strict=True)):
        measured = f"{number(verdict.median)} {verdict.goal.unit}".strip()
        text = f"{measured}, {bound_of(verdict)}"
        colour = _GOOD if verdict.is_met else _BAD
        width = share * scale
        parts.append(_bar(row, verdict.goal.name, width, text, max(width, scale), colour))
    height = len(verdicts) * _ROW + 10
    line = _LABEL_WIDTH + scale
    parts.append(f"<path d='M{line:.1f} 0V{height}' stroke='#222' stroke-dasharray='4 3'/>")
    return f"<svg viewBox='0 0 {_WIDTH} {height}' role=img>{''.join(parts)}</svg>"


def _bars(figures: Sequence[Figure]) -> str:
    largest = max((max(figure.values) for figure in figures), default=1.0) or 1.0
    scale = (_WIDTH - _LABEL_WIDTH - _TEXT_WIDTH) / largest
    parts = []
    for row, figure in enumerate(figures):
        text = f"{number(figure.median)} {figure.unit}"
        text_at = max(figure.values) * scale
        parts.append(
            _bar(row, figure.name, figure.median * scale, text, text_at, _PLAIN, figure.note)
        )
        if len(figure.values) > 1:
            low, high = min(figure.values) * scale, max(figure.values) * scale
            y = row * _ROW + 13
            parts.append(
                f"<path d='M{_LABEL_WIDTH + low:.1f} {y}H{_LABEL_WIDTH + high:.1f}' stroke='#222'/>"
            )
    return f"<svg viewBox='0 0 {_WIDTH} {len(figures) * _ROW + 6}' role=img>{''.join(parts)}</svg>"


def _bar(  # noqa: PLR0917 - what a bar is made of
    row: int, name: str, width: float, text: str, text_at: float, colour: str, title: str = ""
) -> str:
    y = row * _ROW + 4
    return (
        f"<g><title>{escape(title)}</title>"
        f"<text x='{_LABEL_WIDTH - 8}' y='{y + 14}' text-anchor='end'>{escape(name)}</text>"
        f"<rect x='{_LABEL_WIDTH}' y='{y}' width='{max(width, 1):.1f}'"
        f" height='{_ROW - 8}' fill='{colour}'/><text x='{_LABEL_WIDTH + text_at + 8:.1f}'"
        f" y='{y + 14}'>{escape(text)}</text></g>"
    )


def _line(points: Sequence[tuple[float, float]]) -> str:
    """A line; where x grows by factors each point takes the same step."""
    height, left, bottom = 200, 70, 170
    highest = max(y for _, y in points) or 1.0
    step = (_WIDTH - left - 60) / (len(points) - 1)
    at = [(left + n * step, bottom - y / highest * 150) for n, (_, y) in enumerate(points)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
    labels = "".join(
        f"<text x='{x:.1f}' y='{bottom + 18}' text-anchor='middle'>{_share(value)}</text>"
        f"<text x='{x:.1f}' y='{y - 7:.1f}' text-anchor='middle'>{number(measured)}</text>"
        f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{_PLAIN}'/>"
        for (x, y), (value, measured) in zip(at, points, strict=True)
    )
    return (
        f"<svg viewBox='0 0 {_WIDTH} {height}' role=img><path d='M{left} {bottom}H{_WIDTH - 40}'"
        f" stroke='#999'/><path d='{path}' fill='none' stroke='{_PLAIN}' stroke-width='2'/>"
        f"{labels}</svg>"
    )


def _share(value: float) -> str:
    if value > 1:
        return f"10^{math.log10(value):g}" if math.log10(value).is_integer() else f"{value:,.0f}"
    return "longest" if value == 1 else f"{value * 100:g} %"
