"""The merge rule is a join: whatever arrives in whatever order, markets come to agree."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emvs.limits import PACK_VERSION_LIMIT, STATE_VERSION_LIMIT
from emvs.states import PACK_STATES, State
from emvs.synchronisation import (
    View,
    merge,
    version_after,
    version_of_state,
    version_taking_over,
)

HALF = STATE_VERSION_LIMIT // 2
VERSIONS = st.integers(0, PACK_VERSION_LIMIT - 1)
STATE_VERSIONS = st.integers(0, STATE_VERSION_LIMIT - 1)


@st.composite
def views(draw: st.DrawFn, count: int) -> list[View]:
    """Views of one pack, less than half a turn of the versions apart, many of them close."""
    base = draw(STATE_VERSIONS)
    steps = st.one_of(st.integers(0, 2), st.integers(0, HALF - 1))
    return [
        View(
            (base + draw(steps)) % STATE_VERSION_LIMIT,
            draw(st.integers(1_800_000_000, 1_800_000_002)),
            draw(st.sampled_from(["AT", "IE", "PL"])),
            draw(st.integers(1, 2)),
            draw(st.sampled_from(PACK_STATES)),
        )
        for _ in range(count)
    ]


@given(views(2))
def test_merging_is_commutative(pair: list[View]) -> None:
    assert merge(*pair) == merge(*reversed(pair))


@given(views(3))
def test_merging_is_associative(three: list[View]) -> None:
    a, b, c = three
    assert merge(a, merge(b, c)) == merge(merge(a, b), c)


@given(views(2))
def test_merging_is_idempotent_and_makes_nothing_up(pair: list[View]) -> None:
    merged = merge(*pair)
    assert merged in pair
    assert merge(merged, pair[0]) == merge(merged, pair[1]) == merge(merged, merged) == merged


FIRST = View(5, 1_800_000_000, "IE", 3, State.SUPPLIED)


@pytest.mark.parametrize(
    ("other", "holds"),
    [
        # Each row has one thing more in common with FIRST than the row above it.
        (FIRST._replace(version=6, set_at_s=FIRST.set_at_s - 9, market="AT"), "other"),
        (FIRST._replace(version=4, set_at_s=FIRST.set_at_s - 9, market="AT"), "first"),
        (FIRST._replace(set_at_s=FIRST.set_at_s + 1, market="AT", location=1), "first"),
        (FIRST._replace(set_at_s=FIRST.set_at_s - 1, market="PL", location=9), "other"),
        (FIRST._replace(market="AT", location=9), "other"),
        (FIRST._replace(market="PL", location=1), "first"),
        (FIRST._replace(location=2), "other"),
        (FIRST._replace(state=State.STOLEN), "first"),
    ],
)
def test_the_later_version_holds_then_the_earlier_change(other: View, holds: str) -> None:
    assert merge(FIRST, other) == (other if holds == "other" else FIRST)


def test_versions_wrap() -> None:
    last = FIRST._replace(version=STATE_VERSION_LIMIT - 1)
    wrapped = last._replace(version=0, set_at_s=last.set_at_s + 1)
    assert merge(last, wrapped) == merge(wrapped, last) == wrapped


@given(VERSIONS, st.integers(0, HALF - 1))
def test_a_state_taken_over_keeps_its_version(version: int, ahead: int) -> None:
    state_version = (version_of_state(version) + ahead) % STATE_VERSION_LIMIT
    taken = version_taking_over(version, state_version)
    assert 0 <= taken < PACK_VERSION_LIMIT
    assert version_of_state(taken) == state_version
    assert taken != version, "a write decided from the former version is noticed"


@given(VERSIONS, st.integers(0, 40))
@example(PACK_VERSION_LIMIT - 1, 1)
def test_repeats_count_in_no_version_of_a_state(version: int, repeats: int) -> None:
    repeated = version
    for _ in range(repeats):
        before, repeated = repeated, version_after(repeated, state_changes=False)
        assert repeated != before
    changed = version_after(repeated, state_changes=True)
    assert changed not in {repeated, version}
    assert changed == version_after(version, state_changes=True)
    assert version_of_state(changed) == (version_of_state(version) + 1) % STATE_VERSION_LIMIT


@given(st.integers(0, 2**32), VERSIONS)
def test_markets_that_hear_of_every_change_agree(seed: int, start: int) -> None:
    """Three markets change one pack, repeat, and hear of each other late and twice."""
    rng = random.Random(seed)
    packs = dict.fromkeys(("AT", "IE", "PL"), start)
    views = dict.fromkeys(packs, View(version_of_state(start), 0, "", 0, State.ACTIVE))
    waiting: list[tuple[str, View]] = []
    times = itertools.count(1_800_000_000)
    for _ in range(30):
        market = rng.choice(list(packs))
        kind = rng.choice(["change", "repeat", "hear", "hear"])
        if kind == "change":
            at_s = next(times) // 2  # Two changes in a second happen.
            state = rng.choice([state for state in PACK_STATES if state != views[market].state])
            packs[market] = version_after(packs[market], state_changes=True)
            views[market] = View(version_of_state(packs[market]), at_s, market, 1, state)
            waiting += [(other, views[market]) for other in packs if other != market] * 2
        elif kind == "repeat":
            packs[market] = version_after(packs[market], state_changes=False)
        elif waiting:
            hear(packs, views, waiting.pop(rng.randrange(len(waiting))))
    rng.shuffle(waiting)
    for arrival in waiting:
        hear(packs, views, arrival)
    assert len(set(views.values())) == 1
    for market, view in views.items():
        assert version_of_state(packs[market]) == view.version


def hear(packs: dict[str, int], views: dict[str, View], arrival: tuple[str, View]) -> None:
    """Let a market merge a view, as a national system does."""
    market, theirs = arrival
    if merge(views[market], theirs) == theirs != views[market]:
        packs[market] = version_taking_over(packs[market], theirs.version)
        views[market] = theirs
