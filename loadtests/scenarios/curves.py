"""Rates over time: how a day, a week, a ramp or stairs look. Pure; rates are transactions/s.

A curve is a list of points `(second of the run, rate)`, straight between two points and flat after
the last one. A step is two points of the same second. Compressed in time, a curve keeps its rates.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

Points = list[tuple[float, float]]

_H: Final = 3600.0

HOURLY_SHARES: Final = (
    *(0.2,) * 7,
    *(2.0, 8.0, 11.0, 11.5, 11.0, 8.0, 6.0, 8.0, 10.0, 10.5, 7.0, 3.5, 1.0, 0.5),
    *(0.2,) * 3,
)
"""Per cent of a weekday's transactions in each hour, local time. No curve is public; this one gives
the published 150/s of business hours."""
WEEKDAY_SHARES: Final = (20.5, 19.0, 17.5, 18.5, 18.0, 6.0, 0.5)
"""Per cent of a week, Monday first."""
PEAK_OF_HOUR: Final = 1.8
"""The peak second over the mean of its hour."""
GOODS_IN_HOURS: Final = ((7.5, 9.5), (13.5, 15.0))
BULK_HOURS: Final = ((18.0, 24.0), (0.0, 2.0))
"""When wholesalers send many packs at once."""
UPLOAD_HOURS_UTC: Final = (6.0, 20.0)
UPLOAD_BUMP: Final = 3.0
"""Uploads before shipping (16 to 18 h UTC) over those of other hours (our choice: the bump is
public, its height is not)."""


def rate_at(points: Sequence[tuple[float, float]], second: float) -> float:
    """Return a curve's rate."""
    place = bisect_right(points, second, key=lambda point: point[0])
    if place == 0:
        return points[0][1]
    if place == len(points):
        return points[-1][1]
    (start, low), (end, high) = points[place - 1], points[place]
    return low + (high - low) * (second - start) / (end - start)


def total(points: Sequence[tuple[float, float]], seconds: float) -> float:
    """Return how many transactions a curve has in its first seconds."""
    inner = [point for point in points if 0.0 < point[0] < seconds]
    line = [(0.0, rate_at(points, 0.0)), *inner, (seconds, rate_at(points, seconds))]
    return sum((end - start) * (low + high) / 2 for (start, low), (end, high) in pairwise(line))


def constant(rate: float) -> Points:
    """Return a curve that is flat."""
    return [(0.0, rate)]


def ramp(start: float, end: float, seconds: float) -> Points:
    """Return a straight line that stays at its end."""
    return [(0.0, start), (seconds, end)]


def stairs(rates: Sequence[float], step_s: float) -> Points:
    """Return one step after the other."""
    points: Points = []
    for number, rate in enumerate(rates):
        points += [(number * step_s, rate), ((number + 1) * step_s, rate)]
    return points


def hour_share(hour: float) -> float:
    """Return the share of a weekday's hour, straight between the middles of hours."""
    place = hour - 0.5
    low = int(place // 1)
    first, second = HOURLY_SHARES[low % 24], HOURLY_SHARES[(low + 1) % 24]
    return first + (second - first) * (place - low)


def day(peak: float, *, start: float = 0.0, end: float = 24.0, day_share: float = 20.5) -> Points:
    """Return the hours `start` to `end` of a day, whose busiest Monday hour has the mean `peak`.

    Points are a quarter of an hour apart. `day_share` is the day's share of the week.
    """
    busiest = max(HOURLY_SHARES)
    scale = peak / busiest * day_share / WEEKDAY_SHARES[0]
    quarters = round((end - start) * 4)
    return [(q * _H / 4, scale * hour_share(start + q / 4)) for q in range(quarters + 1)]


def week(peak: float) -> Points:
    """Return a week from Monday's midnight; `peak` is the mean of Monday's busiest hour."""
    points: Points = []
    for number, share in enumerate(WEEKDAY_SHARES):
        points += [
            (number * 24 * _H + second, rate)
            for second, rate in day(peak, day_share=share)[: None if number == 6 else -1]
        ]
    return points


def windows(
    hours: Sequence[tuple[float, float]], value: float, *, start: float, end: float
) -> Points:
    """Return a curve that has `value` within these hours of each day and nothing outside."""
    points: Points = []
    is_open = False
    for number in range(round((end - start) * 4) + 1):
        hour = start + number / 4
        now_open = any(first <= hour % 24 < last for first, last in hours)
        if number == 0 or now_open != is_open:
            second = number * _H / 4
            if number:
                points.append((second, points[-1][1]))
            points.append((second, value if now_open else 0.0))
            is_open = now_open
    return points


def compressed(points: Points, factor: float) -> Points:
    """Return a curve that takes a `factor`-th of the time at the same rates."""
    return [(second / factor, rate) for second, rate in points]
