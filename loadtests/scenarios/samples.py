"""One row for each request: how a load generator keeps it, and how reports read it back.

Rows are packed structures of fixed size, so that half a million of them a minute cost little.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

_LAYOUT: Final = struct.Struct("<dffIHHHBBBB12s")


class Flag(IntFlag):
    """What else is known of a request."""

    MANUAL = 1
    FOREIGN = 2
    REPEAT = 4
    WAITED = 8
    """A lane was there in time and waited for the planned moment: lateness is the generator's own.
    Without it all lanes were busy: the server, or too few lanes."""
    RECALLED = 16
    """Of a batch that was being recalled."""


class Verdict(IntEnum):
    """How an answer is judged by its code."""

    EXPECTED = 0
    UNEXPECTED = 1
    """An answer, but another one than the pack's history allows."""
    ERROR = 2
    """No usable answer: refused, broken, timed out, overloaded, HTTP 5xx."""
    UNKNOWN = 3
    """The run was stopped before the answer came: nobody's fault, and it may have been done."""


class Sample(NamedTuple):
    """One request."""

    planned: float
    """Second of the run."""
    late: float
    """Seconds from the planned moment to the sending."""
    took: float
    """Seconds from the sending to the last byte of the answer."""
    pack: int
    """Number of the (first) pack in its market."""
    packs: int
    """Packs of the request."""
    site: int
    status: int
    """HTTP status; 0 without an answer."""
    operation: int
    fault: int
    flags: int
    verdict: int
    code: bytes
    """Return or operation code, or what went wrong; 12 characters."""


DTYPE: Final = np.dtype(
    [
        ("planned", "<f8"),
        ("late", "<f4"),
        ("took", "<f4"),
        ("pack", "<u4"),
        ("packs", "<u2"),
        ("site", "<u2"),
        ("status", "<u2"),
        ("operation", "u1"),
        ("fault", "u1"),
        ("flags", "u1"),
        ("verdict", "u1"),
        ("code", "S12"),
    ]
)
assert DTYPE.itemsize == _LAYOUT.size, "both describe one row"

pack_row = _LAYOUT.pack
"""Returns a row's bytes from a sample's members in order."""

Rows = npt.NDArray[np.void]


def read_rows(path: Path) -> Rows:
    """Return the rows of a file, in order of their planned time; none if there is no file."""
    if not path.exists():
        return np.empty(0, DTYPE)
    data = path.read_bytes()
    whole = len(data) // DTYPE.itemsize * DTYPE.itemsize  # A killed process leaves half a row.
    rows: Rows = np.frombuffer(data[:whole], DTYPE)
    return rows[np.argsort(rows["planned"], kind="stable")]


def from_samples(samples: list[Sample]) -> Rows:
    """Return rows; for tests and small sets."""
    return np.frombuffer(b"".join(pack_row(*sample) for sample in samples), DTYPE)
