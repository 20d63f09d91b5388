"""Who passes the SOAP services' door: connections with a client certificate that counts.

A refused one sees what users of the real systems see: HTTP 403 without a SOAP message. The first
certificate can be fetched without one, and definitions can be read.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from emvs.infra.tls import peer_fingerprint
from nmvs.certificates.registry import Certificates, Problem
from nmvs.listener import Handler

_GUARDED: Final = "/WS_"
_FIRST_CERTIFICATE: Final = "/WS_PKI_"


def require_certificate(handler: Handler, certificates: Certificates) -> Handler:
    """Return a handler that answers 403 to SOAP messages of a client without a certificate that
    counts. Requests of the other dialect pass."""

    async def guarded(request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path[:8].upper()
        if request.method == "POST" and path[:4] == _GUARDED and path != _FIRST_CERTIFICATE:
            problem = certificates.problem(peer_fingerprint(request))
            if problem is not None:
                return _forbidden(problem)
        return await handler(request)

    return guarded


def certificate_client(request: web.BaseRequest, certificates: Certificates) -> str | None:
    """Return the client login id that the shown certificate belongs to, None if none counts."""
    fingerprint = peer_fingerprint(request)
    if fingerprint is None or certificates.problem(fingerprint) is not None:
        return None
    return certificates.client_of(fingerprint)


def _forbidden(problem: Problem) -> web.Response:
    response = web.Response(
        status=403, text=f"Forbidden: {problem.value}\n", content_type="text/plain"
    )
    response.force_close()  # The body is not read.
    return response
