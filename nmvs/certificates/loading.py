"""Loading the certificate authority and the certificates at start."""

from __future__ import annotations

from datetime import timedelta

from emvs.infra.certificate_authority import CertificateAuthority
from emvs.infra.clock import MovableClock
from emvs.infra.database import Database
from nmvs.certificates.registry import Certificates, CertificateSettings
from nmvs.certificates.store import CertificateStore
from nmvs.store import Store

_ROOT_BACKDATED = timedelta(days=1)


async def load_certificates(
    database: Database,
    store: Store,
    clock: MovableClock,
    market: str,
    settings: CertificateSettings,
) -> Certificates:
    """Return the market's certificates; its authority is made once."""
    began = clock.real_now() - _ROOT_BACKDATED
    fresh = CertificateAuthority.create(f"NMVS {market} root", began)
    authority = CertificateAuthority.load(
        await store.setting("certificate_authority", fresh.to_pem())
    )
    certificates = Certificates(
        authority=authority,
        store=CertificateStore(database),
        clock=clock,
        organisation=f"NMVS {market}",
        settings=settings,
    )
    await certificates.load()
    return certificates
