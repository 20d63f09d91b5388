"""Rows that describe the calls with a path of their own through the dialect: single packs, tokens.

They are for documents: the dispatcher answers these calls before it looks at the table.
"""

from __future__ import annotations

from typing import Any, Final

from nmvs.rest.messages import (
    IdentityServer,
    PackAnswer,
    PackChange,
    PublicKeys,
    Refusal,
    TokenAnswer,
    TokenError,
    TokenRequest,
)
from nmvs.rest.routes import Call, Field, Reply, Route

_PACK: Final = "/product/{scheme}/{productCode}/pack/{serialNumber}"
_PACK_TAG: Final = "Single packs"
_ACCESS_TAG: Final = "Access"

PACK_FIELDS: Final = (
    Field(
        "scheme",
        "Scheme of the product code; ppn is our addition.",
        {"type": "string", "enum": ["gs1", "ifa", "ppn"]},
        required=True,
        place="path",
    ),
    Field(
        "productCode",
        "GTIN of 14 digits, or PPN of 12 characters.",
        {"type": "string", "pattern": "^([0-9]{14}|[0-9A-Z]{12})$", "examples": ["09506000134376"]},
        required=True,
        place="path",
    ),
    Field(
        "serialNumber",
        "1 to 20 characters. All that follows the last slash, percent-encoded; a plus is a plus.",
        {"type": "string", "minLength": 1, "maxLength": 20, "pattern": "^[!-~]{1,20}$"},
        required=True,
        place="path",
    ),
    Field(
        "emvs-data-entry-mode",
        "How the identifiers were read. Batch and expiry may be missing if they were typed.",
        {"type": "string", "enum": ["non-manual", "manual"]},
        required=True,
        place="header",
    ),
    Field(
        "emvs-api-version",
        "Version of the interface that the client was written for.",
        {"type": "string", "examples": ["3.1"]},
        place="header",
    ),
)
PACK_QUERY: Final = (
    Field("batch", "Batch identifier, 1 to 20 characters.", {"type": "string", "maxLength": 20}),
    Field(
        "expiry",
        "Expiry date as YYMMDD; DD may be 00.",
        {"type": "string", "pattern": "^([0-9]{6})?$", "examples": ["301231"]},
    ),
)
_PACK_ANSWERS: Final[dict[int, type[Any] | None]] = {
    200: PackAnswer,
    403: PackAnswer,
    404: PackAnswer,
    422: Refusal,
    503: PackAnswer,
}
_TOKEN_ANSWERS: Final[dict[int, type[Any] | None]] = {
    200: TokenAnswer,
    400: TokenError,
    503: TokenError,
}


async def _answered_elsewhere(call: Call) -> Reply:
    raise AssertionError(f"{call.parameters}: the dispatcher answers this call without the table")


def hot_routes() -> tuple[Route, ...]:
    """Return the rows."""
    return (
        Route(
            "GET",
            _PACK,
            "verifyPack",
            "Verify a pack",
            _answered_elsewhere,
            query=PACK_QUERY,
            fields=PACK_FIELDS,
            answers=_PACK_ANSWERS,
            tag=_PACK_TAG,
        ),
        Route(
            "PATCH",
            _PACK,
            "changePack",
            "Supply, decommission or reactivate a pack",
            _answered_elsewhere,
            request=PackChange,
            query=PACK_QUERY,
            fields=PACK_FIELDS,
            answers={**_PACK_ANSWERS, 409: PackAnswer},
            tag=_PACK_TAG,
        ),
        *(
            Route(
                "POST",
                path,
                name,
                "Get an access token (client credentials)",
                _answered_elsewhere,
                request=TokenRequest,
                answers=_TOKEN_ANSWERS,
                tag=_ACCESS_TAG,
                media_type="application/x-www-form-urlencoded",
                public=True,
            )
            for path, name in (
                ("/connect/token", "getToken"),
                ("/identity/connect/token", "getTokenFromIdentity"),
            )
        ),
        *(
            Route(
                "GET",
                f"/identity/.well-known/{document}",
                name,
                summary,
                _answered_elsewhere,
                answers={200: kind},
                tag=_ACCESS_TAG,
                public=True,
            )
            for document, name, summary, kind in (
                ("jwks.json", "getKeys", "Get the keys to check a token with", PublicKeys),
                (
                    "openid-configuration",
                    "getIdentityServer",
                    "Get the addresses of the identity server",
                    IdentityServer,
                ),
            )
        ),
    )
