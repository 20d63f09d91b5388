"""The port that the hub talks to: deliveries and intermarket requests. Parse, call, render."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from emvs.errors import BadRequestError, UnauthorisedError, UnavailableError
from emvs.identifiers import check_identifiers
from emvs.infra.web import bearer_token, decode_body, json_response, read_body, render_errors
from emvs.interconnect import (
    ChangesMessage,
    DeliveryResult,
    IntermarketAnswer,
    IntermarketRequest,
    PacksDelivery,
    ProductDelivery,
    RecallDelivery,
    WithdrawalDelivery,
)
from emvs.limits import HUB_BODY_BYTES_MAX
from emvs.outcomes import OUTCOMES
from emvs.roles import Role
from emvs.scheme import Scheme
from emvs.state_deliveries import StatesDelivery
from emvs.states import Operation
from nmvs.deliveries import Deliveries
from nmvs.directory import Directory
from nmvs.operations import Operations
from nmvs.recovery import Recovery
from nmvs.requests import Answer, PackRequest
from nmvs.state_deliveries import StateDeliveries
from nmvs.synchronisation import Synchronisation

_BODY_S_MAX = 60.0
_DELIVERY_ID_LENGTH_MAX = 100
_REQUEST_ID = re.compile("[A-Za-z0-9-]{1,64}")


def create_interconnect_app(
    *,
    token: str,
    deliveries: Deliveries,
    operations: Operations,
    directory: Directory,
    recovery: Recovery,
    synchronisation: Synchronisation,
    state_deliveries: StateDeliveries,
) -> web.Application:
    """Return the application that the hub calls."""

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        shown = (bearer_token(request) or "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(shown, token.encode()):
            raise UnauthorisedError("the interconnect wants the hub's bearer token")
        if not recovery.is_serving:
            raise UnavailableError("the national system is recovering")
        return await handler(request)

    def deliver(
        kind: type[Any], apply: Callable[[str, Any], Awaitable[DeliveryResult | str]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            delivery_id = request.match_info["delivery_id"]
            if len(delivery_id) > _DELIVERY_ID_LENGTH_MAX:
                raise BadRequestError("the delivery id is too long")
            result = await apply(delivery_id, await _read(request, kind))
            if isinstance(result, str):  # In JSON already.
                return web.Response(text=result, content_type="application/json")
            return json_response(result)

        return handler

    async def intermarket(request: web.Request) -> web.Response:
        message: IntermarketRequest = await _read(request, IntermarketRequest)
        answer = await operations.perform(await _to_request(message, directory), from_hub=True)
        return json_response(_to_message(message, answer, operations.market.code))

    app = web.Application(middlewares=[render_errors, guard], client_max_size=HUB_BODY_BYTES_MAX)
    base = "/hub/v1"
    app.router.add_put(
        f"{base}/products/{{delivery_id}}", deliver(ProductDelivery, deliveries.product)
    )
    app.router.add_put(f"{base}/packs/{{delivery_id}}", deliver(PacksDelivery, deliveries.packs))
    app.router.add_put(
        f"{base}/recalls/{{delivery_id}}", deliver(RecallDelivery, deliveries.recall)
    )
    app.router.add_put(
        f"{base}/withdrawals/{{delivery_id}}", deliver(WithdrawalDelivery, deliveries.withdrawal)
    )
    app.router.add_put(
        f"{base}/changes/{{delivery_id}}", deliver(ChangesMessage, synchronisation.apply)
    )
    app.router.add_put(
        f"{base}/states/{{delivery_id}}", deliver(StatesDelivery, state_deliveries.apply)
    )
    app.router.add_post(f"{base}/intermarket", intermarket)
    return app


async def _read(request: web.Request, kind: type[Any]) -> Any:
    body = await read_body(request, bytes_max=HUB_BODY_BYTES_MAX, timeout_s=_BODY_S_MAX)
    return decode_body(body, kind)


async def _to_request(message: IntermarketRequest, directory: Directory) -> PackRequest:
    try:
        operation, role = Operation[message.operation], Role(message.role)
        scheme = Scheme(message.scheme)
    except (KeyError, ValueError) as error:
        raise BadRequestError(f"{error} is not known here") from error
    if _REQUEST_ID.fullmatch(message.requestId) is None:
        # It stands in the audit trail. What cannot be stored there would spoil its whole group.
        raise BadRequestError("requestId has 1 to 64 letters, digits and hyphens")
    defect = check_identifiers(
        scheme,
        message.productCode,
        message.serialNumber,
        message.batchId,
        message.expiry,
        manual=message.manual,
    )
    if defect is not None:
        raise BadRequestError(OUTCOMES[defect].text)
    return PackRequest(
        operation=operation,
        participant=await directory.foreign(message.market, message.location, role),
        scheme=scheme,
        product_code=message.productCode,
        serial_number=message.serialNumber,
        batch_id=message.batchId,
        expiry=message.expiry,
        manual=message.manual,
        client_transaction_id=message.requestId,
        dialect="intermarket",
    )


def _to_message(message: IntermarketRequest, answer: Answer, market: str) -> IntermarketAnswer:
    product, batch, alert = answer.product, answer.batch, answer.alert
    return IntermarketAnswer(
        requestId=message.requestId,
        market=market,
        outcome=answer.outcome.name,
        state=answer.state.name if answer.state else None,
        effective=answer.effective.name if answer.effective else None,
        here=answer.here,
        undoUntil=answer.undo_until_s,
        alertId=alert.alert_id if alert else None,
        alertCode=alert.hub_code if alert else None,
        productName=product.name if product else None,
        nationalCode=product.national_code if product else None,
        batchId=batch.facts.batch_id if batch else None,
        expiry=batch.facts.expiry if batch else None,
        recallReason=batch.recall_reason if batch else None,
        withdrawalReason=product.withdrawal_reason if product else None,
    )
