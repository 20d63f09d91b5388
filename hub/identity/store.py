"""Queries on accounts and on the messages about them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from hub.store.connections import Connection, Queryable, Rows, delete_some


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A client with its organisation."""

    organisation_id: str
    client_id: str
    kind: str
    organisation_name: str
    name: str
    suspended_at_ms: int | None


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
    rows = Rows("account_message", "transaction_id", "at_ms < $1")
    return await delete_some(database, rows, before_ms, count_max)


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
