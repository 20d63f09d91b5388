"""Which of two markets' views of one pack holds: the rule by which all come to the same one.

A pack that is on sale in several markets is stored in each of them. Changes travel through the
hub with some delay, so two markets may change a pack at the same moment. `merge` is a join
(commutative, associative, idempotent): whatever the order of arrival, and however often a change
arrives, all markets end with the same view. No I/O, no wire, no database enters here.

That changes travel is the law: Delegated Regulation (EU) 2016/161, Art. 34(4) and 35(2). How a race
ends is not public; that the earlier of two changes holds is our choice.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from emvs.limits import PACK_VERSION_LIMIT, STATE_VERSION_LIMIT

_HALF: Final = STATE_VERSION_LIMIT // 2
_WRITES: Final = PACK_VERSION_LIMIT // STATE_VERSION_LIMIT
"""Writes under one version of the state that can be told apart."""


class View(NamedTuple):
    """What a market knows of a pack's state, in a form that means the same in every market."""

    version: int
    """Of the pack's state: see `version_of_state`."""
    set_at_s: int
    """Seconds since 1970 UTC; 0 if never."""
    market: str
    """Of the location that set the state; empty if none did."""
    location: int
    """Its number in that market."""
    state: int


def version_of_state(version: int) -> int:
    """Return the version of a pack's state, given that of the pack.

    Each write gives a pack a new version, so that a write decided from the former one is noticed.
    What counts between markets is how often the state has changed: a tolerated repeat stays in its
    market, and a till that scans twice must win over nobody, neither now nor with what it does
    next. So a pack's version has two parts: that of its state, and a count of writes under it.
    """
    return version // _WRITES


def version_after(version: int, *, state_changes: bool) -> int:
    """Return the version of a pack after a write that changes its state, or leaves it."""
    state_version, write = divmod(version, _WRITES)
    if state_changes:
        return (state_version + 1) % STATE_VERSION_LIMIT * _WRITES
    return state_version * _WRITES + (write + 1) % _WRITES


def version_taking_over(version: int, state_version: int) -> int:
    """Return the version of a pack that takes over another market's state of that version."""
    if version_of_state(version) == state_version:  # Of two changes at once ours has lost.
        return version_after(version, state_changes=False)
    return state_version * _WRITES


def merge(one: View, other: View) -> View:
    """Return the view that holds: of the higher version, or else of the earlier change.

    Versions wrap. They are compared as on a clock face, so that markets must not be more than
    half a turn, 2,047 changes of one pack, apart.
    """
    distance = (one.version - other.version) % STATE_VERSION_LIMIT
    if distance == 0:
        # Market, location and state make the order total: no two different views are equal.
        return min(one, other)
    return one if distance < _HALF else other
