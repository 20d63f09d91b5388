"""Queries on organisations, their clients, and the hub's own settings."""

from __future__ import annotations

from dataclasses import dataclass

from hub.store.connections import Connection, Queryable


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client of an organisation, and how it shows who it is."""

    organisation_id: str
    client_id: str
    kind: str
    token_digest: bytes | None
    """Of a token without an end."""
    is_suspended: bool


async def all_clients(database: Queryable) -> list[ClientRow]:
    """Return every client."""
    rows = await database.fetch(
        "select organisation_id, client_id, kind, token_digest,"
        " suspended_at_ms is not null as is_suspended"
        " from client join organisation using (organisation_id)"
    )
    return [ClientRow(**dict(row)) for row in rows]


async def put_organisation(
    connection: Connection, organisation_id: str, *, name: str, kind: str
) -> str:
    """Store an organisation, or its new name; return the kind it has."""
    stored: str = await connection.fetchval(
        "insert into organisation (organisation_id, name, kind) values ($1, $2, $3)"
        " on conflict (organisation_id) do update set name = excluded.name returning kind",
        organisation_id,
        name,
        kind,
    )
    return stored


async def put_client(
    connection: Connection, organisation_id: str, client_id: str, token_digest: bytes | None
) -> bool:
    """Store a client's token without an end in place of an earlier one, or that it has none; return
    False if another has it."""
    taken = await connection.fetchval(
        "select true from client where token_digest = $3"
        " and (organisation_id, client_id) <> ($1, $2)",
        organisation_id,
        client_id,
        token_digest,
    )
    if taken:
        return False
    await connection.execute(
        "insert into client (organisation_id, client_id, token_digest) values ($1, $2, $3)"
        " on conflict (organisation_id, client_id) do update"
        " set token_digest = excluded.token_digest",
        organisation_id,
        client_id,
        token_digest,
    )
    return True


async def clock_offset_s(database: Queryable) -> int:
    """Return by how much the system's clock is ahead of the machine's."""
    offset: int = await database.fetchval("select clock_offset_s from system")
    return offset


async def put_clock_offset_s(database: Queryable, offset_s: int) -> None:
    """Store by how much the system's clock is ahead."""
    await database.execute("update system set clock_offset_s = $1", offset_s)
