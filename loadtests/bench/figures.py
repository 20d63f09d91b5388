"""Figures of one run and the goals they are held against. No measuring here.

A figure has one value for each round. A ratio is worked out round by round, of values measured
next to each other, so that what disturbs the machine for a while disturbs both.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """What was measured, round by round. `kind` says which figures share a chart."""

    name: str
    unit: str
    values: Sequence[float]
    kind: str
    note: str = ""
    lower_is_better: bool = False

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def best(self) -> float:
        return min(self.values) if self.lower_is_better else max(self.values)

    @property
    def spread(self) -> float:
        """From the least to the largest value, as a share of the median."""
        return (max(self.values) - min(self.values)) / self.median if self.median else 0.0


@dataclass(frozen=True)
class Goal:
    """A figure, or a ratio of two, and the bound it must reach."""

    name: str
    of: str
    to: str
    """Name of the figure it is divided by; empty: none."""
    bound: float
    at_most: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Verdict:
    """How a goal was met."""

    goal: Goal
    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool:
        return (
            self.median <= self.goal.bound if self.goal.at_most else self.median >= self.goal.bound
        )


@dataclass
class Results:
    """Everything one run has found."""

    about: dict[str, str]
    """Machine, versions, command, date."""
    figures: dict[str, Figure] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)
    """What was counted on both sides and found equal."""
    left_out: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Parts that could not be measured, and why."""
    on_paper: list[str] = field(default_factory=list)
    """What follows from the figures for other machines."""
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Points of lines in charts, by name."""

    def add(self, figure: Figure) -> None:
        assert figure.values, f"{figure.name} was not measured"
        self.figures[figure.name] = figure

    @property
    def missed(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if not verdict.is_met]


def judge(figures: Mapping[str, Figure], goals: Sequence[Goal]) -> list[Verdict]:
    """Return the verdict on each goal whose figures were measured."""
    verdicts = []
    for goal in goals:
        figure = figures.get(goal.of)
        if figure is None or (goal.to and goal.to not in figures):
            continue
        if not goal.to:
            verdicts.append(Verdict(goal, figure.values))
            continue
        base = figures[goal.to]
        if len(base.values) == len(figure.values):
            pairs = zip(figure.values, base.values, strict=True)
            values = [value / other for value, other in pairs]
        else:
            values = [figure.median / base.median]
        verdicts.append(Verdict(goal, values))
    return verdicts


def as_document(results: Results) -> dict[str, Any]:
    """Return the results as what becomes the JSON file."""
    return {
        "about": results.about,
        "goals": [
            {
                "name": verdict.goal.name,
                "value": verdict.median,
                "rounds": list(verdict.values),
                "bound": verdict.goal.bound,
                "atMost": verdict.goal.at_most,
                "unit": verdict.goal.unit,
                "met": verdict.is_met,
            }
            for verdict in results.verdicts
        ],
        "figures": [
            {
                "name": figure.name,
                "unit": figure.unit,
                "median": figure.median,
                "best": figure.best,
                "spread": figure.spread,
                "rounds": list(figure.values),
                "note": figure.note,
            }
            for figure in results.figures.values()
        ],
        "curves": results.curves,
        "checks": results.checks,
        "leftOut": results.left_out,
        "broken": results.broken,
        "onPaper": results.on_paper,
    }
