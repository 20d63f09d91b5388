"""Where reports take their content from, and what other parts of the system may plug in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

import asyncpg

from nmvs.alert_store import AlertStore
from nmvs.audit import Audit
from nmvs.catalogue import Catalogue
from nmvs.directory import Directory
from nmvs.reports.product_rights import ProductRights

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class ClientSighting(Protocol):
    """What a login was last seen with."""

    @property
    def client_id(self) -> str:
        """Whose login."""

    @property
    def api_version(self) -> str:
        """Version of the interface that answered."""

    @property
    def requested_api_version(self) -> str:
        """Version that was asked for."""

    @property
    def user_agent(self) -> str:
        """What the client says it is."""

    @property
    def ip(self) -> str:
        """Where it connected from."""

    @property
    def last_request_at(self) -> datetime:
        """When it last asked."""


class RatePlanNames(NamedTuple):
    """How an organisation's share of the service is called."""

    plan: str
    policy: str


def no_sightings() -> Sequence[ClientSighting]:
    """Return nothing: nobody looks at clients."""
    return ()


@dataclass(frozen=True, slots=True)
class Sources:
    """What the makers of documents read."""

    market: str
    pool: Pool
    catalogue: Catalogue
    directory: Directory
    audit: Audit
    alerts: AlertStore
    rights: ProductRights
    client_sightings: Callable[[], Sequence[ClientSighting]] = no_sightings

    def rate_plan(self, organisation_id: str) -> RatePlanNames:
        """Return an organisation's rate plan as reports call it."""
        name, plan = self.directory.rate_plan_of(organisation_id)
        if plan is None:
            return RatePlanNames("Unlimited", "")
        return RatePlanNames(name, f"{plan.requests_per_s:g}/s, burst {plan.burst}")


def organisation_of(locations: Mapping[tuple[str, str], str], market: str, location: str) -> str:
    """Return the organisation of a location, empty if it is unknown."""
    return locations.get((market, location), "")


async def organisations_by_location(pool: Pool) -> dict[tuple[str, str], str]:
    """Return each location's organisation; all of them are in memory elsewhere as well."""
    rows = await pool.fetch("select market, location, organisation from location")
    return {(row[0], row[1]): row[2] for row in rows}
