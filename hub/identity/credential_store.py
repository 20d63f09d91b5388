"""Queries on what clients show: session tokens and certificates; and on the hub's own secrets."""

from __future__ import annotations

from dataclasses import dataclass

from hub.store.connections import Connection, Queryable


@dataclass(frozen=True, slots=True)
class TokenRow:
    """An initial or session token."""

    digest: bytes
    organisation_id: str
    client_id: str
    is_initial: bool
    issued_at_ms: int
    ends_at_ms: int
    used_by: str | None
    """Transaction id of the `RGST` or `RSST` that put another one in its place."""


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A client's certificate."""

    fingerprint: bytes
    organisation_id: str
    client_id: str
    request_digest: bytes
    pem: str
    starts_at_ms: int
    ends_at_ms: int
    revoked_at_ms: int | None


async def secret(database: Queryable, name: str, fresh: str) -> str:
    """Return the hub's secret of this name; the first time it is `fresh`."""
    await database.execute(
        "insert into secret (name, content) values ($1, $2) on conflict do nothing", name, fresh
    )
    content: str = await database.fetchval("select content from secret where name = $1", name)
    return content


async def all_tokens(database: Queryable) -> list[TokenRow]:
    """Return every token that is kept."""
    rows = await database.fetch(
        "select digest, organisation_id, client_id, is_initial, issued_at_ms, ends_at_ms, used_by"
        " from session_token"
    )
    return [TokenRow(**dict(row)) for row in rows]


async def find_token(database: Queryable, digest: bytes) -> TokenRow | None:
    """Return a token that is kept."""
    row = await database.fetchrow(
        "select digest, organisation_id, client_id, is_initial, issued_at_ms, ends_at_ms, used_by"
        " from session_token where digest = $1",
        digest,
    )
    return None if row is None else TokenRow(**dict(row))


async def put_token(connection: Connection, token: TokenRow) -> None:
    """Store a token."""
    await connection.execute(
        "insert into session_token (digest, organisation_id, client_id, is_initial, issued_at_ms,"
        " ends_at_ms) values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        token.digest,
        token.organisation_id,
        token.client_id,
        token.is_initial,
        token.issued_at_ms,
        token.ends_at_ms,
    )


async def use_tokens(
    connection: Connection, organisation_id: str, client_id: str, transaction_id: str
) -> None:
    """Note that a client's tokens were used up by a request."""
    await connection.execute(
        "update session_token set used_by = $3"
        " where organisation_id = $1 and client_id = $2 and used_by is null",
        organisation_id,
        client_id,
        transaction_id,
    )


async def forget_tokens(
    connection: Connection, organisation_id: str, client_id: str, before_ms: int, *, count_max: int
) -> None:
    """Drop a client's tokens that ended before a time, and all but the latest."""
    await connection.execute(
        "delete from session_token where organisation_id = $1 and client_id = $2"
        " and (ends_at_ms < $3 or digest not in (select digest from session_token"
        " where organisation_id = $1 and client_id = $2"
        " order by used_by is null desc, issued_at_ms desc limit $4))",
        organisation_id,
        client_id,
        before_ms,
        count_max,
    )


async def all_certificates(database: Queryable) -> list[CertificateRow]:
    """Return every certificate."""
    rows = await database.fetch("select * from client_certificate order by starts_at_ms")
    return [CertificateRow(**dict(row)) for row in rows]


async def put_certificate(database: Queryable, row: CertificateRow) -> None:
    """Store a certificate."""
    await database.execute(
        "insert into client_certificate (fingerprint, organisation_id, client_id, request_digest,"
        " pem, starts_at_ms, ends_at_ms) values ($1, $2, $3, $4, $5, $6, $7)",
        row.fingerprint,
        row.organisation_id,
        row.client_id,
        row.request_digest,
        row.pem,
        row.starts_at_ms,
        row.ends_at_ms,
    )


async def revoke_certificate(database: Queryable, fingerprint: bytes, at_ms: int) -> None:
    """Note that a certificate counts no more."""
    await database.execute(
        "update client_certificate set revoked_at_ms = coalesce(revoked_at_ms, $2)"
        " where fingerprint = $1",
        fingerprint,
        at_ms,
    )
