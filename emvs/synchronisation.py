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

from emvs.limits import PACK_VERSION_LIMIT, REPEATS_MAX

_HALF: Final = PACK_VERSION_LIMIT // 2


class View(NamedTuple):
    """What a market knows of a pack's state, in a form that means the same in every market."""

    version: int
    """Of the pack when the state was set: see `version_of_state`."""
    set_at_s: int
    """Seconds since 1970 UTC; 0 if never."""
    market: str
    """Of the location that set the state; empty if none did."""
    location: int
    """Its number in that market."""
    state: int


def version_of_state(version: int, repeat_count: int) -> int:
    """Return the version that a pack had when its state was set.

    A tolerated repeat gives a pack a new version and stays in its market, so views must be
    compared without repeats: else a till that scans twice would win over an earlier supply.
    """
    return (version - repeat_count) % PACK_VERSION_LIMIT


def numbers_after(version: int, repeat_count: int, merged_version: int) -> tuple[int, int]:
    """Return version and repeat count of a pack that takes over a state set at `merged_version`.

    The version grows, so that a write decided from the former one is noticed, and
    `version_of_state` gives `merged_version` again.
    """
    ahead = (version + 1 - merged_version) % PACK_VERSION_LIMIT
    if 0 < ahead <= REPEATS_MAX:
        return (version + 1) % PACK_VERSION_LIMIT, ahead
    return merged_version, 0


def merge(one: View, other: View) -> View:
    """Return the view that holds: of the higher version, or else of the earlier change.

    Versions wrap. They are compared as on a clock face, so that markets must not be more than
    half a turn, 32,767 changes of one pack, apart.
    """
    distance = (one.version - other.version) % PACK_VERSION_LIMIT
    if distance == 0:
        # Market, location and state make the order total: no two different views are equal.
        return min(one, other)
    return one if distance < _HALF else other
