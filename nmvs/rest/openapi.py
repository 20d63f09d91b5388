"""The OpenAPI 3.1 document of the REST dialect, made from the route table and the message types.

`python -m nmvs.rest.openapi` prints it. Nothing is described twice: a row that parses a request is
the row that is documented.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import orjson

from nmvs.rest.bulk_routes import BulkRoutes
from nmvs.rest.hot_calls import hot_routes
from nmvs.rest.messages import Refusal
from nmvs.rest.route_list import all_routes
from nmvs.rest.routes import OTHER_SPELLING, Field, Route

VERSION: Final = "3.4"
PREFIXES: Final = ("/verification", "/api", "")
_TITLE: Final = "National medicines verification system, REST interface (simulated)"
_DESCRIPTION: Final = """\
The interface of the REST-built national systems as far as public clients show it, served by a
simulator. Not for production. Whatever is wrong with a request is 422, never 400, 405 or 415:
clients in use take themselves offline on those. A call marked as ours is our proposal; nobody knows
whether the real systems have it so. Operation codes are to be treated as opaque."""
_OURS: Final = "Our proposal: no source describes this call."
_REF: Final = "#/components/schemas/{name}"
_PATH_PART: Final = re.compile(r"\{(\w+)\}")
_TEXTS: Final = {
    200: "Done.",
    202: "Accepted; the result is at the address in Location.",
    206: "Done, but not all that was found is there.",
    400: "Refused (RFC 6749, 5.2).",
    401: "No token, or one that is not valid any more.",
    403: "Not permitted.",
    404: "Unknown.",
    408: "The body did not arrive in time.",
    409: "Not possible as things stand, or not ready yet.",
    422: "The request is invalid.",
    429: "Too many requests.",
    503: "Not available now.",
}
# What may come of any call beside its own answers. 403: the location that a connector acts for has
# not allowed it. 404: an identifier may make it another path.
_COMMON: Final = {
    403: Refusal,
    404: Refusal,
    408: Refusal,
    422: Refusal,
    429: Refusal,
    503: Refusal,
}
_COMMON_FIELDS: Final = (
    Field(
        "Accept-Language",
        "Language of information and warning; without one of ours, the market's.",
        {"type": "string", "examples": ["el-GR"]},
        place="header",
    ),
    Field(
        "connector-location-id",
        "Location that a connector acts for; a market may name the header otherwise.",
        {"type": "string", "examples": ["my-till-1"]},
        place="header",
    ),
)
_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds, or an HTTP date.",
        "schema": {"type": "string"},
    }
}
_HEADERS: Final[dict[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}},
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}
_LOCATION: Final = {
    "Location": {
        "description": "Absolute address of the result.",
        "schema": {"type": "string", "format": "uri"},
        "required": True,
    }
}


def openapi_document(routes: Sequence[Route], *, prefix: str = PREFIXES[0]) -> dict[str, Any]:
    """Return the document of these routes; `prefix` is the server that stands first."""
    types = _types(routes)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = dict(zip(types, schemas, strict=True))
    for component in components.values():
        _leave_out_other_spellings(component)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route, by_type)
    servers = [prefix, *(known for known in PREFIXES if known != prefix)]
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": VERSION, "description": _DESCRIPTION},
        "servers": [{"url": server or "/"} for server in servers],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes) if tag],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
        "security": [{"token": []}],
    }


def document_bytes(routes: Sequence[Route], prefix: str = PREFIXES[0]) -> bytes:
    """Return the document as JSON."""
    return orjson.dumps(openapi_document(routes, prefix=prefix), option=orjson.OPT_INDENT_2)


def described_routes(routes: Sequence[Route]) -> list[Route]:
    """Return the rows of a table, with those of the calls that do without it."""
    return [*hot_routes(), *routes]


def _leave_out_other_spellings(schema: dict[str, Any]) -> None:
    members = schema.get("properties", {})
    for name in [name for name, member in members.items() if OTHER_SPELLING in member]:
        del members[name]


def _types(routes: Sequence[Route]) -> list[type[Any]]:
    """Return all message types, each once, in the order of the routes."""
    found: dict[type[Any], None] = {Refusal: None}
    for route in routes:
        for kind in (route.request, *route.answers.values()):
            if kind is not None:
                found[kind] = None
    return list(found)


def _operation(route: Route, schemas: dict[type[Any], Any]) -> dict[str, Any]:
    described = {field.name for field in route.fields}
    parts = [
        Field(name, "", required=True, place="path")
        for name in _PATH_PART.findall(route.template)
        if name not in described
    ]
    common = () if route.public else _COMMON_FIELDS
    fields = (*parts, *route.fields, *common, *route.query)
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "parameters": [_parameter(field) for field in fields],
        "responses": _responses(route, schemas),
    }
    if route.tag:
        operation["tags"] = [route.tag]
    if route.ours:
        operation["description"] = _OURS
        operation["x-ours"] = True
    if route.public:
        operation["security"] = []
    if route.request is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {route.media_type: {"schema": schemas[route.request]}},
        }
    return operation


def _parameter(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "in": field.place,
        "required": field.required,
        "description": field.text,
        "schema": dict(field.schema),
    }


def _responses(route: Route, schemas: dict[type[Any], Any]) -> dict[str, Any]:
    common: dict[int, type[Any] | None] = {} if route.public else {401: Refusal, **_COMMON}
    responses: dict[str, Any] = {}
    for status, kind in sorted({**common, **route.answers}.items()):
        response: dict[str, Any] = {"description": _TEXTS.get(status, "See the status.")}
        if kind is not None:
            response["content"] = {"application/json": {"schema": schemas[kind]}}
        elif route.answer_media_type != "application/json":
            response["content"] = {route.answer_media_type: {"schema": {"type": "string"}}}
        headers: dict[str, Any] = {**_HEADERS.get(status, {})}
        if status in route.located:
            headers |= _LOCATION
        if headers:
            response["headers"] = headers
        responses[str(status)] = response
    return responses


if __name__ == "__main__":
    unused: Any = None  # No handler is called.
    bulk = BulkRoutes(unused, unused, unused, unused)
    table = described_routes(all_routes(documents=unused, bulk=bulk))
    sys.stdout.write(document_bytes(table).decode() + "\n")
