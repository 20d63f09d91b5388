"""Requests about alerts, of manufacturers and of national systems: parse, call, render."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from emvs.alert_messages import AlertDecision, AlertReports
from emvs.errors import UnauthorisedError
from emvs.infra.web import bearer_token, decode_body, json_response, read_body
from hub.alerts import Alerts
from hub.callers import client_of
from hub.message_bodies import read_message
from hub.organisations import Organisations

_DECISION_BYTES_MAX: Final = 16 * 1024
_REPORTS_BYTES_MAX: Final = 16 * 1024 * 1024
"""Fifty reports, each with a hundred changes and their texts, fit in (our choice)."""
_BODY_S_MAX: Final = 10.0


class AlertHandlers:
    """What can be asked about alerts."""

    def __init__(
        self, alerts: Alerts, organisations: Organisations, systems_by_token: Mapping[str, str]
    ) -> None:
        self._alerts = alerts
        self._organisations = organisations
        self._systems_by_token = systems_by_token

    async def take(self, request: web.Request) -> web.Response:
        """`POST /nmvs/v1/alerts`: a national system reports alerts."""
        system = self._systems_by_token.get(bearer_token(request) or "")
        if system is None:
            raise UnauthorisedError("a national system's bearer token is wanted")
        body = await read_body(request, bytes_max=_REPORTS_BYTES_MAX, timeout_s=_BODY_S_MAX)
        reports = decode_body(body, AlertReports)
        return json_response(await self._alerts.take(reports.alerts, system))

    async def recent(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/alerts?after=...&limit=...&code=...&productCode=...&state=...`."""
        client = client_of(self._organisations, request)
        return json_response(await self._alerts.page(client, request.query))

    async def open(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/alerts/{alert id}`."""
        client = client_of(self._organisations, request)
        return json_response(await self._alerts.open(client, request.match_info["alert_id"]))

    async def decide(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/alerts/{alert id}/state`."""
        client = client_of(self._organisations, request)
        wanted = await read_message(request, AlertDecision, bytes_max=_DECISION_BYTES_MAX)
        alert_id = request.match_info["alert_id"]
        return json_response(await self._alerts.decide(client, alert_id, wanted))
