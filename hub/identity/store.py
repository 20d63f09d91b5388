"""Queries on accounts, session tokens and client certificates."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from hub.store.connections import Connection, Queryable, changed_count


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


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A client with its organisation."""

    organisation_id: str
    client_id: str
    kind: str
    organisation_name: str
    name: str
    suspended_at_ms: int | None


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


async def accounts(database: Queryable) -> list[AccountRow]:
    """Return every client with its organisation."""
    rows = await database.fetch(
        "select organisation_id, client_id, kind, organisation.name as organisation_name,"
        " client.name, suspended_at_ms from client join organisation using (organisation_id)"
        " order by organisation_id, client_id"
    )
    return [AccountRow(**dict(row)) for row in rows]


async def lock_organisation(connection: Connection, organisation_id: str) -> tuple[str, str]:
    """Return an organisation's name and account (JSON), locked until the transaction ends."""
    row = await connection.fetchrow(
        "select name, account from organisation where organisation_id = $1 for update",
        organisation_id,
    )
    assert row is not None, "organisations are never deleted"
    return row["name"], row["account"]


async def organisation_account(database: Queryable, organisation_id: str) -> tuple[str, str]:
    """Return an organisation's name and account (JSON)."""
    row = await database.fetchrow(
        "select name, account from organisation where organisation_id = $1", organisation_id
    )
    assert row is not None, "organisations are never deleted"
    return row["name"], row["account"]


async def put_account(
    connection: Connection, organisation_id: str, name: str, account: str
) -> None:
    """Store an organisation's name and account."""
    await connection.execute(
        "update organisation set name = $2, account = $3 where organisation_id = $1",
        organisation_id,
        name,
        account,
    )


async def client_count(database: Queryable, organisation_id: str) -> int:
    """Return how many clients an organisation has."""
    count: int = await database.fetchval(
        "select count(*) from client where organisation_id = $1", organisation_id
    )
    return count


async def find_account(
    database: Queryable, organisation_id: str, client_id: str
) -> AccountRow | None:
    """Return a client with its organisation."""
    row = await database.fetchrow(
        "select organisation_id, client_id, kind, organisation.name as organisation_name,"
        " client.name, suspended_at_ms from client join organisation using (organisation_id)"
        " where organisation_id = $1 and client_id = $2",
        organisation_id,
        client_id,
    )
    return None if row is None else AccountRow(**dict(row))


async def put_client_account(
    connection: Connection, organisation_id: str, client_id: str, name: str
) -> None:
    """Store a client without a token, or another name of one."""
    await connection.execute(
        "insert into client (organisation_id, client_id, name) values ($1, $2, $3)"
        " on conflict (organisation_id, client_id) do update set name = excluded.name",
        organisation_id,
        client_id,
        name,
    )


async def suspend_client(
    connection: Connection, organisation_id: str, client_id: str, at_ms: int | None
) -> None:
    """Note since when a client is suspended; None: it is not."""
    await connection.execute(
        "update client set suspended_at_ms = $3 where organisation_id = $1 and client_id = $2",
        organisation_id,
        client_id,
        at_ms,
    )


async def known_answer(
    database: Queryable, transaction_id: str
) -> tuple[str, bytes, str, int] | None:
    """Return whose a message about accounts was, its digest, its answer (JSON) and its time."""
    row = await database.fetchrow(
        "select organisation_id, digest, answer, at_ms from account_message"
        " where transaction_id = $1",
        transaction_id,
    )
    return None if row is None else (row[0], row[1], row[2], row[3])


async def put_answer(
    connection: Connection,
    transaction_id: str,
    *,
    organisation_id: str,
    digest: bytes,
    answer: str,
    at_ms: int,
) -> None:
    """Store the answer to a message about accounts."""
    await connection.execute(
        "insert into account_message (transaction_id, organisation_id, digest, answer, at_ms)"
        " values ($1, $2, $3, $4, $5)",
        transaction_id,
        organisation_id,
        digest,
        answer,
        at_ms,
    )


async def forget_answers(database: Queryable, before_ms: int, count_max: int) -> int:
    """Forget messages about accounts from before a time, and retrievals of reports; return how
    many."""
    status = await database.execute(
        "delete from account_message where transaction_id in"
        " (select transaction_id from account_message where at_ms < $1 limit $2)",
        before_ms,
        count_max,
    )
    return changed_count(status)


async def put_report_types(
    connection: Connection, organisation_id: str, report_types: list[str]
) -> None:
    """Store which kinds of reports are announced to an organisation."""
    await connection.execute(
        "update organisation set report_types = $2 where organisation_id = $1",
        organisation_id,
        report_types,
    )


async def holders_of(database: Queryable, organisation_id: str) -> frozenset[str]:
    """Return the marketing authorisation holders in an organisation's account, case folded."""
    _, account = await organisation_account(database, organisation_id)
    names: list[str] = msgspec.json.decode(account).get("marketingAuthorisationHolders", [])
    return frozenset(name.casefold() for name in names)
