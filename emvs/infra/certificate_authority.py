"""A certificate authority of our own: makes a root, server certificates and client certificates.

Each system that wants mutual TLS has one. Keys are on curve P-256, signatures ECDSA with SHA-256.
Who gets a certificate and whether it still counts is not known here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from emvs.errors import ConfigurationError

_ROOT_LIFE: Final = timedelta(days=20 * 365)
_BACKDATED: Final = timedelta(hours=1)
"""A certificate begins earlier than it is made, for machines whose clocks are behind."""
_NAME_LENGTH_MAX: Final = 64
"""Of the parts of a subject: RFC 5280, appendix A.1."""


class Issued(NamedTuple):
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> str:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The private key as PEM, not encrypted."""
        return _key_pem(self.key)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the certificate's DER form, 32 bytes."""
        return self.certificate.fingerprint(hashes.SHA256())


class CertificateAuthority:
    """A root certificate and its key."""

    def __init__(self, root: Issued) -> None:
        self._root = root

    @classmethod
    def create(cls, name: str, now: datetime) -> CertificateAuthority:
        """Return a new authority whose root is valid for twenty years from `now`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(name, "European Medicines Verification System in a box")
        builder = (
            _builder(subject, key.public_key(), now - _BACKDATED, now + _ROOT_LIFE)
            .issuer_name(subject)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )
        return cls(Issued(builder.sign(key, hashes.SHA256()), key))

    @classmethod
    def load(cls, pem: str) -> CertificateAuthority:
        """Return the authority that `to_pem` wrote. Raises ConfigurationError."""
        try:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            key = serialization.load_pem_private_key(pem.encode(), password=None)
        except ValueError as error:
            raise ConfigurationError("the certificate authority's PEM cannot be read") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigurationError("the certificate authority's key is not on an elliptic curve")
        if key.public_key() != certificate.public_key():
            raise ConfigurationError("the certificate authority's key is another certificate's")
        return cls(Issued(certificate, key))

    def to_pem(self) -> str:
        """Return root certificate and key; to be kept secret."""
        return self._root.certificate_pem + self._root.key_pem

    @property
    def root_pem(self) -> str:
        """The root certificate, which clients trust."""
        return self._root.certificate_pem

    def issue_server(self, names: Sequence[str], now: datetime, life: timedelta) -> Issued:
        """Return a server's certificate for host names and IP addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(
                _subject(names[0], "National system"),
                key.public_key(),
                now - _BACKDATED,
                min(now + life, self._root.certificate.not_valid_after_utc),
            )
            .add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]),
                critical=False,
            )
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        return self._sign(builder, key)

    def issue_client(
        self, common_name: str, organisation: str, starts: datetime, ends: datetime
    ) -> Issued:
        """Return a client's certificate. The common name stands in the alternative name too,
        because verifiers refuse a certificate without one."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _client_builder(common_name, organisation, key.public_key(), starts, ends)
        return self._sign(builder, key)

    def sign_request(
        self,
        request: x509.CertificateSigningRequest,
        common_name: str,
        organisation: str,
        starts: datetime,
        ends: datetime,
    ) -> x509.Certificate:
        """Return a client's certificate for the key of a signing request, which the caller has
        looked at. Nothing else of the request is taken over."""
        ends = min(ends, self._root.certificate.not_valid_after_utc)
        builder = _client_builder(common_name, organisation, request.public_key(), starts, ends)
        return self._signed(builder)

    def pack(self, issued: Issued, name: str, passphrase: str) -> bytes:
        """Return a PKCS#12 container with certificate, key and root."""
        return pkcs12.serialize_key_and_certificates(
            name.encode(),
            issued.key,
            issued.certificate,
            [self._root.certificate],
            serialization.BestAvailableEncryption(passphrase.encode()),
        )

    def _sign(self, builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> Issued:
        return Issued(self._signed(builder), key)

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        root = self._root
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key())
        return (
            builder.issuer_name(root.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(identifier, critical=False)
            .sign(root.key, hashes.SHA256())
        )


def _client_builder(
    common_name: str,
    organisation: str,
    key: CertificatePublicKeyTypes,
    starts: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        _builder(_subject(common_name, organisation), key, starts, ends)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(f"urn:emvs:client:{common_name}")]
            ),
            critical=False,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )


def _builder(
    subject: x509.Name, key: CertificatePublicKeyTypes, starts: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(starts)
        .not_valid_after(ends)
    )


def _subject(common_name: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[:_NAME_LENGTH_MAX] or "-"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:_NAME_LENGTH_MAX]),
        ]
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
