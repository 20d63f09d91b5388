"""The management port's path for the right to product data."""

from __future__ import annotations

import msgspec
from aiohttp import web

from emvs.infra.clock import Clock
from emvs.infra.management import read_message
from emvs.infra.web import json_response
from nmvs.enrolment import Enrolment
from nmvs.reports.product_rights import ProductRights


class Right(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PUT /product-data-rights/{organisation}`."""

    granted: bool


def add_rights_routes(
    app: web.Application, rights: ProductRights, clock: Clock, enrolment: Enrolment
) -> None:
    """Add `PUT /product-data-rights/{organisation}` and `GET`; 404 if there is no organisation with
    this id."""

    async def put_right(request: web.Request) -> web.Response:
        organisation = request.match_info["organisation"]
        message: Right = await read_message(request, Right)
        enrolment.organisation(organisation)
        await rights.put(organisation, clock.now(), granted=message.granted)
        return _rendered(organisation)

    async def get_right(request: web.Request) -> web.Response:
        return _rendered(enrolment.organisation(request.match_info["organisation"]).organisation_id)

    def _rendered(organisation: str) -> web.Response:
        return json_response({"organisation": organisation, "granted": rights.has(organisation)})

    app.router.add_put("/product-data-rights/{organisation}", put_right)
    app.router.add_get("/product-data-rights/{organisation}", get_right)
