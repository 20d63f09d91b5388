"""A PostgreSQL server that somebody else runs: its address checked, its fitness checked.

Opens one connection and closes it. The systems' pools are elsewhere.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

import asyncpg

from emvs.infra.postgres_binaries import MAJOR_MIN
from emvs.infra.postgres_errors import ExternalPostgresError

_CHECK_TIMEOUT_S = 10.0
_FORM = "postgresql://user:password@host:5432/database"
_CHECK_QUERY = """
select current_setting('server_version') as version,
       current_setting('server_version_num')::int / 10000 as major,
       pg_is_in_recovery() as is_standby,
       has_database_privilege(current_database(), 'CREATE') as can_create
"""


@dataclass(frozen=True, slots=True)
class DsnParts:
    """What may be shown of a DSN: everything but the password."""

    hosts: str
    database: str
    user: str

    def __str__(self) -> str:
        at = f"{self.user}@" if self.user else ""
        return f"{at}{self.hosts or 'local socket'}/{self.database}"


def parse_dsn(dsn: str) -> DsnParts:
    """Return the parts of a DSN; ExternalPostgresError, without the password, if it is none."""
    try:
        parts: SplitResult = urlsplit(dsn)
    except ValueError as error:
        raise ExternalPostgresError(
            f"The address given with --dsn cannot be read. Its form is {_FORM}."
        ) from error
    if parts.scheme not in ("postgresql", "postgres"):
        raise ExternalPostgresError(
            f"The address given with --dsn does not begin with postgresql://. Its form is {_FORM}."
        )
    credentials, _, hosts = parts.netloc.rpartition("@")
    database = unquote(parts.path.removeprefix("/"))
    if not database:
        raise ExternalPostgresError(
            f"The address given with --dsn names no database. Its form is {_FORM}."
        )
    return DsnParts(hosts, database, unquote(credentials.partition(":")[0]))


async def check_external(dsn: str, *, timeout_s: float = _CHECK_TIMEOUT_S) -> str:
    """Return the server's version, such as "16.4", if the systems can work on it.

    ExternalPostgresError if it is not reachable, refuses the login, is older than 15, is a
    standby, or does not let the role make schemas.
    """
    shown = parse_dsn(dsn)
    try:
        async with asyncio.timeout(timeout_s):
            connection = await asyncpg.connect(dsn, timeout=timeout_s)
            try:
                row = await connection.fetchrow(_CHECK_QUERY)
            finally:
                await connection.close()
    except TimeoutError as error:
        raise ExternalPostgresError(
            f"The PostgreSQL server {shown} did not answer within {timeout_s:g} s."
        ) from error
    except OSError as error:
        raise ExternalPostgresError(
            f"The PostgreSQL server {shown} cannot be reached: {error}. Does it run, and are host "
            "and port right?"
        ) from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise ExternalPostgresError(
            f"The PostgreSQL server refuses the login to {shown}: {error}."
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise ExternalPostgresError(
            f"The PostgreSQL server {shown} cannot be used: {error}."
        ) from error
    assert row is not None, "a select without from returns one row"
    return _fitness(row, shown)


def _fitness(row: asyncpg.Record, shown: DsnParts) -> str:
    version = str(row["version"])
    if row["major"] < MAJOR_MIN:
        raise ExternalPostgresError(
            f"The PostgreSQL server {shown} is version {version}; {MAJOR_MIN} or newer is needed."
        )
    if row["is_standby"]:
        raise ExternalPostgresError(
            f"The PostgreSQL server {shown} is a standby, which cannot be written to. Give the "
            "address of its primary."
        )
    if not row["can_create"]:
        raise ExternalPostgresError(
            f"The role {shown.user or '(default)'} may not make schemas in {shown}. Its owner "
            f"can allow that: grant create on database {shown.database} to the role."
        )
    return version
