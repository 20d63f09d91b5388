"""What a user sets for single systems, from a file: `{"FI": {"rules": {"typing_tolerance": 5}}}`.

The form is checked here, names and values by the system that gets them: it knows them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from emvs.errors import UsageError
from emvs.markets import MARKETS

HUB: Final = "hub"
"""Stands among the codes of the markets."""
HUB_MEMBERS: Final = ("callbacks", "identity", "limits", "reports", "retry")
MARKET_MEMBERS: Final = (
    *("rules", "rest", "soap", "logins", "bulk", "reports", "certificates"),
    "non_fmd_product_codes",
)
"""Members of a system's configuration that are the user's; ports and tokens are not."""
BYTES_MAX: Final = 2**20

Overrides = dict[str, dict[str, Any]]
"""Members of the configuration of each system, beside those that the launcher sets."""


def read_overrides(path: Path) -> Overrides:
    """Return what the file sets, by system. Raises UsageError."""
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"--settings {path}: {error.strerror}") from error
    try:
        return parse_overrides(content)
    except UsageError as error:
        raise UsageError(f"--settings {path}: {error}") from error


def parse_overrides(content: bytes) -> Overrides:
    """Return what the JSON sets, by system. Raises UsageError."""
    if len(content) > BYTES_MAX:
        raise UsageError(f"more than {BYTES_MAX} bytes")
    try:
        document = msgspec.json.decode(content, type=Overrides)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"not of the form {{system: {{member: ...}}}}: {error}") from error
    for name, members in document.items():
        market = MARKETS.get(name)
        if name != HUB and (market is None or market.system != name):
            raise UsageError(
                f"{name!r} is neither the {HUB} nor a market with a national system of its own"
            )
        known = HUB_MEMBERS if name == HUB else MARKET_MEMBERS
        if unknown := sorted(members.keys() - set(known)):
            raise UsageError(f"{name}: {unknown[0]!r} is none of {', '.join(known)}")
    return document
