"""Lengths of time as people type them: `30s`, `15m`, `241h`, `10d`."""

from __future__ import annotations

import re
from typing import Final

from emvs.errors import UsageError
from emvs.limits import CLOCK_ADVANCE_S_MAX

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PATTERN: Final = re.compile(r"([0-9]{1,12})([smhd])")


def parse_duration_s(text: str) -> int:
    """Return seconds. Raises UsageError unless it is a whole number of s, m, h or d."""
    match = _PATTERN.fullmatch(text.strip().lower())
    if match is None:
        raise UsageError(f"{text!r} is no length of time; write it like 30s, 15m, 241h or 10d.")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds <= CLOCK_ADVANCE_S_MAX:
        raise UsageError(
            f"{text!r} cannot be added to the clock: it takes from 1s to"
            f" {CLOCK_ADVANCE_S_MAX // 86_400}d at once, and never goes back."
        )
    return seconds
