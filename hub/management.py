"""The hub's own part of the management port: organisations and the outbox. Loopback by default."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from emvs.infra.management import read_message
from emvs.infra.web import json_response
from hub.alerts import Alerts
from hub.audit import PackAudits
from hub.distribution import Courier
from hub.distribution_settings import Distribution, DistributionChange
from hub.identity.sessions import Token
from hub.organisations import Organisations, Registration
from hub.store.connections import Pool
from hub.store.delivery_lines import queues
from hub.times import utc


class ManagementHandlers:
    """Parse, call, render."""

    def __init__(
        self,
        *,
        pool: Pool,
        organisations: Organisations,
        couriers: Mapping[str, Courier],
        audits: PackAudits,
        alerts: Alerts,
        distribution: Distribution,
    ) -> None:
        self._distribution = distribution
        self._alerts = alerts
        self._audits = audits
        self._pool = pool
        self._organisations = organisations
        self._couriers = couriers

    async def organisations(self, request: web.Request) -> web.Response:
        """`POST /organisations`: register an organisation and a client; answer with its token."""
        registration: Registration = await read_message(request, Registration)
        token = await self._organisations.register(registration)
        given = {"token": token}
        if isinstance(token, Token):
            given = {"initialToken": token.text, "endsAt": utc(token.ends_at_ms)}
        return json_response(
            {
                "organisationId": registration.organisation_id,
                "name": registration.name,
                "kind": registration.kind.value,
                "clientId": registration.client_id,
            }
            | given
        )

    async def outbox(self, _: web.Request) -> web.Response:
        """`GET /outbox`: what waits for each national system, and when it is tried again."""
        lines = []
        for row in await queues(self._pool):
            courier = self._couriers.get(row.system)
            next_ms = courier.next_attempt_ms if courier else None
            lines.append(
                {
                    "system": row.system,
                    "connected": courier is not None,
                    "waiting": row.waiting_count,
                    "oldestAt": utc(row.oldest_at_ms),
                    "attempts": row.attempts,
                    "lastError": row.last_error,
                    "paused": courier is not None and self._distribution.of(row.system).paused,
                    "nextAttemptAt": None if next_ms is None else utc(next_ms),
                }
            )
        return json_response({"systems": lines})

    async def distributions(self, _: web.Request) -> web.Response:
        """`GET /distribution`: how each national system's distribution is slowed or disturbed."""
        return json_response(
            {
                "systems": {
                    system: msgspec.to_builtins(self._distribution.of(system))
                    for system in sorted(self._couriers)
                }
            }
        )

    async def change_distribution(self, request: web.Request) -> web.Response:
        """`PATCH /distribution/{market}`: change that of one."""
        change: DistributionChange = await read_message(request, DistributionChange)
        setting = await self._distribution.change(request.match_info["market"], change)
        return json_response(msgspec.to_builtins(setting))

    async def alerts(self, request: web.Request) -> web.Response:
        """`GET /alerts?…`: all alerts, whosever: the European organisation's view."""
        return json_response(await self._alerts.page_of_all(request.query))

    async def pack_audit(self, request: web.Request) -> web.Response:
        """`GET /audit/pack?product_code=…&serial=…`: a pack's history across its markets."""
        query = request.query
        history = await self._audits.history(query.get("product_code", ""), query.get("serial", ""))
        return json_response(history)
