"""Handshakes in memory: whose certificates the listener's context takes, and whose never."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from emvs.infra.certificate_authority import CertificateAuthority, Issued
from emvs.infra.tls import server_context

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return CertificateAuthority.create("Root of a test", NOW - DAY)


def client(authority: CertificateAuthority, starts: timedelta, ends: timedelta) -> Issued:
    return authority.issue_client("PHARMACY00001", "Test", NOW + starts, NOW + ends)


def signed_by(issuer: Issued, *, is_authority: bool = False) -> Issued:
    """A certificate that another one has signed, though it may not."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "below")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    return Issued(builder.sign(issuer.key, hashes.SHA256()), key)


def handshake(authority: CertificateAuthority, folder: Path, *shown: Issued) -> bytes | None:
    """Return the certificate that the server has taken, None if there was none.

    Raises ssl.SSLError if one side refuses.
    """
    listener = authority.issue_server(["localhost"], NOW, 30 * DAY)
    trusting = ssl.create_default_context(cadata=authority.root_pem)
    if shown:
        path = folder / "shown.pem"
        chain = "".join(issued.certificate_pem for issued in shown)
        path.write_text(shown[0].key_pem + chain)
        trusting.load_cert_chain(path)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = trusting.wrap_bio(to_client, to_server, server_hostname="localhost")
    there = server_context(listener, authority.root_pem, asks_client=True).wrap_bio(
        to_server, to_client, server_side=True
    )
    for side in (here, there) * 4:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return there.getpeercert(binary_form=True)


@pytest.mark.parametrize(
    ("starts", "ends"), [(-DAY, DAY), (-800 * DAY, -70 * DAY), (30 * DAY, 60 * DAY)]
)
def test_time_is_not_the_librarys_to_judge(
    authority: CertificateAuthority, tmp_path: Path, starts: timedelta, ends: timedelta
) -> None:
    shown = client(authority, starts, ends)
    taken = handshake(authority, tmp_path, shown)
    assert taken is not None
    assert x509.load_der_x509_certificate(taken) == shown.certificate


def test_without_a_certificate_a_connection_is_taken(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    assert handshake(authority, tmp_path) is None


def test_a_servers_certificate_is_no_clients(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    with pytest.raises(ssl.SSLError, match=r"purpose|certificate"):
        handshake(authority, tmp_path, authority.issue_server(["localhost"], NOW, DAY))


@pytest.mark.parametrize("is_authority", [False, True])
def test_nobody_but_the_root_signs(
    authority: CertificateAuthority, tmp_path: Path, is_authority: bool
) -> None:
    middle = client(authority, -DAY, DAY)
    with pytest.raises(ssl.SSLError):
        handshake(authority, tmp_path, signed_by(middle, is_authority=is_authority), middle)


def test_a_root_of_the_same_name_is_another(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    other = CertificateAuthority.create("Root of a test", NOW - DAY)
    with pytest.raises(ssl.SSLError):
        handshake(authority, tmp_path, client(other, -DAY, DAY))
