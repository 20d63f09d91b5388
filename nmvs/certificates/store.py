"""Queries on the certificate table. Rows become values; no rule here."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import asyncpg

from emvs.infra.database import Database

_COLUMNS = (
    "fingerprint, serial_number, client_login_id, starts_at, ends_at, issued_at, revoked_at,"
    " replaces, tan_hash, tan_used_at, package is not null as waits"
)


class StoredCertificate(NamedTuple):
    """A row of the certificate table without the package."""

    fingerprint: bytes
    """SHA-256 of the certificate's DER form."""
    serial_number: str
    """Hexadecimal."""
    client_login_id: str
    starts_at: datetime
    ends_at: datetime
    issued_at: datetime
    revoked_at: datetime | None = None
    replaces: bytes | None = None
    """Fingerprint of the predecessor, where it was issued as a successor."""
    tan_hash: bytes | None = None
    tan_used_at: datetime | None = None
    waits: bool = False
    """Whether the package is still there to be fetched."""


class Package(NamedTuple):
    """A certificate with its key as a client installs it."""

    name: str
    content: bytes
    """PKCS#12, with the root."""
    passphrase: str


class CertificateStore:
    """Queries on one national system's certificates."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _pool(self) -> asyncpg.Pool[asyncpg.Record]:
        return self._database.pool

    async def certificates(self) -> list[StoredCertificate]:
        """Return all certificates, in order of issue."""
        rows = await self._pool.fetch(
            f"select {_COLUMNS} from certificate order by issued_at, serial_number"  # noqa: S608
        )
        return [StoredCertificate(*row) for row in rows]

    async def put(self, certificate: StoredCertificate, package: Package) -> None:
        """Store a certificate with its package."""
        await self._pool.execute(
            "insert into certificate (fingerprint, serial_number, client_login_id, starts_at,"
            " ends_at, issued_at, revoked_at, replaces, tan_hash, tan_used_at, package, passphrase)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            *certificate[:10],
            package.content,
            package.passphrase,
        )

    async def package(self, fingerprint: bytes) -> tuple[bytes, str] | None:
        """Return a waiting package and its passphrase."""
        row = await self._pool.fetchrow(
            "select package, passphrase from certificate"
            " where fingerprint = $1 and package is not null",
            fingerprint,
        )
        return (row[0], row[1]) if row else None

    async def use_tan(self, fingerprint: bytes, now: datetime) -> bool:
        """Note that a TAN was used; False if it was used before."""
        row = await self._pool.fetchrow(
            "update certificate set tan_used_at = $2"
            " where fingerprint = $1 and tan_used_at is null returning 1",
            fingerprint,
            now,
        )
        return row is not None

    async def revoke(self, fingerprint: bytes, now: datetime) -> None:
        """Note that a certificate counts no more, and drop its package."""
        await self._pool.execute(
            "update certificate set revoked_at = coalesce(revoked_at, $2), package = null,"
            " passphrase = null where fingerprint = $1",
            fingerprint,
            now,
        )

    async def drop_packages(self, issued_before: datetime) -> None:
        """Drop packages that nobody fetched in time."""
        await self._pool.execute(
            "update certificate set package = null, passphrase = null"
            " where issued_at < $1 and package is not null",
            issued_before,
        )
