"""Live figures while the load goes: the last seconds of the samples, as one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from loadtests.run.results import NOTES_NAME, ROWS_NAME
from loadtests.run.watching import read_lines
from loadtests.scenarios.samples import DTYPE, Verdict


class LiveFigures:
    """Reads what has been added to a run's files since the last look."""

    def __init__(self, folder: Path) -> None:
        self._rows, self._notes = folder / ROWS_NAME, folder / NOTES_NAME
        self._read_bytes = 0
        self._total = self._bad = 0

    def line(self) -> str | None:
        """Return the figures of what is new; None before anything has come."""
        if not self._rows.exists() or not self._notes.exists():
            return None
        with self._rows.open("rb") as file:
            file.seek(self._read_bytes)
            data = file.read()
        whole = len(data) // DTYPE.itemsize * DTYPE.itemsize
        self._read_bytes += whole
        rows = np.frombuffer(data[:whole], DTYPE)
        notes = self._last_notes()
        if not len(rows) or not notes:
            return None
        self._total += len(rows)
        self._bad += int((rows["verdict"] != Verdict.EXPECTED).sum())
        latency = (rows["took"].astype(np.float64) + rows["late"]) * 1000
        p50, p95 = np.percentile(latency, (50, 95))
        span = max(float(np.ptp(rows["planned"])), 0.5)
        cpu = max(note["cpu"] for note in notes)
        return (
            f"{notes[-1]['at']:6.0f} s  {len(rows) / span:8,.0f}/s  p50 {p50:6.1f} ms  p95"
            f" {p95:7.1f} ms  bad {self._bad:,} of {self._total:,}  late"
            f" {np.percentile(rows['late'], 95) * 1000:5.1f} ms  generator {cpu:4.0%}"
        )

    def _last_notes(self) -> list[dict[str, float]]:
        notes = read_lines(self._notes)
        by_index = {note["index"]: note for note in notes}
        return list(by_index.values())
