"""How much processor time other processes have taken, from Linux's /proc. No load here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_NS: Final = 1e-9
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def process_cpu_s(pid: int) -> float:
    """Return the seconds all threads of a process have run; 0 if it is gone.

    The scheduler's own count in nanoseconds; the usual one has steps of ten milliseconds.
    """
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(task.read_text().split()[0])
        except OSError:  # The thread has ended meanwhile.
            continue
    return total * _NS


def server_cpu_s(postmaster: int) -> float:
    """Return the seconds that all processes of a PostgreSQL server have run, those that have ended
    included; 0 if it is gone."""
    ended_s = _ended_children_s(postmaster)
    return process_cpu_s(postmaster) + ended_s + sum(map(process_cpu_s, _children(postmaster)))


def _ended_children_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[13]) + int(fields[14])) / _TICKS_PER_S


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found
