"""Queries on logins to the SOAP services and on terms. Rows become values; no rule here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

import asyncpg

from emvs.infra.database import Database
from emvs.login_rules import LoginState

_LOGIN: Final = (
    "client_login_id, user_id, location_number, password_hash, former_hash, assigned_at,"
    " is_initial, expires, former_until, failure_count, locked_at, is_locked_by_hand,"
    " accepted_version"
)


class _Executor(Protocol):
    """A connection, or the pool for one of its own."""

    async def execute(self, query: str, /, *args: Any) -> str:
        """Run a statement."""
        ...


class StoredLogin(NamedTuple):
    """A row of the login table."""

    client_login_id: str
    user_id: str
    location_number: int
    password_hash: str
    former_hash: str | None
    """Of the password before it, while that one still logs in."""
    state: LoginState


class StoredTerms(NamedTuple):
    """A row of the terms table."""

    version: int
    content: str
    starts_at: datetime
    accept_by: datetime


class LoginStore:
    """Queries on the logins of one national system."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _pool(self) -> asyncpg.Pool[asyncpg.Record]:
        return self._database.pool

    async def date_all(self, now: datetime) -> None:
        """Note when passwords were assigned that have no such time yet."""
        await self._pool.execute(
            "update soap_login set assigned_at = $1 where assigned_at is null", now
        )

    async def logins(self) -> list[StoredLogin]:
        """Return all logins."""
        rows = await self._pool.fetch(f"select {_LOGIN} from soap_login")  # noqa: S608 - a constant.
        return [_login(row) for row in rows]

    async def login(self, client_login_id: str, user_id: str) -> StoredLogin:
        """Return one login that is known to be there."""
        row = await self._pool.fetchrow(
            f"select {_LOGIN} from soap_login where client_login_id = $1 and user_id = $2",  # noqa: S608 - a constant.
            client_login_id,
            user_id,
        )
        return _login(row)

    async def put(self, login: StoredLogin) -> None:
        """Store a login, new or changed."""
        await self._put(self._pool, login)

    async def put_with_history(
        self, login: StoredLogin, replaced: str, now: datetime, *, history_count: int
    ) -> None:
        """Store a login whose password with the hash `replaced` has made room for another; of its
        former ones so many are kept."""
        async with self._pool.acquire() as connection, connection.transaction():
            await self._put(connection, login)
            await connection.execute(
                "insert into soap_password values ($1, $2, $3, $4) on conflict do nothing",
                *login[:2],
                now,
                replaced,
            )
            await connection.execute(
                "delete from soap_password where client_login_id = $1 and user_id = $2"
                " and (replaced_at, password_hash) not in ("
                "select replaced_at, password_hash from soap_password"
                " where client_login_id = $1 and user_id = $2"
                " order by replaced_at desc limit $3)",
                *login[:2],
                history_count,
            )

    async def _put(self, connection: _Executor, login: StoredLogin) -> None:
        await connection.execute(
            f"insert into soap_login ({_LOGIN})"  # noqa: S608 - a constant.
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
            " on conflict (client_login_id, user_id) do update"
            " set location_number = excluded.location_number,"
            " password_hash = excluded.password_hash, former_hash = excluded.former_hash,"
            " assigned_at = excluded.assigned_at, is_initial = excluded.is_initial,"
            " expires = excluded.expires, former_until = excluded.former_until,"
            " failure_count = excluded.failure_count, locked_at = excluded.locked_at,"
            " is_locked_by_hand = excluded.is_locked_by_hand,"
            " accepted_version = excluded.accepted_version",
            *_row(login),
        )

    async def history(self, client_login_id: str, user_id: str, count: int) -> tuple[str, ...]:
        """Return the hashes of a login's last so many former passwords."""
        rows = await self._pool.fetch(
            "select password_hash from soap_password where client_login_id = $1 and user_id = $2"
            " order by replaced_at desc limit $3",
            client_login_id,
            user_id,
            count,
        )
        return tuple(row[0] for row in rows)

    async def accept_terms(self, login: StoredLogin, now: datetime) -> None:
        """Store that a login's user has accepted the version that it names."""
        version = login.state.accepted_version
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "update soap_login set accepted_version = $3"
                " where client_login_id = $1 and user_id = $2",
                *login[:2],
                version,
            )
            await connection.execute(
                "insert into terms_acceptance values ($1, $2, $3, $4) on conflict do nothing",
                *login[:2],
                version,
                now,
            )

    async def sub_user_clients(self) -> set[str]:
        """Return the client login ids whose requests must name a sub-user."""
        rows = await self._pool.fetch("select client_login_id from soap_sub_user_client")
        return {row[0] for row in rows}

    async def put_sub_user_client(self, client_login_id: str, *, is_required: bool) -> None:
        """Store whether a client's requests must name a sub-user."""
        await self._pool.execute(
            "insert into soap_sub_user_client values ($1) on conflict do nothing"
            if is_required
            else "delete from soap_sub_user_client where client_login_id = $1",
            client_login_id,
        )

    async def terms(self) -> list[StoredTerms]:
        """Return all terms, oldest first."""
        rows = await self._pool.fetch(
            "select version, content, starts_at, accept_by from terms order by version"
        )
        return [StoredTerms(*row) for row in rows]

    async def put_terms(self, terms: StoredTerms) -> None:
        """Store terms, new or changed."""
        await self._pool.execute(
            "insert into terms (version, content, starts_at, accept_by) values ($1, $2, $3, $4)"
            " on conflict (version) do update set content = excluded.content,"
            " starts_at = excluded.starts_at, accept_by = excluded.accept_by",
            *terms,
        )

    async def drop_terms(self, version: int) -> None:
        """Forget terms."""
        await self._pool.execute("delete from terms where version = $1", version)


def to_ms(time: datetime) -> int:
    """Return milliseconds since 1970 UTC."""
    return round(time.timestamp() * 1000)


def from_ms(time_ms: int) -> datetime:
    """Return the time of so many milliseconds since 1970 UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def _login(row: Any) -> StoredLogin:
    former_until, locked_at = row["former_until"], row["locked_at"]
    return StoredLogin(
        row["client_login_id"],
        row["user_id"],
        row["location_number"],
        row["password_hash"],
        row["former_hash"],
        LoginState(
            assigned_at_ms=to_ms(row["assigned_at"]),
            is_initial=row["is_initial"],
            expires=row["expires"],
            former_until_ms=to_ms(former_until) if former_until else 0,
            failure_count=row["failure_count"],
            locked_at_ms=to_ms(locked_at) if locked_at else None,
            is_locked_by_hand=row["is_locked_by_hand"],
            accepted_version=row["accepted_version"],
        ),
    )


def _row(login: StoredLogin) -> tuple[object, ...]:
    state = login.state
    return (
        *login[:5],
        from_ms(state.assigned_at_ms),
        state.is_initial,
        state.expires,
        from_ms(state.former_until_ms) if state.former_until_ms else None,
        state.failure_count,
        None if state.locked_at_ms is None else from_ms(state.locked_at_ms),
        state.is_locked_by_hand,
        state.accepted_version,
    )
