"""Versions of this interface: what a client asks for, and which members each has.

Differences are additions, so the superset of all goes to every client unless a market wants it
otherwise (`RestSettings.filter_by_version`). Which member came when is read from public clients.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

Version = tuple[int, int]

VERSIONS: Final = ("1.0", "2.3", "2.4", "3.1", "3.4")
"""Versions that public sources name, in order; 3.4 is the report interface's."""
_FIRST: Final = (1, 0)
_FORM: Final = re.compile(r"[vV]?(\d{1,3})(?:\.(\d{1,3}))?")

MEMBERS_SINCE: Final[dict[str, Version]] = {
    "alertCode": (2, 4),
    "amsLink": (2, 4),
    "productName": (2, 4),
    "isIntermarket": (2, 4),
    "canReactivate": (2, 4),
    "canReactivateUntil": (2, 4),
    "batchRecallReason": (2, 4),
    "productWithdrawalReason": (2, 4),
    "nhrn": (3, 1),
    "batchState": (3, 1),
}
"""Members of a single pack's answer that the first version did not have."""


def _parse(text: str) -> Version | None:
    match = _FORM.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2] or 0))


_KNOWN: Final = [(version, text) for text in VERSIONS if (version := _parse(text)) is not None]


@lru_cache(maxsize=256)
def served_version(requested: str | None, default: str) -> str:
    """Return the version that a request is served as: the newest known one that is no newer than
    what it asks for, or the default if it asks for none or for nothing that is a version (our
    choice: what the real systems do with an unknown version is not known)."""
    wanted = _parse(requested.strip()) if requested else None
    if wanted is None or wanted < _FIRST:
        return default
    return next(text for version, text in reversed(_KNOWN) if version <= wanted)


@lru_cache(maxsize=256)
def hidden_members(served: str) -> tuple[str, ...]:
    """Return the members that an answer in this version does not have."""
    version = _parse(served) or _FIRST
    return tuple(name for name, since in MEMBERS_SINCE.items() if version < since)
