"""TLS of a client, and why a connection did not come about."""

from __future__ import annotations

import os
import ssl

from emvs.errors import EmvsError


class UnusableCertificateError(EmvsError):
    """A certificate or key cannot be loaded; the message names the files."""

    title = "Certificate not usable"


def tls_context(ca: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    """Return the TLS settings of a client. The arguments are PEM files: the certificates to trust
    (None: the machine's), the client's own, and its key if it stands in another file.

    Raises UnusableCertificateError.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except OSError as error:  # An ssl.SSLError is one.
        names = ", ".join(name for name in (ca, certificate, key) if name)
        raise UnusableCertificateError(
            f"Certificates cannot be loaded ({names}): {error}"
        ) from error
    return context


def reason_of(error: OSError) -> str:
    """Return why a connection failed, in the system's words."""
    # asyncio puts addresses where the reason should be; of several failures it keeps no number.
    if error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
