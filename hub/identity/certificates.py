"""Client certificates: issued on a signing request, told apart by fingerprint, revoked.

A client may have several that count, so that a new one can be in use before the old one ends.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from emvs.account_messages import ClientCertificate
from emvs.errors import BadRequestError, ConflictError, NotFoundError
from emvs.infra.certificate_authority import CertificateAuthority
from emvs.infra.clock import MovableClock
from hub.identity import credential_store
from hub.identity.credential_store import CertificateRow
from hub.organisations import Client
from hub.store.connections import Pool
from hub.times import utc

_NAME: Final = "certificate_authority"
_ROOT_BACKDATED: Final = timedelta(days=1)
_BACKDATED: Final = timedelta(hours=1)
_SERVER_LIFE: Final = timedelta(days=825)
_CLIENT_MAX: Final = 20
"""Certificates of one client that count at a time (our choice)."""
_RSA_BITS: Final = (2_048, 8_192)
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class Certificates:
    """The hub's certificate authority and what it issued."""

    def __init__(self, pool: Pool, clock: MovableClock, *, days: int) -> None:
        self._pool = pool
        self._clock = clock
        self._life = timedelta(days=days)
        self._by_fingerprint: dict[bytes, CertificateRow] = {}
        self._one_at_a_time = asyncio.Lock()
        """A request that comes twice at once gets one certificate."""

    async def load(self) -> None:
        """Read what there is; the authority is made once."""
        began = self._clock.real_now() - _ROOT_BACKDATED
        fresh = CertificateAuthority.create("EU Hub root", began).to_pem()
        self.authority = CertificateAuthority.load(
            await credential_store.secret(self._pool, _NAME, fresh)
        )
        await self._reread()

    def problem(self, fingerprint: bytes | None) -> str | None:
        """Return why a certificate does not count, None if it does."""
        if fingerprint is None:
            return "a client certificate is wanted"
        row = self._by_fingerprint.get(fingerprint)
        if row is None:
            return "the client certificate is not known"
        if row.revoked_at_ms is not None:
            return f"the client certificate was revoked at {utc(row.revoked_at_ms)}"
        now_ms = self._clock.now_ms()
        if now_ms >= row.ends_at_ms:
            return f"the client certificate ended at {utc(row.ends_at_ms)}"
        if now_ms < row.starts_at_ms:
            return "the client certificate does not hold yet"
        return None

    def owner(self, fingerprint: bytes) -> tuple[str, str]:
        """Return organisation and client id of a known certificate."""
        row = self._by_fingerprint[fingerprint]
        return row.organisation_id, row.client_id

    def has_one(self, client: Client) -> bool:
        """Tell whether a client has a certificate that counts."""
        rows = self._of(client.organisation_id, client.client_id)
        return any(self.problem(row.fingerprint) is None for row in rows)

    async def issue(self, client: Client, request_pem: str) -> ClientCertificate:
        """Return a certificate for the key in a signing request; the same for the same request
        while it counts.

        Raises BadRequestError, ConflictError if the client has too many.
        """
        request = _read(request_pem)
        async with self._one_at_a_time:
            return await self._issue(client, request)

    async def _issue(
        self, client: Client, request: x509.CertificateSigningRequest
    ) -> ClientCertificate:
        digest = hashlib.sha256(request.public_bytes(serialization.Encoding.DER)).digest()
        counting = [
            row
            for row in self._of(client.organisation_id, client.client_id)
            if self.problem(row.fingerprint) is None
        ]
        for row in counting:
            if row.request_digest == digest:
                return self._shown(row)
        if len(counting) >= _CLIENT_MAX:
            raise ConflictError(f"the client has {_CLIENT_MAX} certificates: have one revoked")
        now = self._clock.now()
        certificate = self.authority.sign_request(
            request,
            f"{client.organisation_id}{client.client_id}",
            client.organisation_id,
            now - _BACKDATED,
            now + self._life,
        )
        row = CertificateRow(
            certificate.fingerprint(hashes.SHA256()),
            client.organisation_id,
            client.client_id,
            digest,
            certificate.public_bytes(serialization.Encoding.PEM).decode(),
            _ms(certificate.not_valid_before_utc),
            _ms(certificate.not_valid_after_utc),
            None,
        )
        await credential_store.put_certificate(self._pool, row)
        self._by_fingerprint[row.fingerprint] = row
        return self._shown(row)

    def of_client(self, organisation_id: str, client_id: str) -> list[ClientCertificate]:
        """Return a client's certificates, the oldest first."""
        return [self._shown(row) for row in self._of(organisation_id, client_id)]

    async def revoke(
        self, organisation_id: str, client_id: str, fingerprint: str
    ) -> ClientCertificate:
        """Revoke a certificate for good. Raises NotFoundError."""
        for row in self._of(organisation_id, client_id):
            if row.fingerprint.hex() == fingerprint.lower():
                await credential_store.revoke_certificate(
                    self._pool, row.fingerprint, self._clock.now_ms()
                )
                await self._reread()
                return self._shown(self._by_fingerprint[row.fingerprint])
        raise NotFoundError("the client has no such certificate")

    def _of(self, organisation_id: str, client_id: str) -> list[CertificateRow]:
        return [
            row
            for row in self._by_fingerprint.values()
            if (row.organisation_id, row.client_id) == (organisation_id, client_id)
        ]

    def _shown(self, row: CertificateRow) -> ClientCertificate:
        status = "Valid"
        if row.revoked_at_ms is not None:
            status = "Revoked"
        elif self.problem(row.fingerprint) is not None:
            status = "Expired"
        return ClientCertificate(
            row.fingerprint.hex(),
            row.organisation_id,
            row.client_id,
            utc(row.starts_at_ms),
            utc(row.ends_at_ms),
            status,
            row.pem,
        )

    async def _reread(self) -> None:
        rows = await credential_store.all_certificates(self._pool)
        self._by_fingerprint = {row.fingerprint: row for row in rows}


def _read(pem: str) -> x509.CertificateSigningRequest:
    """Return a signing request. Raises BadRequestError unless its sender has the key."""
    try:
        request = x509.load_pem_x509_csr(pem.encode("ascii", "replace"))
        is_signed = request.is_signature_valid
        key = request.public_key()
    except Exception as error:
        raise BadRequestError(
            "certificateRequest is a PKCS#10 signing request as PEM"
            " (-----BEGIN CERTIFICATE REQUEST-----)"
        ) from error
    if not is_signed:
        raise BadRequestError("the signing request's signature is wrong")
    if isinstance(key, rsa.RSAPublicKey):
        is_fit = _RSA_BITS[0] <= key.key_size <= _RSA_BITS[1]
    elif isinstance(key, ec.EllipticCurvePublicKey):
        is_fit = isinstance(key.curve, _CURVES)
    else:
        is_fit = isinstance(key, ed25519.Ed25519PublicKey)
    if not is_fit:
        raise BadRequestError(
            "a client's key is RSA of 2048 to 8192 bits, or on curve P-256, P-384, P-521 or Ed25519"
        )
    return request


def _ms(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp() * 1000)
