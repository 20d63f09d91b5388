"""The management port's routes for what need not be verified. Parse, call, render."""

from __future__ import annotations

import msgspec
from aiohttp import web

from emvs.errors import BadRequestError
from emvs.infra.management import read_message
from emvs.infra.web import json_response
from nmvs.exemptions import Exemptions


class NonFmdRule(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /non-fmd`."""

    product_code: str


class BatchExemption(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /exempted-batches`."""

    product_code: str
    batch_id: str


def add_routes(app: web.Application, exemptions: Exemptions) -> None:
    """Add GET, POST and DELETE of `/non-fmd` and `/exempted-batches`.

    DELETE takes the members of the body as query parameters. All answer with the whole list.
    """

    def products() -> web.Response:
        return json_response({"product_codes": sorted(exemptions.product_codes)})

    def batches() -> web.Response:
        rows = [{"product_code": code, "batch_id": batch} for code, batch in exemptions.batches]
        rows.sort(key=lambda row: (row["product_code"], row["batch_id"]))
        return json_response({"batches": rows})

    async def get_products(_: web.Request) -> web.Response:
        return products()

    async def post_product(request: web.Request) -> web.Response:
        rule: NonFmdRule = await read_message(request, NonFmdRule)
        await exemptions.list_product(rule.product_code)
        return products()

    async def delete_product(request: web.Request) -> web.Response:
        await exemptions.unlist_product(_required(request, "product_code"))
        return products()

    async def get_batches(_: web.Request) -> web.Response:
        return batches()

    async def post_batch(request: web.Request) -> web.Response:
        message: BatchExemption = await read_message(request, BatchExemption)
        await exemptions.list_batch(message.product_code, message.batch_id)
        return batches()

    async def delete_batch(request: web.Request) -> web.Response:
        await exemptions.unlist_batch(
            _required(request, "product_code"), _required(request, "batch_id")
        )
        return batches()

    app.router.add_get("/non-fmd", get_products)
    app.router.add_post("/non-fmd", post_product)
    app.router.add_delete("/non-fmd", delete_product)
    app.router.add_get("/exempted-batches", get_batches)
    app.router.add_post("/exempted-batches", post_batch)
    app.router.add_delete("/exempted-batches", delete_batch)


def _required(request: web.Request, name: str) -> str:
    value = request.query.get(name)
    if not value:
        raise BadRequestError(f"the query parameter {name} is missing")
    return value
