"""Which markets run, and with which dialects: `AT,IE,FI:soap+rest`."""

from __future__ import annotations

import msgspec

from emvs.errors import UsageError
from emvs.markets import MARKETS, Dialect


class MarketChoice(msgspec.Struct, frozen=True):
    """A market to be run."""

    code: str
    dialects: tuple[Dialect, ...]


def parse_markets(text: str) -> tuple[MarketChoice, ...]:
    """Return the markets in `text`, in its order. Raises UsageError.

    A code alone stands for the market's own dialect.
    """
    choices: dict[str, MarketChoice] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, colon, dialects = item.partition(":")
        code = name.strip().upper()
        market = MARKETS.get(code)
        if market is None:
            raise UsageError(f"{code!r} is no market of the system; there are {', '.join(MARKETS)}")
        if market.system != code:
            raise UsageError(
                f"{market.name} has no national system of its own: that of {market.system} serves"
                f" it. Ask for {market.system}."
            )
        if code in choices:
            raise UsageError(f"the market {code} is named twice")
        chosen = _parse_dialects(code, dialects) if colon else (market.dialect,)
        choices[code] = MarketChoice(code, chosen)
    if not choices:
        raise UsageError("name at least one market, such as --markets IE")
    return tuple(choices.values())


def _parse_dialects(code: str, text: str) -> tuple[Dialect, ...]:
    names = [name.strip().lower() for name in text.split("+")]
    if not set(names) <= set(Dialect) or len(set(names)) < len(names):
        raise UsageError(f"{code}:{text}: the dialects are soap, rest, or soap+rest")
    return tuple(dialect for dialect in Dialect if dialect in names)
