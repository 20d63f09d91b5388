"""Queries on participants: locations and their logins. Rows become values; no rule here."""

from __future__ import annotations

from typing import NamedTuple

import asyncpg

from emvs.infra.database import Database


class StoredLocation(NamedTuple):
    """A row of the location table."""

    location_number: int
    market: str
    location: str
    role: str
    name: str
    organisation: str


class ParticipantStore:
    """Queries on the locations and logins of one national system."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _pool(self) -> asyncpg.Pool[asyncpg.Record]:
        return self._database.pool

    async def locations(self) -> list[StoredLocation]:
        """Return all locations."""
        rows = await self._pool.fetch(
            "select location_number, market, location, role, name, organisation from location"
        )
        return [StoredLocation(*row) for row in rows]

    async def put_location(self, location: StoredLocation) -> None:
        """Store a location; a known one keeps its number."""
        await self._pool.execute(
            "insert into location (location_number, market, location, role, name, organisation)"
            " values ($1, $2, $3, $4, $5, $6) on conflict (market, location) do update"
            " set role = excluded.role, name = excluded.name, organisation = excluded.organisation",
            *location,
        )

    async def soap_logins(self) -> list[tuple[str, str, str, int]]:
        """Return client login id, user id, password hash, location number of each SOAP login."""
        rows = await self._pool.fetch(
            "select client_login_id, user_id, password_hash, location_number from soap_login"
        )
        return [tuple(row) for row in rows]

    async def put_soap_login(
        self, client_login_id: str, user_id: str, password_hash: str, location_number: int
    ) -> None:
        """Store a SOAP login."""
        await self._pool.execute(
            "insert into soap_login values ($1, $2, $3, $4) on conflict (client_login_id, user_id)"
            " do update set password_hash = excluded.password_hash,"
            " location_number = excluded.location_number",
            client_login_id,
            user_id,
            password_hash,
            location_number,
        )

    async def rest_clients(self) -> list[tuple[str, str, int]]:
        """Return client id, secret hash, location number of each REST client."""
        rows = await self._pool.fetch(
            "select client_id, secret_hash, location_number from rest_client"
        )
        return [tuple(row) for row in rows]

    async def put_rest_client(self, client_id: str, secret_hash: str, location_number: int) -> None:
        """Store a REST client."""
        await self._pool.execute(
            "insert into rest_client values ($1, $2, $3) on conflict (client_id) do update"
            " set secret_hash = excluded.secret_hash, location_number = excluded.location_number",
            client_id,
            secret_hash,
            location_number,
        )
