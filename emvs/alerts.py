"""When an outcome becomes an alert, and what an alert's identifier looks like.

The unique alert id (UPRC) reads `CC-xxx-xxx-xxx-xxx-xxx`, CC being the market that raised it;
its alphabet is our choice: A-Z and 0-9.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from emvs.outcomes import OUTCOMES, Outcome

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
ALERT_ID: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]{3}){5}")


class Alert(NamedTuple):
    """An alert as the terminal that caused it is told."""

    alert_id: str
    hub_code: str
    """Without the number sign: "A3"."""


def alert_id(market: str, number: int) -> str:
    """Return the id of the alert with this number, below 36**15, in the market's name."""
    letters = []
    for _ in range(15):
        number, digit = divmod(number, 36)
        letters.append(_ALPHABET[digit])
    groups = ("".join(letters[start : start + 3]) for start in range(0, 15, 3))
    return "-".join((market, *groups))


def hub_code_of_alert(outcome: Outcome) -> str | None:
    """Return the hub's code if `outcome` raises an alert, else None."""
    facts = OUTCOMES[outcome]
    return facts.hub_code if facts.raises_alert else None
