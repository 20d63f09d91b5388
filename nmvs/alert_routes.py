"""Alerts over HTTP: for the national organisation on the management port, for the hub on its own.

Parse, call, render. The list follows the alert interface of the REST-built national systems as far
as a public client shows it; opening, changing and the history are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from aiohttp import web

from emvs.alert_messages import AlertDecision, AlertReport
from emvs.alert_rules import ALERT_CODES
from emvs.alert_states import AlertChange, AlertParty, AlertReason, AlertState
from emvs.errors import BadRequestError
from emvs.infra.management import read_message
from emvs.infra.web import json_response
from emvs.markets import MARKETS
from nmvs.alert_log import IDS_PER_CHANGE_MAX, PAGE_COUNT, AlertLog, AlertView
from nmvs.alert_store import AlertQuery
from nmvs.alert_view import detail, list_entry

_NUMBER_LENGTH_MAX: Final = 9
_YEARS: Final = range(2000, 2300)
"""Others overflow somewhere on their way to the database."""

ProductCode = Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z]{1,50}\Z")]


class QueryMessage(msgspec.Struct, rename="camel"):
    """Body of `POST /alerts`. Unknown members are ignored, as everywhere in that interface."""

    start_timestamp: str
    end_timestamp: str
    error_code: str | None = None
    product_code: ProductCode | None = None
    state: AlertState | None = None
    source_market: str | None = None


class ChangeMessage(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Body of `POST /alerts/{alert id}/state`."""

    party: AlertParty
    state: AlertState
    reason: AlertReason | None = None
    text: str | None = None

    def change(self) -> AlertChange:
        """Return what is wanted."""
        return AlertChange(self.party, self.state, self.reason, self.text)


class BulkChangeMessage(ChangeMessage):
    """Body of `POST /alerts/state`."""

    alert_ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=IDS_PER_CHANGE_MAX)] = (
        msgspec.field(default_factory=list)
    )


class AlertHandlers:
    """What the national organisation asks."""

    def __init__(self, alerts: AlertLog) -> None:
        self._alerts = alerts

    async def ask(self, request: web.Request) -> web.Response:
        """`POST /alerts`: run a query, answer with the address of its result."""
        identifier = await self._alerts.ask(alert_query(await read_message(request, QueryMessage)))
        location = f"{request.scheme}://{request.host}/alerts/requests/{identifier}"
        return json_response(
            {"requestID": identifier, "requestId": identifier, "id": identifier},
            status=202,
            headers={"Location": location},
        )

    async def page(self, request: web.Request) -> web.Response:
        """`GET /alerts/requests/{request id}?page=1&pageSize=1000`; 206 if not all is there."""
        page = await self._alerts.page(
            request.match_info["request_id"],
            _number(request, "page", 1),
            _number(request, "pageSize", PAGE_COUNT),
        )
        return json_response(
            {
                "data": [list_entry(row) for row in page.rows],
                "pages": page.page_count,
                "isTruncated": page.is_truncated,
                "isOverLimit": page.is_over_limit,
            },
            status=206 if page.is_truncated else 200,
        )

    async def lift_truncation(self, request: web.Request) -> web.Response:
        """`POST /alerts/fulldataset/{request id}`."""
        identifier = request.match_info["request_id"]
        await self._alerts.lift_truncation(identifier)
        return json_response({"requestID": identifier}, status=202)

    async def open(self, request: web.Request) -> web.Response:
        """`GET /alerts/{alert id}`: whoever opens a new alert makes it active."""
        return json_response(detail(await self._alerts.open(request.match_info["alert_id"])))

    async def change(self, request: web.Request) -> web.Response:
        """`POST /alerts/{alert id}/state`."""
        message: ChangeMessage = await read_message(request, ChangeMessage)
        alert_id = request.match_info["alert_id"]
        return json_response(detail(await self._alerts.change(alert_id, message.change())))

    async def change_many(self, request: web.Request) -> web.Response:
        """`POST /alerts/state`: each alert listed is changed or told why not."""
        message: BulkChangeMessage = await read_message(request, BulkChangeMessage)
        results = await self._alerts.change_many(message.alert_ids, message.change())
        return json_response(
            {
                "results": [
                    {
                        "alertId": alert_id,
                        "state": result.state,
                        "status": result.error.http_status if result.error else 200,
                        "detail": str(result.error) if result.error else None,
                    }
                    for alert_id, result in results.items()
                ]
            }
        )


def add_management_routes(app: web.Application, alerts: AlertLog) -> None:
    """Add what the national organisation asks."""
    handlers = AlertHandlers(alerts)
    app.router.add_post("/alerts", handlers.ask)
    app.router.add_get("/alerts/requests/{request_id}", handlers.page)
    app.router.add_post("/alerts/fulldataset/{request_id}", handlers.lift_truncation)
    app.router.add_post("/alerts/state", handlers.change_many)
    app.router.add_get("/alerts/{alert_id}", handlers.open)
    app.router.add_post("/alerts/{alert_id}/state", handlers.change)


def add_hub_routes(
    app: web.Application, alerts: AlertLog, report_of: Callable[[AlertView], AlertReport]
) -> None:
    """Add what the hub passes on from a manufacturer."""

    async def opened(request: web.Request) -> web.Response:
        view = await alerts.open(request.match_info["alert_id"])
        return json_response(report_of(view))

    async def decided(request: web.Request) -> web.Response:
        message: AlertDecision = await read_message(request, AlertDecision)
        change = AlertChange(AlertParty.OBP, message.state, message.reason, message.text)
        view = await alerts.change(request.match_info["alert_id"], change)
        return json_response(report_of(view))

    app.router.add_post("/hub/v1/alerts/{alert_id}/opened", opened)
    app.router.add_post("/hub/v1/alerts/{alert_id}/state", decided)


def alert_query(message: QueryMessage) -> AlertQuery:
    """Return what is asked for. Raises BadRequestError."""
    code = message.error_code and message.error_code.removeprefix("#")
    if code and code not in ALERT_CODES:
        known = ", ".join(sorted(ALERT_CODES))
        raise BadRequestError(f"errorCode is one of {known}, with or without the number sign")
    if message.source_market and message.source_market not in MARKETS:
        raise BadRequestError("sourceMarket is no market of the system")
    return AlertQuery(
        _time(message.start_timestamp, "startTimestamp"),
        _time(message.end_timestamp, "endTimestamp"),
        code or None,
        message.product_code,
        message.state,
        message.source_market or None,
    )


def _time(text: str, name: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequestError(f"{name} is no ISO 8601 time") from error
    if value.year not in _YEARS:
        raise BadRequestError(f"{name} is from {_YEARS[0]} to {_YEARS[-1]}")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= _NUMBER_LENGTH_MAX):
        raise BadRequestError(f"{name} is a number")
    return int(text)
