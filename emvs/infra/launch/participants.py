"""The participants of the demo: fixed logins, for everybody to know. NOT FOR PRODUCTION.

They suit the wire formats: a SOAP ClientLoginId has 1 to 20 characters, a UserId 4 to 20, a
password 8 to 60 with capitals, small letters, digits and another character.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from emvs.infra.launch.settings import MarketSettings
from emvs.markets import Dialect

MANUFACTURER: Final = {
    "name": "Demo Pharma",
    "location": "DEMO-OBP",
    "organisation_id": "DEMO1",
    "client_id": "001",
}
"""The manufacturer at the hub; its token is the data directory's own."""


class _Row(NamedTuple):
    kind: str
    number: int
    name: str


_ROWS: Final = (
    _Row("pharmacy", 1, "Pharmacy at the Bridge"),
    _Row("pharmacy", 2, "Pharmacy at the Market"),
    _Row("hospital", 1, "City Hospital"),
    _Row("wholesaler", 1, "Northern Wholesale"),
)


def participants_of(market: MarketSettings) -> list[dict[str, Any]]:
    """Return the registrations of a market's participants, as its management port takes them."""
    return [_registration(market, row) for row in _ROWS]


def _registration(market: MarketSettings, row: _Row) -> dict[str, Any]:
    code = market.code
    location = f"{code}-{row.kind}-{row.number}"
    registration: dict[str, Any] = {
        "kind": row.kind,
        "name": f"{row.name} ({code})",
        "location": location,
        "rest": None,
        "soap": None,
    }
    if Dialect.REST in market.dialects:
        registration["rest"] = {
            "client_id": location.lower(),
            "client_secret": f"demo-secret-{location.lower()}",
        }
    if Dialect.SOAP in market.dialects:
        registration["soap"] = {
            "client_login_id": f"{code}{row.kind[:4].upper()}{row.number}",
            "user_id": f"USER{row.number:04}",
            "password": f"Demo-{row.kind.title()}-{row.number}",
            "initial": False,  # Whatever else the market's settings say of registered ones.
            "expires": False,  # Whoever moves the clock by years still wants to log in.
        }
    return registration
