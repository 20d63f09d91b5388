"""Who passes the SOAP services' door: connections with a client certificate that counts.

A refused one sees what users of the real systems see: HTTP 403 without a SOAP message. The first
certificate can be fetched without one, and definitions can be read. The door stands before the
dialect, not before a path: whatever its target is called, a SOAP message has to pass it.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from emvs.infra.tls import peer_fingerprint
from nmvs.certificates.registry import Certificates, Problem
from nmvs.listener import WireDialect

_FIRST_CERTIFICATE: Final = "/WS_PKI_"
NOBODY: Final = ""
"""Stands for the client of a connection over TLS that showed no certificate that counts; no client
login id is empty."""


class Guarded:
    """The SOAP dialect behind the door."""

    def __init__(
        self, dialect: WireDialect, certificates: Certificates, *, first_comes_here: bool = True
    ) -> None:
        """`first_comes_here`: whether a first certificate can be fetched at this address."""
        self._first_path = _FIRST_CERTIFICATE if first_comes_here else None
        self._dialect = dialect
        self._certificates = certificates

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer 403 to a message of a client without a certificate that counts.

        Only where the first certificate is fetched it goes on to the dialect, which knows what a
        message asks for: of `certificate_client` it learns that it is nobody's.
        """
        path = request.raw_path[: len(_FIRST_CERTIFICATE)].upper()
        if request.method == "POST" and path != self._first_path:
            problem = self._certificates.problem(peer_fingerprint(request))
            if problem is not None:
                return forbidden(problem)
        return await self._dialect.handle(request)


def certificate_client(request: web.BaseRequest, certificates: Certificates) -> str | None:
    """Return the client login id that the shown certificate belongs to, NOBODY if none counts;
    None for a connection without TLS, where none can be shown."""
    if not request.secure:
        return None
    fingerprint = peer_fingerprint(request)
    if fingerprint is None or certificates.problem(fingerprint) is not None:
        return NOBODY
    return certificates.client_of(fingerprint)


def forbidden(problem: Problem) -> web.Response:
    """Return the answer to a message that may not pass."""
    response = web.Response(
        status=403, text=f"Forbidden: {problem.value}\n", content_type="text/plain"
    )
    response.force_close()  # The body may not have been read.
    return response
