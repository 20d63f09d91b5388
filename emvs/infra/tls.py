"""TLS for listeners: contexts, and whose certificate a connection showed.

Whether a certificate still counts is the caller's to say, by the system's own clock: OpenSSL here
checks signatures and purpose, but not time, which testers move.
"""

from __future__ import annotations

import hashlib
import ssl
import tempfile
from pathlib import Path
from typing import Final

from aiohttp import web

from emvs.infra.certificate_authority import Issued

_NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the standard library has no name for."""


def server_context(issued: Issued, root_pem: str, *, asks_client: bool) -> ssl.SSLContext:
    """Return a server's context. With `asks_client` it asks for a certificate, and refuses in the
    handshake one that the root did not sign; without one a connection is taken all the same, so
    that its requests can be answered as real systems answer them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with tempfile.TemporaryDirectory() as folder:  # The library loads keys from files alone.
        path = Path(folder) / "server.pem"
        path.touch(mode=0o600)
        path.write_text(issued.certificate_pem + issued.key_pem)
        context.load_cert_chain(path)
    if asks_client:
        context.load_verify_locations(cadata=root_pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= _NO_CHECK_TIME
    return context


def peer_fingerprint(request: web.BaseRequest) -> bytes | None:
    """Return SHA-256 of the certificate that the client showed, None if it showed none."""
    transport = request.transport
    tls = transport.get_extra_info("ssl_object") if transport is not None else None
    shown: bytes | None = tls.getpeercert(binary_form=True) if tls is not None else None
    return hashlib.sha256(shown).digest() if shown else None
