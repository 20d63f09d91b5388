"""What a user sets for single markets, from a file: `{"FI": {"rules": {"typing_tolerance": 5}}}`.

The form is checked here, names and values by the system that gets them: it knows them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from emvs.errors import UsageError
from emvs.markets import MARKETS

MEMBERS: Final = ("rules", "rest", "soap", "reports", "certificates", "non_fmd_product_codes")
"""Members of a national system's configuration that are the user's; ports and tokens are not."""
BYTES_MAX: Final = 2**20

MarketOverrides = dict[str, Any]
"""Members of a national system's configuration, beside those that the launcher sets."""


def read_market_settings(path: Path) -> dict[str, MarketOverrides]:
    """Return what the file sets, by market. Raises UsageError."""
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"--market-settings {path}: {error.strerror}") from error
    try:
        return parse_market_settings(content)
    except UsageError as error:
        raise UsageError(f"--market-settings {path}: {error}") from error


def parse_market_settings(content: bytes) -> dict[str, MarketOverrides]:
    """Return what the JSON sets, by market. Raises UsageError."""
    if len(content) > BYTES_MAX:
        raise UsageError(f"more than {BYTES_MAX} bytes")
    try:
        document = msgspec.json.decode(content, type=dict[str, dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"not of the form {{market: {{member: ...}}}}: {error}") from error
    for code, overrides in document.items():
        market = MARKETS.get(code)
        if market is None or market.system != code:
            raise UsageError(f"{code!r} is no market with a national system of its own")
        if unknown := sorted(overrides.keys() - set(MEMBERS)):
            raise UsageError(f"{code}: {unknown[0]!r} is none of {', '.join(MEMBERS)}")
    return document
