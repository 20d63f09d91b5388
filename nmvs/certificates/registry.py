"""Which certificates there are, whose they are, and whether they count now.

A certificate belongs to one client and lives two years; its successor is made sixty days before
the end and waits as long to be fetched; until then both count. Public texts of the national
organisations give these figures. All by the system's clock. No wire format is known here.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final

from emvs.errors import BadRequestError, NotFoundError
from emvs.infra.certificate_authority import CertificateAuthority
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from nmvs.certificates.store import CertificateStore, Package, StoredCertificate

_CERTIFICATES_MAX: Final = 1_000_000
_WORK_INTERVAL_S: Final = 3600.0
_TAN_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_CLIENT_LOGIN_ID: Final = re.compile("[A-Za-z0-9-]{1,32}")
_TAN_LENGTH: Final = 20
"""A hundred bits; the interface allows 8 to 60 characters (our choice)."""

_log = get_logger(__name__)


class Problem(Enum):
    """Why no certificate is handed out, or why one does not count."""

    NONE_SHOWN = "no client certificate was shown"
    UNKNOWN = "the certificate was not issued by this system"
    NOT_YET_VALID = "the certificate is not valid yet"
    EXPIRED = "the certificate has expired"
    REVOKED = "the certificate has been revoked"
    NOTHING_WAITS = "no new certificate waits for this client"


@dataclass(frozen=True, slots=True)
class CertificateSettings:
    """What a market may set about certificates."""

    life_s: int = 730 * 86_400
    successor_before_s: int = 60 * 86_400
    """How long before the end a successor is made. Older texts say 30 days."""
    kept_s: int = 60 * 86_400
    """How long a package waits to be fetched."""


class Certificates:
    """The certificates of one national system's clients."""

    def __init__(
        self,
        *,
        authority: CertificateAuthority,
        store: CertificateStore,
        clock: Clock,
        organisation: str,
        settings: CertificateSettings | None = None,
    ) -> None:
        """`organisation` stands in the subjects: the market's."""
        self.authority = authority
        self.settings = settings or CertificateSettings()
        self._store = store
        self._clock = clock
        self._organisation = organisation
        self._by_fingerprint: dict[bytes, StoredCertificate] = {}
        self._of_client: dict[str, list[bytes]] = {}
        self._changing = asyncio.Lock()
        self._bell = asyncio.Event()

    async def load(self) -> None:
        """Read all certificates from the store."""
        for certificate in await self._store.certificates():
            self._put(certificate)

    def all(self) -> Iterable[StoredCertificate]:
        """Return all certificates in order of issue."""
        return self._by_fingerprint.values()

    def problem(self, fingerprint: bytes | None) -> Problem | None:
        """Return why a shown certificate does not count; None if it does."""
        if fingerprint is None:
            return Problem.NONE_SHOWN
        known = self._by_fingerprint.get(fingerprint)
        if known is None:
            return Problem.UNKNOWN
        if known.revoked_at is not None:
            return Problem.REVOKED
        now = self._clock.now()
        if now < known.starts_at:
            return Problem.NOT_YET_VALID
        return Problem.EXPIRED if now >= known.ends_at else None

    def client_of(self, fingerprint: bytes) -> str:
        """Return the client login id that a known certificate belongs to."""
        return self._by_fingerprint[fingerprint].client_login_id

    async def issue(
        self, client_login_id: str, *, starts_in_s: int = 0, life_s: int | None = None
    ) -> tuple[StoredCertificate, str]:
        """Make a certificate; return it and the TAN that fetches it once.

        `starts_in_s` and `life_s` make certificates for tests: expired, near their end, not yet
        valid. Raises BadRequestError for figures out of range.
        """
        check_client_login_id(client_login_id)
        return await self._issue(client_login_id, starts_in_s, life_s, None)

    async def fetch_by_tan(self, client_login_id: str, tan: str) -> Package | Problem:
        """Return the package that waits under a TAN, once."""
        digest = hashlib.sha256(tan.encode("utf-8", "surrogatepass")).digest()
        async with self._changing:
            for fingerprint in self._of_client.get(client_login_id, ()):
                known = self._by_fingerprint[fingerprint]
                if known.tan_hash is None or not secrets.compare_digest(known.tan_hash, digest):
                    continue
                if known.tan_used_at is not None or not self._can_be_fetched(known):
                    return Problem.NOTHING_WAITS
                package = await self._package(known)
                if isinstance(package, Package):
                    now = self._clock.now()
                    await self._store.use_tan(fingerprint, now)
                    self._put(known._replace(tan_used_at=now))
                return package
        return Problem.NOTHING_WAITS

    async def fetch_successor(
        self, client_login_id: str, shown: bytes | None = None
    ) -> Package | Problem:
        """Return the package of the newest successor, as often as it is asked for: it may be
        installed on several machines. Nothing waits for who shows that one already."""
        for fingerprint in reversed(self._of_client.get(client_login_id, ())):
            if fingerprint == shown:
                break
            known = self._by_fingerprint[fingerprint]
            if known.replaces is not None and self._can_be_fetched(known):
                return await self._package(known)
        return Problem.NOTHING_WAITS

    async def waiting_package(self, fingerprint: bytes) -> Package | Problem:
        """Return the package of a certificate while it waits."""
        return await self._package(self._by_fingerprint[fingerprint])

    async def revoke(self, serial_number: str) -> StoredCertificate:
        """End a certificate at once. Raises NotFoundError."""
        async with self._changing:
            known = self._with_serial_number(serial_number)
            now = self._clock.now()
            await self._store.revoke(known.fingerprint, now)
            revoked = known._replace(revoked_at=known.revoked_at or now, waits=False)
            self._put(revoked)
        return revoked

    async def renew(self, serial_number: str) -> tuple[StoredCertificate, str]:
        """Make the successor of a certificate now; return it and its TAN. Raises NotFoundError."""
        known = self._with_serial_number(serial_number)
        return await self._issue(known.client_login_id, 0, None, known.fingerprint)

    def ring(self) -> None:
        """Do what is due: the clock was moved."""
        self._bell.set()

    async def run(self) -> None:
        """Make successors and drop old packages, for ever, by the clock."""
        while True:
            await self._do_what_is_due()
            self._bell.clear()
            try:
                async with asyncio.timeout(_WORK_INTERVAL_S):
                    await self._bell.wait()
            except TimeoutError:
                continue

    async def _do_what_is_due(self) -> None:
        try:
            now = self._clock.now()
            replaced = {
                known.replaces
                for known in self._by_fingerprint.values()
                if known.revoked_at is None
            }
            soon = now + timedelta(seconds=self.settings.successor_before_s)
            for known in list(self._by_fingerprint.values()):
                due = known.ends_at <= soon and now < known.ends_at
                if due and known.revoked_at is None and known.fingerprint not in replaced:
                    await self._issue(known.client_login_id, 0, None, known.fingerprint)
            oldest = now - timedelta(seconds=self.settings.kept_s)
            await self._store.drop_packages(oldest)
            for known in list(self._by_fingerprint.values()):
                if known.waits and known.issued_at < oldest:
                    self._put(known._replace(waits=False))
        except Exception as error:  # noqa: BLE001 - it is tried again; certificates still count.
            _log.warning("certificates wait", action="certificates_failed", error=repr(error))

    async def _issue(
        self,
        client_login_id: str,
        starts_in_s: int,
        life_s: int | None,
        replaces: bytes | None,
    ) -> tuple[StoredCertificate, str]:
        life = self.settings.life_s if life_s is None else life_s
        if not (1 <= life <= 20 * 365 * 86_400 and abs(starts_in_s) <= 20 * 365 * 86_400):
            raise BadRequestError("life and start of a certificate are within twenty years")
        if len(self._by_fingerprint) >= _CERTIFICATES_MAX:
            raise BadRequestError(f"at most {_CERTIFICATES_MAX} certificates are kept")
        async with self._changing:
            now = self._clock.now().replace(microsecond=0)
            starts = now + timedelta(seconds=starts_in_s)
            issued = self.authority.issue_client(
                client_login_id, self._organisation, starts, starts + timedelta(seconds=life)
            )
            passphrase, tan = secrets.token_urlsafe(18), _new_tan()
            name = _package_name(client_login_id)
            content = await asyncio.to_thread(self.authority.pack, issued, name, passphrase)
            known = StoredCertificate(
                fingerprint=issued.fingerprint,
                serial_number=f"{issued.certificate.serial_number:x}",
                client_login_id=client_login_id,
                starts_at=starts,
                ends_at=starts + timedelta(seconds=life),
                issued_at=now,
                replaces=replaces,
                tan_hash=hashlib.sha256(tan.encode()).digest(),
                waits=True,
            )
            await self._store.put(known, Package(name, content, passphrase))
            self._put(known)
        _log.info("certificate issued", action="certificate_issued", client=client_login_id)
        return known, tan

    async def _package(self, known: StoredCertificate) -> Package | Problem:
        found = await self._store.package(known.fingerprint)
        if found is None:
            return Problem.NOTHING_WAITS
        return Package(_package_name(known.client_login_id), *found)

    def _can_be_fetched(self, known: StoredCertificate) -> bool:
        age = self._clock.now() - known.issued_at
        return (
            known.waits
            and known.revoked_at is None
            and age < timedelta(seconds=self.settings.kept_s)
        )

    def _with_serial_number(self, serial_number: str) -> StoredCertificate:
        wanted = serial_number.lower().replace(":", "").lstrip("0")
        for known in self._by_fingerprint.values():
            if known.serial_number == wanted:
                return known
        raise NotFoundError(f"no certificate has the serial number {serial_number!a}")

    def _put(self, known: StoredCertificate) -> None:
        if known.fingerprint not in self._by_fingerprint:
            self._of_client.setdefault(known.client_login_id, []).append(known.fingerprint)
        self._by_fingerprint[known.fingerprint] = known


def check_client_login_id(text: str) -> None:
    """Raise BadRequestError for what no message could ever name: the SOAP interface's type."""
    if _CLIENT_LOGIN_ID.fullmatch(text) is None:
        raise BadRequestError("a client login id has 1 to 32 letters, digits and hyphens")


def _new_tan() -> str:
    return "".join(secrets.choice(_TAN_ALPHABET) for _ in range(_TAN_LENGTH))


def _package_name(client_login_id: str) -> str:
    return f"{client_login_id}.p12"
