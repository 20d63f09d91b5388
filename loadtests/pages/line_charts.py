"""Charts of lines as inline SVG: over time, over rate, or over steps. No script, no other file.

Colours are CSS variables of the page, so that a chart follows light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, NamedTuple

from loadtests.pages.frame import empty_figure, figure

_WIDTH, _HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 34
COLOURS: Final = ("--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8")
_TICKS: Final = 5


class Line(NamedTuple):
    """One line; None is a gap."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]
    dashed: bool = False


class Mark(NamedTuple):
    """A level that matters."""

    name: str
    y: float


class Point(NamedTuple):
    """One point of a line over steps."""

    step: str
    """What stands below it."""
    y: float
    text: str
    """What stands above it."""


class Scale(NamedTuple):
    """From values to pixels of the height."""

    low: float
    high: float
    is_log: bool

    def place(self, value: float) -> float:
        """Return the pixel from the top."""
        low, high = self.low, self.high
        if self.is_log:
            value, low, high = (math.log10(max(number, 1e-6)) for number in (value, low, high))
        share = (value - low) / (high - low) if high > low else 0.0
        return _HEIGHT - _BOTTOM - max(0.0, min(1.0, share)) * (_HEIGHT - _TOP - _BOTTOM)


def line_chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_unit: str,
    y_unit: str,
    marks: Sequence[Mark] = (),
    log: bool = False,
    dots: bool = False,
) -> str:
    """Return a figure with its legend; a sentence where there is nothing to draw."""
    title = f"{title}, {y_unit}"
    lines = [line for line in lines if any(y is not None for y in line.ys)]
    if not lines:
        return empty_figure(title)
    xs = [x for line in lines for x in line.xs]
    ys = [y for line in lines for y in line.ys if y is not None]
    scale = _scale([*ys, *(mark.y for mark in marks)], log=log)
    x_low, x_high = min(0.0, *xs), max(*xs, 1e-9)
    parts = [_levels(scale), _axis(x_low, x_high, x_unit)]
    for mark in marks:
        y = scale.place(mark.y)
        parts.append(
            f'<line class="mark" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="marktext" x="{_WIDTH - _RIGHT - 4}" y="{y - 4:.1f}">'
            f"{escape(mark.name)}</text>"
        )
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(_path(line, scale, x_low, x_high, colour))
        if dots:
            parts.append(_dots(line, scale, x_low, x_high, colour, x_unit, y_unit))
    legend = "".join(
        f'<span><i class="{"dash" if line.dashed else ""}"'
        f' style="background:var({COLOURS[number % len(COLOURS)]})"></i>{escape(line.name)}</span>'
        for number, line in enumerate(lines)
    )
    return figure(title, _svg(parts, title), legend=legend)


def step_chart(title: str, points: Sequence[Point]) -> str:
    """Return a figure of one line whose points stand equally far apart, each with its figure."""
    if not points:
        return empty_figure(title)
    scale = _scale([point.y for point in points], log=False)
    # Half a step is left on both sides, as words are wide.
    low, high = -0.5, len(points) - 0.5
    line = Line(title, range(len(points)), [point.y for point in points])
    at = [_x(place, low, high) for place in line.xs]
    parts = [
        _levels(scale),
        _words_below(zip(at, (point.step for point in points), strict=True)),
        _path(line, scale, low, high, COLOURS[0]),
    ]
    parts += [
        _dot(x, scale.place(point.y), COLOURS[0], f"{point.step}: {point.text}")
        + f'<text class="x" x="{x:.1f}" y="{scale.place(point.y) - 9:.1f}">{escape(point.text)}'
        "</text>"
        for x, point in zip(at, points, strict=True)
    ]
    return figure(title, _svg(parts, title))


def _svg(parts: Sequence[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _scale(values: Sequence[float], *, log: bool) -> Scale:
    high = max(values)
    if log:
        positive = [value for value in values if value > 0]
        low = 10 ** math.floor(math.log10(min(positive))) if positive else 0.1
        return Scale(max(low, 1e-3), max(high * 1.3, low * 10), True)
    step = _step(high)
    return Scale(0.0, step * max(1, math.ceil(high * 1.02 / step)), False)


def _step(high: float) -> float:
    """Return a round distance between ticks."""
    if high <= 0:
        return 1.0
    rough = high / _TICKS
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)


def _ticks(scale: Scale) -> list[float]:
    if not scale.is_log:
        step = _step(scale.high)
        return [number * step for number in range(round(scale.high / step) + 1)]
    low, high = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
    factors = (1, 3) if high - low <= 3 else (1,)
    ticks = [factor * 10.0**power for power in range(low, high + 1) for factor in factors]
    return [tick for tick in ticks if scale.low <= tick <= scale.high]


def _levels(scale: Scale) -> str:
    parts = []
    for tick in _ticks(scale):
        y = scale.place(tick)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="y" x="{_LEFT - 6}" y="{y + 4:.1f}">{_number(tick)}</text>'
        )
    return "".join(parts)


def _axis(low: float, high: float, unit: str) -> str:
    step = _step(high)
    values = [number * step for number in range(math.floor(high / step + 1e-9) + 1)]
    return (
        _words_below((_x(value, low, high), _number(value)) for value in values)
        + f'<text class="unit" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}">{escape(unit)}</text>'
    )


def _words_below(words: Iterable[tuple[float, str]]) -> str:
    return "".join(
        f'<text class="x" x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 16}">{escape(word)}</text>'
        for x, word in words
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"


def _x(value: float, low: float, high: float) -> float:
    return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)


def _path(line: Line, scale: Scale, low: float, high: float, colour: str) -> str:
    commands, is_open = [], False
    for x, y in zip(line.xs, line.ys, strict=True):
        if y is None:
            is_open = False
            continue
        commands.append(f"{'L' if is_open else 'M'}{_x(x, low, high):.1f} {scale.place(y):.1f}")
        is_open = True
    dash = ' stroke-dasharray="5 4"' if line.dashed else ""
    return f'<path class="line" style="stroke:var({colour})"{dash} d="{"".join(commands)}"/>'


def _dots(  # noqa: PLR0917 - what a chart is drawn with.
    line: Line, scale: Scale, low: float, high: float, colour: str, x_unit: str, y_unit: str
) -> str:
    return "".join(
        _dot(
            _x(x, low, high),
            scale.place(y),
            colour,
            f"{line.name}: {x:,.0f} {x_unit}, {y:,.1f} {y_unit}",
        )
        for x, y in zip(line.xs, line.ys, strict=True)
        if y is not None
    )


def _dot(x: float, y: float, colour: str, told: str) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" style="fill:var({colour})">'
        f"<title>{escape(told)}</title></circle>"
    )
