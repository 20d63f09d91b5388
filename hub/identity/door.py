"""The door of the manufacturers' interface: which connections may ask what.

Over TLS a client shows its certificate and a token of the same client; a certificate that the
hub's authority did not sign fails in the handshake, one that counts no more gets 403. Only the
root, a first certificate and the schema can be fetched without one. Without TLS the token alone is
looked at, unless `certificate_required` closes that way to all but one exempt client.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from emvs.errors import ForbiddenError
from emvs.infra.tls import peer_fingerprint
from emvs.infra.web import Handler, bearer_token
from hub.identity.certificates import Certificates
from hub.organisations import Organisations

_MANUFACTURERS: Final = ("/obp/", "/epcis/")
_OPEN: Final = frozenset(
    {"/obp/v1/certificate-authority", "/obp/v1/certificates", "/obp/v1/messages.xsd"}
)


def has_certificate(request: web.BaseRequest) -> bool:
    """Tell whether a request that passed the door came with a client certificate."""
    return request.secure and peer_fingerprint(request) is not None


class Door:
    """Looks at each request before its handler."""

    def __init__(
        self, certificates: Certificates, organisations: Organisations, *, required: bool
    ) -> None:
        self._certificates = certificates
        self._organisations = organisations
        self._required = required

    def middleware(self) -> Middleware:
        """Return the door as an application wants it."""

        @web.middleware
        async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
            resource = request.match_info.route.resource
            path = resource.canonical if resource is not None else ""
            if path.startswith(_MANUFACTURERS):
                self._check(request, is_open=path in _OPEN)
            return await handler(request)

        return door

    def _check(self, request: web.Request, *, is_open: bool) -> None:
        if not request.secure:
            if self._required and not is_open:
                client = self._organisations.owner(bearer_token(request))
                if client is None or not self._organisations.is_exempt(client):
                    raise ForbiddenError(
                        "a client certificate is required: come by the hub's TLS port with one"
                    )
            return
        fingerprint = peer_fingerprint(request)
        if fingerprint is None and is_open:
            return
        problem = self._certificates.problem(fingerprint)
        if problem is not None:
            raise ForbiddenError(problem)
        assert fingerprint is not None, "no certificate is a problem"
        client = self._organisations.owner(bearer_token(request))
        if client is not None and client[:2] != self._certificates.owner(fingerprint):
            raise ForbiddenError("the client certificate is another client's than the token")
