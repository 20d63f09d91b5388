"""Results as tables for the terminal and for a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from loadtests.bench.figures import Figure, Results, Verdict


def number(value: float) -> str:
    """Return a figure with about three digits that say something."""
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    if abs(value) >= 20:
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def bound_of(verdict: Verdict) -> str:
    """Return the goal as text."""
    goal = verdict.goal
    if goal.bound is None:
        return "(beside)"
    sign = "at most" if goal.at_most else "at least"
    return f"{sign} {goal.bound:g} {goal.unit}".strip()


def range_of(values: Sequence[float]) -> str:
    """Return the least and the largest of several rounds; empty if there are none."""
    return f"{number(min(values))} to {number(max(values))}" if len(values) > 1 else ""


def goal_rows(results: Results) -> list[tuple[str, ...]]:
    """Return the table of goals, its head first."""
    rows: list[tuple[str, ...]] = [("goal", "figure", "must be", "met", "rounds")]
    for verdict in results.verdicts:
        value = "not measured"
        if verdict.is_measured:
            value = f"{number(verdict.median)} {verdict.goal.unit}".strip()
        met = ""
        if verdict.goal.bound is not None:
            met = "yes" if verdict.is_met else "NO"
        rows.append((verdict.goal.name, value, bound_of(verdict), met, range_of(verdict.values)))
    return rows


def figure_rows(figures: Iterable[Figure]) -> list[tuple[str, ...]]:
    """Return the table of figures, its head first."""
    rows: list[tuple[str, ...]] = [("figure", "median", "best", "unit", "spread", "note")]
    for figure in figures:
        several = len(figure.values) > 1
        spread = f"{figure.spread:.0%}" if several else ""
        rows.append(
            (
                figure.name,
                number(figure.median),
                number(figure.best),
                figure.unit,
                spread,
                figure.note,
            )
        )
    return rows


def as_text(results: Results) -> str:
    """Return everything as text."""
    lines = [f"{name}: {value}" for name, value in results.about.items()]
    lines += ["", *_columns(figure_rows(results.figures.values()))]
    lines += ["", *_columns(goal_rows(results)), ""]
    lines += [f"checked: {check}" for check in results.checks]
    lines += [f"left out: {reason}" for reason in results.left_out]
    lines += [f"on paper: {sentence}" for sentence in results.on_paper]
    lines += [f"not valid: {reason}" for reason in results.broken]
    if results.unmeasured:
        lines.append(f"not measured: {_names(results.unmeasured)}")
    if results.missed:
        lines.append(f"missed: {_names(results.missed)}")
    return "\n".join(lines) + "\n"


def _names(verdicts: Iterable[Verdict]) -> str:
    return ", ".join(verdict.goal.name for verdict in verdicts)


def as_markdown(results: Results) -> str:
    """Return everything as part of a Markdown page."""
    parts = [f"* {name}: {value}" for name, value in results.about.items()]
    parts += ["", *_markdown(goal_rows(results))]
    parts += ["", *_markdown(figure_rows(results.figures.values())), ""]
    parts += [f"* checked: {check}" for check in results.checks]
    parts += [f"* left out: {reason}" for reason in results.left_out]
    parts += [f"* not valid: {reason}" for reason in results.broken]
    parts += [f"* on paper: {sentence}" for sentence in results.on_paper]
    return "\n".join(parts) + "\n"


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _markdown(rows: Sequence[tuple[str, ...]]) -> list[str]:
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return [head, "|" + " --- |" * len(rows[0]), *body]
