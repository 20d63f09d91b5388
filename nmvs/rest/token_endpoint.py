"""The identity server's side of the REST dialect: tokens, and the keys to check them with.

The token endpoint alone answers 400, which the clients read there. It is asked as often as all
other resources together, since some clients fetch a token before every call.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiohttp import web
from multidict import CIMultiDict

from emvs.infra.body_parts import BODY_TROUBLE
from emvs.infra.web import read_body
from emvs.limits import SERVICE_BODY_BYTES_MAX, SERVICE_BODY_READ_S_MAX
from emvs.outcomes import Outcome
from nmvs.directory import Directory
from nmvs.rest.base_urls import base_url
from nmvs.rest.key_ring import ALGORITHM
from nmvs.rest.responses import JSON_HEADERS, RETRY_HEADERS, response
from nmvs.rest.settings import RestSettings
from nmvs.rest.signing_keys import SigningKeys
from nmvs.rest.token_requests import (
    INVALID_CLIENT,
    INVALID_REQUEST,
    TEMPORARILY_UNAVAILABLE,
    read_credentials,
    render_token,
    render_token_error,
)
from nmvs.rest.tokens import AccessTokens

_TOKEN: Final = CIMultiDict({"Content-Type": "application/json", "Cache-Control": "no-store"})
_KEY_PATHS: Final = ("jwks.json", "openid-configuration/jwks")
"""The first is usual, the second is where servers of the vendor's kind have it."""
_DESCRIPTION_PATHS: Final = ("openid-configuration", "oauth-authorization-server")


class TokenEndpoint:
    """Hands out tokens and describes itself."""

    def __init__(
        self,
        *,
        directory: Directory,
        tokens: AccessTokens,
        keys: SigningKeys,
        settings: RestSettings,
        issuer: str,
    ) -> None:
        self._directory = directory
        self._tokens = tokens
        self._keys = keys
        self._settings = settings
        self._issuer = issuer

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer a request for a token."""
        if request.method != "POST":
            return _refusal(INVALID_REQUEST)
        try:
            body = await read_body(
                request, bytes_max=SERVICE_BODY_BYTES_MAX, timeout_s=SERVICE_BODY_READ_S_MAX
            )
        except (*BODY_TROUBLE, ConnectionResetError):
            refused = _refusal(INVALID_REQUEST)
            refused.force_close()
            return refused
        credentials = read_credentials(request.headers.get("Authorization"), body)
        if isinstance(credentials, str):
            return _refusal(credentials)
        client_id, client_secret = credentials
        login = await self._directory.rest_client(client_id, client_secret)
        if login is Outcome.OVERLOADED:
            return response(503, render_token_error(TEMPORARILY_UNAVAILABLE), RETRY_HEADERS)
        if isinstance(login, Outcome):
            return _refusal(INVALID_CLIENT)
        await self._keys.refresh()
        settings = self._settings
        content = render_token(
            self._tokens.issue(client_id), life_s=settings.token_life_s, scope=settings.token_scope
        )
        return response(200, content, _TOKEN)

    async def describe(
        self, request: web.BaseRequest, prefix: str, document: str
    ) -> web.Response | None:
        """Return a document under `/.well-known/`, None if there is no such."""
        if request.method != "GET":
            return None
        if document in _KEY_PATHS:
            await self._keys.refresh()
            content: dict[str, Any] = {"keys": self._keys.ring.published()}
        elif document in _DESCRIPTION_PATHS:
            content = self._description(base_url(request, prefix))
        else:
            return None
        return response(200, orjson.dumps(content), JSON_HEADERS)

    def _description(self, base: str) -> dict[str, Any]:
        """Return what is known of this server (RFC 8414, OpenID Connect Discovery 1.0)."""
        return {
            "issuer": self._issuer,
            "token_endpoint": f"{base}/connect/token",
            "jwks_uri": f"{base}/.well-known/jwks.json",
            "scopes_supported": self._settings.token_scope.split(),
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "subject_types_supported": ["public"],
        }


def _refusal(error: str) -> web.Response:
    return response(400, render_token_error(error), _TOKEN)
