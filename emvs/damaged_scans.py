"""Scans as faulty scanners, keyboards and people send them, made from good packs, and judged.

No randomness of its own: the same pack gives the same damage.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from emvs.fault_patterns import PATTERNS, FaultPattern, Reading
from emvs.scan import Scan, ScanError, parse_scan


class DamagedScan(NamedTuple):
    """One scan that has gone wrong."""

    pattern: FaultPattern
    pack: Scan
    text: str


class Verdict(NamedTuple):
    """What the parser made of a damaged scan, and whether that is allowed."""

    reading: Reading
    ok: bool
    note: str
    """The repair, or why it was kept back, or which data would be sent."""


def damaged_scans(pack: Scan) -> Iterator[DamagedScan]:
    """Yield a scan for every pattern that can befall this pack."""
    for pattern in PATTERNS:
        text = pattern.damage(pack)
        if text is not None:
            yield DamagedScan(pattern, pack, text)


def judge(damaged: DamagedScan) -> Verdict:
    """Return what the parser makes of it. A repair that yields another pack is never allowed."""
    try:
        scan = parse_scan(damaged.text)
    except ScanError as error:
        return Verdict(Reading.REFUSED, Reading.REFUSED in damaged.pattern.allowed, str(error))
    is_right = _data(scan) == _data(damaged.pack)
    if is_right:
        reading = Reading.REPAIRED if scan.repairs else Reading.WHOLE
        return Verdict(reading, reading in damaged.pattern.allowed, " ".join(scan.repairs))
    note = "; ".join(filter(None, (" ".join(map(str, _data(scan)[1:])), *scan.problems)))
    allowed = Reading.SENT in damaged.pattern.allowed and not scan.repairs
    return Verdict(Reading.SENT, allowed, note)


def _data(scan: Scan) -> tuple[str | None, ...]:
    return (scan.scheme, scan.product_code, scan.batch_id, scan.expiry, scan.serial_number)
