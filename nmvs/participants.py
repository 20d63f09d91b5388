"""Who may talk to this national system: locations and their logins. Filled at start, added to by
the management port; lookups here are in memory.

Identity follows the real systems: organisation, location, equipment or user. The rule "same
location" is decided on the location's number, whatever dialect and login it used.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from emvs.roles import Role
from emvs.states import Operation

CENTRAL_MARKET: Final = "EU"
"""Market of those who ask through the EU Hub for themselves: it is no market."""


class Participant(NamedTuple):
    """A location with a login, as operations see it."""

    number: int
    """Number of the location in this national system; 1 or more."""
    role: Role
    name: str
    location: str
    """Public identifier of the location."""
    organisation: str
    permitted: frozenset[Operation]
    """Operations its role may ask for in this market."""
    market: str
    """Market the participant belongs to; another one's in intermarket requests."""
    equipment: str = ""
    """Client id of the equipment that asks, where the login names one; a connector's, if one asks
    on the location's behalf."""

    @property
    def is_central(self) -> bool:
        """Whether this is a manufacturer or parallel distributor, who tells each market itself."""
        return self.market == CENTRAL_MARKET


def number_at_home(participant: Participant, own_market: str) -> int:
    """Return the number that a location has in its own market (see `Directory.foreign`)."""
    if participant.market == own_market:
        return participant.number
    return int(participant.location.rpartition("-")[2])
