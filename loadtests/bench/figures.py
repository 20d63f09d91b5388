"""Figures of one run and the goals they are held against. No measuring here.

A figure has one value for each round. A ratio is worked out round by round, of values measured
next to each other, so that what disturbs the machine for a while disturbs both.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
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
    bound: float | None
    """None: shown beside the goals, not judged by."""
    part: str
    """The part of a run that measures it."""
    at_most: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Verdict:
    """How a goal was met. No values: it could not be measured, so nothing is known of it."""

    goal: Goal
    values: Sequence[float]

    @property
    def is_measured(self) -> bool:
        return bool(self.values)

    @property
    def is_judged(self) -> bool:
        return self.goal.bound is not None and self.is_measured

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool:
        if self.goal.bound is None:
            return True
        if not self.values:
            return False
        if self.goal.at_most:
            return self.median <= self.goal.bound
        return self.median >= self.goal.bound


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
        """What was measured and is not good enough."""
        return [verdict for verdict in self.verdicts if verdict.is_judged and not verdict.is_met]

    @property
    def unmeasured(self) -> list[Verdict]:
        """Goals that this run should have judged and could not."""
        return [verdict for verdict in self.verdicts if not verdict.is_measured]

    @property
    def is_valid(self) -> bool:
        """Whether everything that was to be measured was."""
        return not self.broken and not self.unmeasured


def judge(
    figures: Mapping[str, Figure], goals: Sequence[Goal], parts: Collection[str]
) -> list[Verdict]:
    """Return the verdict on each goal of the parts that ran. One that lacks a figure has a verdict
    without values; what is only shown beside the goals is then left out."""
    verdicts = []
    for goal in goals:
        values = _values(figures, goal)
        if values or (goal.part in parts and goal.bound is not None):
            verdicts.append(Verdict(goal, values))
    return verdicts


def _values(figures: Mapping[str, Figure], goal: Goal) -> Sequence[float]:
    figure, base = figures.get(goal.of), figures.get(goal.to)
    if figure is None or (goal.to and base is None):
        return ()
    if base is None:
        return figure.values
    if len(base.values) == len(figure.values):
        return [value / other for value, other in zip(figure.values, base.values, strict=True)]
    return [figure.median / base.median]


def as_document(results: Results) -> dict[str, Any]:
    """Return the results as what becomes the JSON file."""
    return {
        "about": results.about,
        "goals": [
            {
                "name": verdict.goal.name,
                "value": verdict.median if verdict.is_measured else None,
                "rounds": list(verdict.values),
                "bound": verdict.goal.bound,
                "atMost": verdict.goal.at_most,
                "unit": verdict.goal.unit,
                "met": verdict.is_met if verdict.is_judged else None,
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
