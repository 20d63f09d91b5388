"""Queries on callback endpoints: at most a primary and a non-primary one for each organisation."""

from __future__ import annotations

from dataclasses import dataclass, field

from hub.store.connections import Connection, Queryable


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """Where an organisation wants to be called."""

    number: int
    organisation_id: str
    transaction_id: str
    url: str
    secret: str = field(repr=False)
    is_primary: bool
    created_at_ms: int


async def lock_organisation(connection: Connection, organisation_id: str) -> None:
    """Be the only transaction that changes an organisation's endpoints, until it ends."""
    await connection.execute(
        "select from organisation where organisation_id = $1 for no key update", organisation_id
    )


async def endpoints_of(database: Queryable, organisation_id: str) -> list[EndpointRow]:
    """Return an organisation's endpoints, the primary one first."""
    rows = await database.fetch(
        "select * from callback_endpoint where organisation_id = $1 order by is_primary desc",
        organisation_id,
    )
    return [EndpointRow(**dict(row)) for row in rows]


async def primary_endpoint(database: Queryable, organisation_id: str) -> EndpointRow | None:
    """Return the endpoint that is called."""
    row = await database.fetchrow(
        "select * from callback_endpoint where organisation_id = $1 and is_primary",
        organisation_id,
    )
    return None if row is None else EndpointRow(**dict(row))


async def put_endpoint(
    connection: Connection,
    organisation_id: str,
    *,
    transaction_id: str,
    url: str,
    secret: str,
    is_primary: bool,
    at_ms: int,
) -> EndpointRow:
    """Store an endpoint in place of an earlier one of its rank."""
    await connection.execute(
        "delete from callback_endpoint where organisation_id = $1 and is_primary = $2",
        organisation_id,
        is_primary,
    )
    row = await connection.fetchrow(
        "insert into callback_endpoint (organisation_id, transaction_id, url, secret, is_primary,"
        " created_at_ms) values ($1, $2, $3, $4, $5, $6) returning *",
        organisation_id,
        transaction_id,
        url,
        secret,
        is_primary,
        at_ms,
    )
    assert row is not None, "an insert returns its row"
    return EndpointRow(**dict(row))


async def swap_ranks(connection: Connection, organisation_id: str) -> None:
    """Make the non-primary endpoint the primary one, and the other way round."""
    await connection.execute(
        "update callback_endpoint set is_primary = not is_primary where organisation_id = $1",
        organisation_id,
    )


async def drop_endpoint(connection: Connection, number: int) -> None:
    """Delete an endpoint."""
    await connection.execute("delete from callback_endpoint where number = $1", number)
