"""The management port of a national system: participants, audit trail, alerts, integrity.

For the tester and the composition root, loopback by default; no pharmacy ever sees it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from emvs.errors import BadRequestError
from emvs.infra.management import read_message
from emvs.infra.web import json_response
from emvs.limits import AUDIT_ROWS_MAX
from emvs.outcomes import Outcome
from emvs.states import Operation, State
from nmvs.directory import Directory, Registration
from nmvs.integrity import IntegrityReport
from nmvs.logins.enrolment import LoginEnrolment
from nmvs.pack_keys import PackKeys
from nmvs.store import Store


def add_routes(
    app: web.Application,
    *,
    directory: Directory,
    logins: LoginEnrolment,
    store: Store,
    keys: PackKeys,
    check: Callable[[], Awaitable[IntegrityReport]],
) -> None:
    """Add `POST /participants`, `GET /trail`, `GET /alerts` and `GET /check`."""

    async def post_participants(request: web.Request) -> web.Response:
        registration: Registration = await read_message(request, Registration)
        if registration.soap is not None:
            registration.soap.check()
        participant = await directory.register(registration)
        if registration.soap is not None:
            await logins.register(registration.soap, participant.number, keep=registration.keep)
        return json_response(
            {"number": participant.number, "location": participant.location}, status=201
        )

    async def get_trail(request: web.Request) -> web.Response:
        product_code = _required(request, "product_code")
        serial_number = _required(request, "serial")
        rows = await store.trail(keys.key(product_code, serial_number), AUDIT_ROWS_MAX)
        return json_response({"entries": [_trail_entry(row) for row in rows]})

    async def get_alerts(request: web.Request) -> web.Response:
        since = _time(request.query.get("since", "1970-01-01T00:00:00Z"))
        rows = await store.alerts(since, AUDIT_ROWS_MAX)
        return json_response({"alerts": [_alert(row) for row in rows]})

    async def get_check(_: web.Request) -> web.Response:
        report = await check()
        equal = not report.differences and report.indexed_count == report.stored_count
        return json_response({"equal": equal, **report._asdict()}, status=200 if equal else 500)

    app.router.add_post("/participants", post_participants)
    app.router.add_get("/trail", get_trail)
    app.router.add_get("/alerts", get_alerts)
    app.router.add_get("/check", get_check)


def _required(request: web.Request, name: str) -> str:
    value = request.query.get(name)
    if not value:
        raise BadRequestError(f"the query parameter {name} is missing")
    return value


def _time(text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequestError(f"{text!r} is no ISO 8601 time") from error
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _state_name(number: int) -> str | None:
    return State(number).name if number else None


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trail_entry(row: Any) -> dict[str, Any]:
    return {
        "at": _iso(row["recorded_at"]),
        "transactionId": row["transaction_id"].hex(),
        "operation": Operation(row["operation"]).name,
        "outcome": Outcome(row["outcome"]).name,
        "stateBefore": _state_name(row["state_before"]),
        "stateAfter": _state_name(row["state_after"]),
        "location": row["location"],
        "name": row["name"],
        "role": row["role"],
        "market": row["market"],
        "dialect": row["dialect"],
        "manual": row["manual"],
        "clientTransactionId": row["client_transaction_id"],
        "alertId": row["alert_id"],
        "submitted": row["submitted"] and orjson.loads(row["submitted"]),
    }


def _alert(row: Any) -> dict[str, Any]:
    return {
        "alertId": row["alert_id"],
        "raisedAt": _iso(row["raised_at"]),
        "code": row["hub_code"],
        "outcome": Outcome(row["outcome"]).name,
        "operation": Operation(row["operation"]).name,
        "transactionId": row["transaction_id"].hex(),
        "productCode": row["product_code"],
        "submitted": orjson.loads(row["submitted"]),
        "stored": row["stored"] and orjson.loads(row["stored"]),
        "location": row["location"],
        "name": row["name"],
    }
