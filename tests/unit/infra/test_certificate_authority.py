"""Our certificate authority, checked by an independent verifier."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from emvs.errors import ConfigurationError
from emvs.infra.certificate_authority import CertificateAuthority

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return CertificateAuthority.create("Root", NOW)


def verifier(authority: CertificateAuthority, at: datetime) -> PolicyBuilder:
    root = x509.load_pem_x509_certificate(authority.root_pem.encode())
    return PolicyBuilder().store(Store([root])).time(at)


def test_a_client_certificate_verifies(authority: CertificateAuthority) -> None:
    issued = authority.issue_client("PH000001", "NMVS AT", NOW, NOW + 2 * YEAR)
    builder = verifier(authority, NOW + YEAR)
    verified = builder.build_client_verifier().verify(issued.certificate, [])
    assert verified.subjects is not None
    assert [name.value for name in verified.subjects] == ["urn:emvs:client:PH000001"]
    with pytest.raises(VerificationError):
        verifier(authority, NOW + 3 * YEAR).build_client_verifier().verify(issued.certificate, [])


def test_a_strangers_certificate_does_not(authority: CertificateAuthority) -> None:
    stranger = CertificateAuthority.create("Root", NOW)
    issued = stranger.issue_client("PH000001", "NMVS AT", NOW, NOW + YEAR)
    with pytest.raises(VerificationError):
        verifier(authority, NOW).build_client_verifier().verify(issued.certificate, [])


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_server_certificate_verifies_for_its_names(
    authority: CertificateAuthority, name: str
) -> None:
    issued = authority.issue_server(["localhost", "127.0.0.1", "::1"], NOW, YEAR)
    alternative = issued.certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value
    shown = {str(entry.value) for entry in alternative}
    assert name in shown
    subject = x509.DNSName("localhost")
    verifier(authority, NOW).build_server_verifier(subject).verify(issued.certificate, [])


def test_a_package_opens_with_its_passphrase_alone(authority: CertificateAuthority) -> None:
    issued = authority.issue_client("PH000001", "NMVS AT", NOW, NOW + YEAR)
    content = authority.pack(issued, "PH000001", "right")
    key, certificate, more = pkcs12.load_key_and_certificates(content, b"right")
    assert certificate == issued.certificate
    assert key is not None
    assert [root.subject for root in more] == [certificate.issuer]
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(content, b"wrong")


def test_an_authority_comes_back_as_it_was(authority: CertificateAuthority) -> None:
    again = CertificateAuthority.load(authority.to_pem())
    assert again.root_pem == authority.root_pem
    issued = again.issue_client("A", "B", NOW, NOW + YEAR)
    verifier(authority, NOW).build_client_verifier().verify(issued.certificate, [])


@pytest.mark.parametrize("spoil", ["", "no PEM at all", "certificate only", "another key"])
def test_what_is_no_authority_is_refused(authority: CertificateAuthority, spoil: str) -> None:
    pem = authority.to_pem()
    mark = "-----BEGIN PRIVATE KEY"
    end = pem.index(mark)
    other = CertificateAuthority.create("X", NOW).to_pem()
    texts = {
        "certificate only": pem[:end],
        "another key": pem[:end] + other[other.index(mark) :],
    }
    with pytest.raises(ConfigurationError):
        CertificateAuthority.load(texts.get(spoil, spoil))
