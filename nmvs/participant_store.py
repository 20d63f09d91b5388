"""Queries on organisations, locations, equipments and logins. Rows become values; no rule here."""

from __future__ import annotations

import asyncpg

from emvs.infra.database import Database
from nmvs.identities import Equipment, Location, LocationState, Organisation
from nmvs.rate_plans import RatePlan

_ORGANISATION = "organisation_id, name, is_connector, rate_plan, disabled"
_LOCATION = "location_number, market, location, role, name, organisation, state"
_EQUIPMENT = "client_id, secret_hash, location_number, organisation_id, name, disabled"


class ParticipantStore:
    """Queries on who may use one national system."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _pool(self) -> asyncpg.Pool[asyncpg.Record]:
        return self._database.pool

    async def organisations(self) -> list[Organisation]:
        """Return all organisations."""
        rows = await self._pool.fetch(f"select {_ORGANISATION} from organisation")  # noqa: S608 - a constant.
        return [Organisation(*row) for row in rows]

    async def page_of_organisations(self, after: str, limit: int) -> list[Organisation]:
        """Return the first organisations behind an id."""
        rows = await self._pool.fetch(
            f"select {_ORGANISATION} from organisation where organisation_id > $1"  # noqa: S608 - a constant.
            " order by organisation_id limit $2",
            after,
            limit,
        )
        return [Organisation(*row) for row in rows]

    async def put_organisation(self, organisation: Organisation) -> None:
        """Store an organisation, new or changed."""
        await self._pool.execute(
            f"insert into organisation ({_ORGANISATION}) values ($1, $2, $3, $4, $5)"  # noqa: S608 - a constant.
            " on conflict (organisation_id) do update set name = excluded.name,"
            " is_connector = excluded.is_connector, rate_plan = excluded.rate_plan,"
            " disabled = excluded.disabled",
            *organisation,
        )

    async def locations(self) -> list[Location]:
        """Return all locations."""
        rows = await self._pool.fetch(f"select {_LOCATION} from location")  # noqa: S608 - a constant.
        return [_location(row) for row in rows]

    async def page_of_locations(
        self, market: str, after: str, limit: int, *, organisation: str | None, state: str | None
    ) -> list[Location]:
        """Return the first locations of a market behind an identifier; of one organisation and in
        one state, if these are given."""
        rows = await self._pool.fetch(
            f"select {_LOCATION} from location where market = $1 and location > $2"  # noqa: S608 - a constant.
            " and ($3::text is null or organisation = $3) and ($4::text is null or state = $4)"
            " order by location limit $5",
            market,
            after,
            organisation,
            state,
            limit,
        )
        return [_location(row) for row in rows]

    async def put_location(self, location: Location) -> None:
        """Store a location; a known one keeps its number."""
        await self._pool.execute(
            f"insert into location ({_LOCATION}) values ($1, $2, $3, $4, $5, $6, $7)"  # noqa: S608 - a constant.
            " on conflict (market, location) do update set role = excluded.role,"
            " name = excluded.name, organisation = excluded.organisation, state = excluded.state",
            *location,
        )

    async def equipments(self) -> list[Equipment]:
        """Return all equipments."""
        rows = await self._pool.fetch(f"select {_EQUIPMENT} from equipment")  # noqa: S608 - a constant.
        return [Equipment(*row) for row in rows]

    async def page_of_equipments(
        self,
        after: str,
        limit: int,
        *,
        location_number: int | None,
        organisation: str | None,
    ) -> list[Equipment]:
        """Return the first equipments behind a client id; of one location and of one
        organisation, its locations' included, if these are given."""
        columns = ", ".join("e." + name for name in _EQUIPMENT.split(", "))
        rows = await self._pool.fetch(
            f"select {columns} from equipment e left join location l using (location_number)"  # noqa: S608 - constants.
            " where e.client_id > $1 and ($2::integer is null or e.location_number = $2)"
            " and ($3::text is null or coalesce(e.organisation_id, l.organisation) = $3)"
            " order by e.client_id limit $4",
            after,
            location_number,
            organisation,
            limit,
        )
        return [Equipment(*row) for row in rows]

    async def put_equipment(self, equipment: Equipment) -> None:
        """Store an equipment, new or changed."""
        await self._pool.execute(
            f"insert into equipment ({_EQUIPMENT}) values ($1, $2, $3, $4, $5, $6)"  # noqa: S608 - a constant.
            " on conflict (client_id) do update set secret_hash = excluded.secret_hash,"
            " location_number = excluded.location_number,"
            " organisation_id = excluded.organisation_id, name = excluded.name,"
            " disabled = excluded.disabled",
            *equipment,
        )

    async def connector_permissions(self) -> list[tuple[int, str]]:
        """Return location number and connector of each permission."""
        rows = await self._pool.fetch(
            "select location_number, organisation_id from connector_permission"
        )
        return [(row[0], row[1]) for row in rows]

    async def put_connector_permission(self, location_number: int, organisation_id: str) -> None:
        """Store that a location lets a connector act for it."""
        await self._pool.execute(
            "insert into connector_permission values ($1, $2) on conflict do nothing",
            location_number,
            organisation_id,
        )

    async def delete_connector_permission(self, location_number: int, organisation_id: str) -> None:
        """Delete such a permission."""
        await self._pool.execute(
            "delete from connector_permission where location_number = $1 and organisation_id = $2",
            location_number,
            organisation_id,
        )

    async def rate_plans(self) -> dict[str, RatePlan]:
        """Return the rate plans by name."""
        rows = await self._pool.fetch("select name, requests_per_s, burst from rate_plan")
        return {row[0]: RatePlan(row[1], row[2]) for row in rows}

    async def put_rate_plan(self, name: str, plan: RatePlan) -> None:
        """Store a rate plan."""
        await self._pool.execute(
            "insert into rate_plan values ($1, $2, $3) on conflict (name) do update"
            " set requests_per_s = excluded.requests_per_s, burst = excluded.burst",
            name,
            plan.requests_per_s,
            plan.burst,
        )

    async def delete_rate_plan(self, name: str) -> None:
        """Delete a rate plan."""
        await self._pool.execute("delete from rate_plan where name = $1", name)


def _location(row: asyncpg.Record) -> Location:
    location = Location(*row)
    return location._replace(state=LocationState(location.state))
