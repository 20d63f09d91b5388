"""TLS of the client: whom it trusts, and the certificate it shows."""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from emvs.markets import Dialect
from pharmacy_client import PharmacyClient, Profile, ProfileError, SystemUnreachableError
from tests.integration.pharmacy_client.test_wire import SCAN, SOAP_ACTIVE
from tests.integration.pharmacy_client.wire import Wire, http, open_wire

ANSWER = http(200, SOAP_ACTIVE, "application/soap+xml")


def make_certificate(directory: Path, name: str) -> Path:
    """Write a self-signed certificate for 127.0.0.1 with its key; return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{name}.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


def server_context(certificate: Path, client_ca: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def profile(wire: Wire, ca: Path, certificate: Path | None) -> Profile:
    return Profile(
        dialect=Dialect.SOAP,
        url=wire.url.replace("http:", "https:"),
        client_login_id="PHX00042",
        user_id="USER0007",
        password="hush-hush",
        ca=str(ca),
        certificate=None if certificate is None else str(certificate),
        key=None if certificate is None else str(certificate.with_suffix(".key")),
        timeout_s=5,
    )


async def test_mutual_tls(tmp_path: Path) -> None:
    server, till = (make_certificate(tmp_path, name) for name in ("server", "till"))
    async with (
        open_wire(ANSWER, tls=server_context(server, till)) as wire,
        PharmacyClient(profile(wire, server, till)) as client,
    ):
        assert (await client.verify(SCAN)).ok


async def test_missing_client_certificate(tmp_path: Path) -> None:
    server, till = (make_certificate(tmp_path, name) for name in ("server", "till"))
    async with (
        open_wire(ANSWER, tls=server_context(server, till)) as wire,
        PharmacyClient(profile(wire, server, None)) as client,
    ):
        with pytest.raises(SystemUnreachableError):
            await client.verify(SCAN)
    assert wire.received == []


async def test_server_that_is_not_trusted(tmp_path: Path) -> None:
    server, till = (make_certificate(tmp_path, name) for name in ("server", "till"))
    async with (
        open_wire(ANSWER, tls=server_context(server, till)) as wire,
        PharmacyClient(profile(wire, till, till)) as client,
    ):
        with pytest.raises(SystemUnreachableError, match="not trusted"):
            await client.supply(SCAN)
    assert wire.received == []


async def test_key_that_does_not_fit(tmp_path: Path) -> None:
    server, till = (make_certificate(tmp_path, name) for name in ("server", "till"))
    till.with_suffix(".key").write_bytes(server.with_suffix(".key").read_bytes())
    with pytest.raises(ProfileError, match=r"till\.pem"):
        await PharmacyClient(profile(Wire(port=1), server, till)).__aenter__()
