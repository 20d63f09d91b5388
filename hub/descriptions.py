"""What describes the manufacturers' interface, served to whoever asks: the XML schema."""

from __future__ import annotations

from aiohttp import web

from hub.message_list import MESSAGES
from hub.xml_twin.schema import schema_of


def add_description_routes(router: web.UrlDispatcher) -> None:
    """Add the paths of the descriptions."""
    schema = schema_of(MESSAGES).encode()

    async def xml_schema(_: web.Request) -> web.Response:
        return web.Response(body=schema, content_type="application/xml", charset="utf-8")

    router.add_get("/obp/v1/messages.xsd", xml_schema)
