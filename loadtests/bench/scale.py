"""How much is measured: the full form and the quick one."""

from __future__ import annotations

from typing import NamedTuple


class Scale(NamedTuple):
    """Counts and times of one run."""

    rounds: int
    seconds: float
    """Of each closed-loop case in a round."""
    open_seconds: float
    """Of each round in which latency is measured."""
    open_rounds: int
    packs: int
    """In the market that verify and supply are measured with, used up by the supplies included."""
    upload_packs: int
    uploads: int
    large_packs: int
    """In the market whose cold start and verifications are measured."""
    index_packs: int
    """Look-ups are measured at 10^5, 10^6 ... up to this."""


FULL = Scale(
    rounds=5,
    seconds=5.0,
    open_seconds=15.0,
    open_rounds=3,
    packs=2_600_000,
    upload_packs=1_000_000,
    uploads=3,
    large_packs=10_000_000,
    index_packs=10_000_000,
)
QUICK = Scale(
    rounds=3,
    seconds=2.0,
    open_seconds=4.0,
    open_rounds=3,
    packs=650_000,
    upload_packs=250_000,
    uploads=2,
    large_packs=1_000_000,
    index_packs=1_000_000,
)
PACKS_PER_SECOND: int = 30_000
"""Prepared for every second of a case; a run that is faster is not valid."""
CONNECTIONS: int = 64
