"""What describes the manufacturers' interface, served to whoever asks: XML schema and OpenAPI."""

from __future__ import annotations

import orjson
from aiohttp import web

from hub.message_list import MESSAGES
from hub.openapi import openapi_document
from hub.xml_twin.schema import schema_of


def add_description_routes(router: web.UrlDispatcher) -> None:
    """Add the paths of the descriptions."""
    schema = schema_of(MESSAGES).encode()
    document = orjson.dumps(openapi_document())

    async def xml_schema(_: web.Request) -> web.Response:
        return web.Response(body=schema, content_type="application/xml", charset="utf-8")

    async def openapi(_: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    router.add_get("/obp/v1/messages.xsd", xml_schema)
    router.add_get("/openapi.json", openapi)
