"""Requests to the token endpoint (RFC 6749, 4.4): the credentials in them, and the answers.

Whether the credentials are right is not asked here.
"""

from __future__ import annotations

import base64
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import orjson

_FIELD_COUNT_MAX: Final = 32

INVALID_REQUEST: Final = "invalid_request"
INVALID_CLIENT: Final = "invalid_client"
UNSUPPORTED_GRANT_TYPE: Final = "unsupported_grant_type"
TEMPORARILY_UNAVAILABLE: Final = "temporarily_unavailable"


class ClientCredentials(NamedTuple):
    """What a client says of itself."""

    client_id: str
    client_secret: str


def read_credentials(authorization: str | None, body: bytes) -> ClientCredentials | str:
    """Return the credentials of a token request, or the error code that refuses it.

    They may stand in an HTTP Basic header, as they are, or in the form; one public client does
    the former, all others the latter. No scope is ever sent; unknown fields are ignored.
    """
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_FIELD_COUNT_MAX
        )
    except ValueError:
        return INVALID_REQUEST
    form = dict(pairs)
    grant_type = form.get("grant_type")
    if not grant_type:
        return INVALID_REQUEST
    if grant_type != "client_credentials":
        return UNSUPPORTED_GRANT_TYPE
    basic = _basic_credentials(authorization) if authorization else None
    if basic is not None:
        return basic
    client_id, client_secret = form.get("client_id"), form.get("client_secret")
    if not client_id or not client_secret:
        return INVALID_CLIENT
    return ClientCredentials(client_id, client_secret)


def _basic_credentials(authorization: str) -> ClientCredentials | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        return None
    client_id, colon, client_secret = decoded.partition(":")
    return ClientCredentials(client_id, client_secret) if colon else None


def render_token(token: str, *, life_s: int, scope: str) -> bytes:
    """Return the body that hands out a token. There is no refresh token (our choice)."""
    return orjson.dumps(
        {"access_token": token, "expires_in": life_s, "token_type": "Bearer", "scope": scope}
    )


def render_token_error(error: str) -> bytes:
    """Return the body of a refusal (RFC 6749, 5.2)."""
    return orjson.dumps({"error": error})
