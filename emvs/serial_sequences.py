"""The steps from one serial number to the next: a counter has always the same one. Pure.

Serial numbers are read as figures in the alphabet that they use, so that "A9" is followed by "AA"
where both digits and capitals occur. They are put in order in steps of some milliseconds.
"""

from __future__ import annotations

import string
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Generator
from itertools import islice, pairwise
from operator import itemgetter
from typing import Final, NamedTuple

_DIGITS: Final = string.digits + string.ascii_lowercase
_SLICE_COUNT: Final = 4_096
_SAMPLE_COUNT: Final = 16_384
"""Steps of which the median is taken."""
_FREQUENT_SHARE: Final = 0.01
_FREQUENT_COUNT: Final = 3
"""A step is frequent if it is one in a hundred and occurs three times (our choice)."""


class Steps(NamedTuple):
    """What stands between serial numbers put in order."""

    median: int | None
    """None if there are fewer than two."""
    step: int | None
    """The most frequent one."""
    frequent_count: int
    """How often that is."""
    share: float
    """Of all steps."""

    @property
    def is_sequence(self) -> bool:
        """Whether one step is frequent."""
        return self.share >= _FREQUENT_SHARE and self.frequent_count >= _FREQUENT_COUNT


def steps_between(distinct: Collection[str], alphabet: str) -> Generator[None, None, Steps]:
    """Return the steps between different serial numbers of this alphabet, as a generator's
    value."""
    if len(distinct) < 2:
        return Steps(None, None, 0, 0.0)
    counts: Counter[int] = Counter()
    sample: list[int] = []
    sample_every = 1 + len(distinct) // _SAMPLE_COUNT
    last: int | None = None
    parts = yield from _parted(distinct, alphabet)
    while parts:
        part = parts.pop()  # The highest ones first.
        part.sort(reverse=True)
        if last is not None:
            part.insert(0, last)
        gaps = [after - before for after, before in pairwise(part)]
        counts.update(gaps)
        sample += gaps[::sample_every]
        last = part[-1] if part else last
        yield
    sample.sort()
    step, count = max(counts.items(), key=itemgetter(1))
    return Steps(sample[len(sample) // 2], step, count, count / (len(distinct) - 1))


def _parted(distinct: Collection[str], alphabet: str) -> Generator[None, None, list[list[int]]]:
    """Return the figures in parts of some thousand: all of one are below all of the next."""
    texts = iter(distinct)
    # A set's order has nothing to do with the figures: its beginning is as good as any sample.
    first = sorted(_figures(list(islice(texts, _SLICE_COUNT)), alphabet))
    part_count = 1 + 2 * len(distinct) // _SLICE_COUNT
    bounds = first[:: 1 + len(first) // part_count][1:]
    parts: list[list[int]] = [[] for _ in range(len(bounds) + 1)]
    figures = first
    while figures:
        for figure in figures:
            parts[bisect_right(bounds, figure)].append(figure)
        yield
        some = list(islice(texts, _SLICE_COUNT))
        figures = _figures(some, alphabet) if some else []
    return parts


def _figures(texts: list[str], alphabet: str) -> list[int]:
    if set(alphabet) <= set(string.digits):
        alphabet = string.digits  # Few decimal numbers need not have every digit.
    base = len(alphabet)
    if 2 <= base <= len(_DIGITS) and alphabet.isprintable():
        table = str.maketrans(alphabet, _DIGITS[:base])
        joined = "\n".join(texts).translate(table)
        return [int(text or "0", base) for text in joined.split("\n")]
    places = {character: place for place, character in enumerate(alphabet)}
    figures = []
    for text in texts:
        figure = 0
        for character in text:
            figure = figure * base + places[character]
        figures.append(figure)
    return figures
