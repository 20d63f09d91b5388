"""The management port's path for the right to product data."""

from __future__ import annotations

import msgspec
from aiohttp import web

from emvs.errors import BadRequestError
from emvs.infra.clock import Clock
from emvs.infra.management import read_message
from emvs.infra.web import json_response
from nmvs.reports.product_rights import ProductRights

_NAME_LENGTH_MAX = 200


class Right(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PUT /product-data-rights/{organisation}`."""

    granted: bool


def add_rights_routes(app: web.Application, rights: ProductRights, clock: Clock) -> None:
    """Add `PUT /product-data-rights/{organisation}` and `GET`."""

    async def put_right(request: web.Request) -> web.Response:
        organisation = request.match_info["organisation"]
        if len(organisation) > _NAME_LENGTH_MAX:
            raise BadRequestError(f"an organisation has 1 to {_NAME_LENGTH_MAX} characters")
        message: Right = await read_message(request, Right)
        await rights.put(organisation, clock.now(), granted=message.granted)
        return _rendered(organisation)

    async def get_right(request: web.Request) -> web.Response:
        return _rendered(request.match_info["organisation"])

    def _rendered(organisation: str) -> web.Response:
        return json_response({"organisation": organisation, "granted": rights.has(organisation)})

    app.router.add_put("/product-data-rights/{organisation}", put_right)
    app.router.add_get("/product-data-rights/{organisation}", get_right)
