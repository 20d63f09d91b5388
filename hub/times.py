"""How the hub writes times."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(at_ms: int) -> str:
    """Return a time as ISO 8601, in UTC, to the millisecond."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"
