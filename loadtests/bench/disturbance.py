"""What else ran on the machine while something was measured, from Linux's /proc."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from typing import Final, NamedTuple

from loadtests.cpu_time import server_cpu_s

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_IDLE: Final = (3, 4)
"""Columns of /proc/stat's first line: idle, and waiting for a disk."""
_STEAL: Final = 7
_COUNTED: Final = 8
"""Columns of a kind of their own; guests after them are counted in the first."""


class Clocks(NamedTuple):
    """Seconds of processor time so far."""

    at: float
    busy_s: float
    stolen_s: float
    ours_s: float


def read_clocks(postmaster: int) -> Clocks | None:
    """Return the clocks as they are now; None where there is no /proc. Ours: this process, its
    children that have ended, and a PostgreSQL server."""
    try:
        columns = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    seconds = [int(column) / _TICKS_PER_S for column in columns[:_COUNTED]]
    if len(seconds) < _COUNTED:
        return None
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ours_s = sum(one.ru_utime + one.ru_stime for one in used)
    busy_s = sum(seconds) - sum(seconds[column] for column in _IDLE) - seconds[_STEAL]
    return Clocks(
        time.monotonic(),
        busy_s,
        seconds[_STEAL],
        ours_s + server_cpu_s(postmaster),
    )


def told(before: Clocks | None, after: Clocks | None) -> str:
    """Return what others took between two readings, as shares of the whole machine."""
    if before is None or after is None:
        return "not known here"
    whole_s = (after.at - before.at) * (os.cpu_count() or 1)
    others_s = after.busy_s - before.busy_s - (after.ours_s - before.ours_s)
    others, stolen = max(others_s, 0.0) / whole_s, (after.stolen_s - before.stolen_s) / whole_s
    return f"others {others:.0%}, stolen {stolen:.0%} of all cores"
