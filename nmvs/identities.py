"""Organisation, location, equipment: the three levels at which the real systems know a user.

An organisation has locations, which the national organisation approves; at each stand equipments,
and each equipment has one client id with one secret. A connector is an organisation that acts for
locations of others; its equipments stand at no location. Values only, no rule and no I/O.
"""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import NamedTuple

from nmvs.participants import Participant
from nmvs.rate_plans import TokenBucket


class LocationState(StrEnum):
    """Whether the national organisation lets a location work."""

    PENDING = "pending"
    APPROVED = "approved"
    BLOCKED = "blocked"


class ConnectorRefusal(Enum):
    """Why a connector may not act for a location."""

    LOCATION_UNKNOWN = auto()
    NOT_ALLOWED = auto()


class Organisation(NamedTuple):
    """Who is answerable for locations, or a connector."""

    organisation_id: str
    name: str
    is_connector: bool = False
    rate_plan: str | None = None
    """Name of its rate plan; None for the market's default."""
    disabled: bool = False


class Location(NamedTuple):
    """A place with a number in this national system, or what stands for one of another market."""

    location_number: int
    market: str
    location: str
    """Public identifier, unique within its market."""
    role: str
    name: str
    organisation: str
    """Id of the organisation; another market's code for locations of that market."""
    state: LocationState = LocationState.APPROVED


class Equipment(NamedTuple):
    """A till or a server with a login of its own."""

    client_id: str
    secret_hash: str
    location_number: int | None
    """None for a connector's equipment, which stands at no location."""
    organisation_id: str | None = None
    """The connector; None for an equipment at a location, which tells its organisation."""
    name: str = ""
    disabled: bool = False


class RestClient:
    """An equipment that is admitted, as the way to an answer wants it: nothing left to look up."""

    __slots__ = (
        "bucket",
        "client_id",
        "organisation_id",
        "participant",
        "secret_hash",
        "sighted_at_s",
    )

    def __init__(
        self,
        client_id: str,
        secret_hash: str,
        organisation_id: str,
        participant: Participant | None,
        bucket: TokenBucket | None,
    ) -> None:
        self.client_id = client_id
        self.secret_hash = secret_hash
        self.organisation_id = organisation_id
        self.participant = participant
        """The location it stands at; None for a connector's."""
        self.bucket = bucket
        """What the organisation's rate plan leaves; None without a plan."""
        self.sighted_at_s = 0
        """When it was last noted in `nmvs.sightings`."""
