"""Messages of the REST dialect as types: what a client sends and gets, for documents and tests.

The calls on single packs are rendered without them, because they are the hot path; a test holds
that what is rendered fits.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

RequestedState = Annotated[
    str,
    msgspec.Meta(
        description="Supplied, Destroyed, Exported, Locked, Sample, Stolen, FreeSample or Active;"
        " in any case, and blanks do not count.",
        examples=["Supplied", "Active"],
    ),
]


class PackChange(msgspec.Struct):
    """Body of a change of a pack's state."""

    state: RequestedState


class PackAnswer(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What comes of a call on one pack. A member is there only if it says something."""

    operation_code: str
    state: str | None = None
    """Effective state of the pack after the call."""
    information: str | None = None
    warning: str | None = None
    alert_id: str | None = None
    alert_code: str | None = None
    ams_link: str | None = None
    product_name: str | None = None
    nhrn: str | None = None
    is_intermarket: bool | None = None
    can_reactivate: bool | None = None
    can_reactivate_until: str | None = None
    batch_state: str | None = None
    batch_recall_reason: str | None = None
    product_withdrawal_reason: str | None = None


class Refusal(msgspec.Struct, kw_only=True, rename="camel"):
    """Why nothing was done."""

    operation_code: str
    warning: str


class TokenRequest(msgspec.Struct):
    """Form of a request for a token (RFC 6749, 4.4). The credentials may stand in a header
    `Authorization: Basic` instead."""

    grant_type: Literal["client_credentials"]
    client_id: str | None = None
    client_secret: str | None = None


class TokenAnswer(msgspec.Struct):
    """A token."""

    access_token: str
    expires_in: int
    token_type: str
    scope: str


class TokenError(msgspec.Struct):
    """Why there is no token (RFC 6749, 5.2)."""

    error: str


class PublicKeys(msgspec.Struct):
    """The keys that tokens are signed with (RFC 7517)."""

    keys: list[dict[str, str]]


class IdentityServer(msgspec.Struct):
    """What hands out tokens (RFC 8414)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    scopes_supported: list[str]
    grant_types_supported: list[str]
    response_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    id_token_signing_alg_values_supported: list[str]
    subject_types_supported: list[str]
