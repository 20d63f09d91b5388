"""Requests about identity: parse, call, render."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from aiohttp import web

from emvs.account_messages import (
    CertificateRequest,
    ClientMessage,
    OrganisationMessage,
    ReportingMessage,
    TokenMessage,
)
from emvs.errors import ForbiddenError, UnauthorisedError
from emvs.infra.web import bearer_token, json_response
from hub.callers import client_of
from hub.identity import store
from hub.identity.accounts import Accounts
from hub.identity.certificates import Certificates
from hub.identity.door import has_certificate
from hub.identity.sessions import REGISTER, RESET
from hub.message_bodies import read_message
from hub.organisations import Organisations
from hub.store.connections import Pool
from hub.times import utc

_BODY_BYTES_MAX: Final = 1024 * 1024
_Message = TypeVar("_Message")


class IdentityHandlers:
    """What a client can ask about who it is."""

    def __init__(
        self,
        *,
        organisations: Organisations,
        accounts: Accounts,
        certificates: Certificates,
        certificate_required: bool,
    ) -> None:
        self._certificate_required = certificate_required
        self._organisations = organisations
        self._accounts = accounts
        self._certificates = certificates

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the paths of manufacturers."""
        router.add_post(f"/obp/v1/{REGISTER}", self.register)
        router.add_post(f"/obp/v1/{RESET}", self.reset)
        router.add_post("/obp/v1/ORGR", self.change_organisation)
        router.add_get("/obp/v1/organisation", self.organisation)
        router.add_post("/obp/v1/CLIR", self.change_client)
        router.add_post("/obp/v1/SBRS", self.subscribe_to_reports)
        router.add_post("/obp/v1/certificates", self.issue)
        router.add_get("/obp/v1/certificates", self.certificates)
        router.add_get("/obp/v1/certificate-authority", self.authority)

    async def register(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/RGST`."""
        return await self._exchange(request, REGISTER)

    async def reset(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/RSST`."""
        return await self._exchange(request, RESET)

    async def organisation(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/organisation`."""
        return json_response(
            await self._accounts.organisation(client_of(self._organisations, request))
        )

    async def change_organisation(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/ORGR`."""
        client = client_of(self._organisations, request)
        message = await _read(request, OrganisationMessage)
        return json_response(await self._accounts.change_organisation(client, message))

    async def change_client(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/CLIR`."""
        client = client_of(self._organisations, request)
        message = await _read(request, ClientMessage)
        return json_response(await self._accounts.change_client(client, message))

    async def subscribe_to_reports(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/SBRS`."""
        client = client_of(self._organisations, request)
        message = await _read(request, ReportingMessage)
        return json_response(await self._accounts.subscribe_to_reports(client, message))

    async def issue(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/certificates`: an initial token does as well."""
        token = bearer_token(request)
        client = self._organisations.owner(token)
        if client is None:
            raise UnauthorisedError("an initial token or another token is wanted")
        self._organisations.check_may_have_certificate(client, token)
        session = self._organisations.session(token)
        if (
            self._certificate_required
            and not has_certificate(request)
            and self._certificates.has_one(client)
            and (session is None or not session.is_initial)
        ):
            # Else whoever has got hold of a token makes the second proof from the first.
            raise ForbiddenError(
                "the client has a certificate: show it, or ask with an initial token"
            )
        message = await _read(request, CertificateRequest)
        issued = await self._certificates.issue(client, message.certificateRequest)
        return json_response(issued, status=201)

    async def certificates(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/certificates`: the client's own."""
        client = client_of(self._organisations, request)
        return json_response({"certificates": self._certificates.of_client(*client[:2])})

    async def authority(self, _: web.Request) -> web.Response:
        """`GET /obp/v1/certificate-authority`: the root that signs the hub's certificates, PEM."""
        return web.Response(
            text=self._certificates.authority.root_pem, content_type="application/x-pem-file"
        )

    async def _exchange(self, request: web.Request, message_type: str) -> web.Response:
        message = await _read(request, TokenMessage)
        answer = await self._accounts.exchange_token(
            message_type,
            message,
            bearer_token(request),
            with_certificate=has_certificate(request),
        )
        return json_response(answer)


class IdentityDesk:
    """What the person at the stand does for organisations: the portal of the real hub."""

    def __init__(
        self, *, pool: Pool, organisations: Organisations, certificates: Certificates
    ) -> None:
        self._pool = pool
        self._organisations = organisations
        self._certificates = certificates

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the paths of the management port."""
        client = "/organisations/{organisation_id}/clients/{client_id}"
        router.add_get("/organisations", self.accounts)
        router.add_get("/certificate-authority", self.authority)
        router.add_post(f"{client}/initial-token", self.new_token)
        router.add_get(f"{client}/certificates", self.certificates)
        router.add_delete(f"{client}/certificates/{{fingerprint}}", self.revoke)

    async def accounts(self, _: web.Request) -> web.Response:
        """`GET /organisations`: all clients."""
        return json_response(
            {"clients": [_account(row) for row in await store.accounts(self._pool)]}
        )

    async def authority(self, _: web.Request) -> web.Response:
        """`GET /certificate-authority`: the root that signs the hub's certificates."""
        return json_response({"rootPem": self._certificates.authority.root_pem})

    async def new_token(self, request: web.Request) -> web.Response:
        """`POST .../initial-token`: a new initial token in place of the client's tokens."""
        organisation_id, client_id = _named(request)
        token = await self._organisations.new_initial_token(organisation_id, client_id)
        return json_response(
            {
                "organisationId": organisation_id,
                "clientId": client_id,
                "initialToken": token.text,
                "endsAt": utc(token.ends_at_ms),
            }
        )

    async def certificates(self, request: web.Request) -> web.Response:
        """`GET .../certificates`."""
        return json_response({"certificates": self._certificates.of_client(*_named(request))})

    async def revoke(self, request: web.Request) -> web.Response:
        """`DELETE .../certificates/{fingerprint}`: it counts no more."""
        fingerprint = request.match_info["fingerprint"]
        return json_response(await self._certificates.revoke(*_named(request), fingerprint))


def _account(row: store.AccountRow) -> dict[str, Any]:
    return {
        "organisationId": row.organisation_id,
        "organisationName": row.organisation_name,
        "kind": row.kind,
        "clientId": row.client_id,
        "name": row.name,
        "status": "Active" if row.suspended_at_ms is None else "Suspended",
    }


def _named(request: web.Request) -> tuple[str, str]:
    return request.match_info["organisation_id"], request.match_info["client_id"]


async def _read(request: web.Request, kind: type[_Message]) -> _Message:
    return await read_message(request, kind, bytes_max=_BODY_BYTES_MAX)
