"""The management port's routes for logins to the SOAP services, and terms. Parse, call, render.

No answer holds a password or its hash.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import msgspec
from aiohttp import web

from emvs.errors import BadRequestError
from emvs.infra.management import read_message
from emvs.infra.web import json_response
from emvs.login_rules import NEVER_MS, expires_at_ms, is_locked
from nmvs.logins.enrolment import LoginEnrolment
from nmvs.logins.registry import Login, Logins
from nmvs.logins.store import StoredTerms, from_ms
from nmvs.logins.terms import VERSION_MAX

_LISTED_MAX: Final = 1_000
_LOGIN: Final = "/soap-logins/{client_login_id}/{user_id}"


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PUT /soap-logins/{client_login_id}/{user_id}/password`."""

    password: str
    initial: bool = True


class ClientRules(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PUT /soap-clients/{client_login_id}`."""

    sub_user_required: bool


class NewTerms(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PUT /terms/{version}`."""

    text: str
    starts_at: datetime
    accept_by: datetime


def add_routes(app: web.Application, logins: Logins, enrolment: LoginEnrolment) -> None:
    """Add `/soap-logins`, `/soap-clients` and `/terms` with what they offer."""
    _add_login_routes(app, logins, enrolment)
    _add_client_routes(app, logins, enrolment)
    _add_terms_routes(app, logins)


def _add_login_routes(app: web.Application, logins: Logins, enrolment: LoginEnrolment) -> None:
    async def get_all(request: web.Request) -> web.Response:
        client, is_wanted = request.query.get("client_login_id"), request.query.get("locked")
        if is_wanted not in (None, "true", "false"):
            raise BadRequestError("the query parameter locked is true or false")
        wanted = (
            login
            for login in logins.all()
            if client in (None, login.stored.client_login_id)
            and is_wanted in (None, str(_is_locked(login, logins)).lower())
        )
        rows = [_row(login, logins) for login in islice(wanted, _LISTED_MAX)]
        return json_response({"logins": rows})

    async def get_one(request: web.Request) -> web.Response:
        return json_response(_row(enrolment.find(*_ids(request)), logins))

    async def lock(request: web.Request) -> web.Response:
        return json_response(_row(await enrolment.lock(*_ids(request)), logins))

    async def unlock(request: web.Request) -> web.Response:
        return json_response(_row(await enrolment.unlock(*_ids(request)), logins))

    async def put_password(request: web.Request) -> web.Response:
        message: NewPassword = await read_message(request, NewPassword)
        login = await enrolment.set_password(
            *_ids(request), message.password, is_initial=message.initial
        )
        return json_response(_row(login, logins))

    app.router.add_get("/soap-logins", get_all)
    app.router.add_get(_LOGIN, get_one)
    app.router.add_post(f"{_LOGIN}/lock", lock)
    app.router.add_post(f"{_LOGIN}/unlock", unlock)
    app.router.add_put(f"{_LOGIN}/password", put_password)


def _add_client_routes(app: web.Application, logins: Logins, enrolment: LoginEnrolment) -> None:
    async def get_client(request: web.Request) -> web.Response:
        client = request.match_info["client_login_id"]
        is_required = client in logins.sub_user_clients
        return json_response({"client_login_id": client, "sub_user_required": is_required})

    async def put_client(request: web.Request) -> web.Response:
        message: ClientRules = await read_message(request, ClientRules)
        await enrolment.require_sub_user(
            request.match_info["client_login_id"], is_required=message.sub_user_required
        )
        return await get_client(request)

    app.router.add_get("/soap-clients/{client_login_id}", get_client)
    app.router.add_put("/soap-clients/{client_login_id}", put_client)


def _add_terms_routes(app: web.Application, logins: Logins) -> None:
    terms = logins.terms

    async def get_all(_: web.Request) -> web.Response:
        return json_response({"terms": [_terms_row(each) for each in terms.all()]})

    async def put(request: web.Request) -> web.Response:
        message: NewTerms = await read_message(request, NewTerms)
        stored = await terms.put(
            _version(request),
            content=message.text,
            starts_at=_aware(message.starts_at),
            accept_by=_aware(message.accept_by),
        )
        return json_response(_terms_row(stored))

    async def delete(request: web.Request) -> web.Response:
        await terms.drop(_version(request))
        return await get_all(request)

    app.router.add_get("/terms", get_all)
    app.router.add_put("/terms/{version}", put)
    app.router.add_delete("/terms/{version}", delete)


def _ids(request: web.Request) -> tuple[str, str]:
    return request.match_info["client_login_id"], request.match_info["user_id"]


def _version(request: web.Request) -> int:
    text = request.match_info["version"]
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(VERSION_MAX))):
        raise BadRequestError(f"a version is a number from 1 to {VERSION_MAX}")
    return int(text)


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _is_locked(login: Login, logins: Logins) -> bool:
    return is_locked(login.stored.state, logins.clock.now_ms(), logins.rules)


def _row(login: Login, logins: Logins) -> dict[str, Any]:
    stored, state, rules = login.stored, login.stored.state, logins.rules
    ends_ms = expires_at_ms(state, rules)
    found = logins.standing(login)
    locked = _is_locked(login, logins)
    ends_by_itself = locked and not state.is_locked_by_hand and rules.lock_s
    locked_at_ms = state.locked_at_ms if locked else None
    return {
        "client_login_id": stored.client_login_id,
        "user_id": stored.user_id,
        "location_number": stored.location_number,
        "locked": locked,
        "locked_at": _time(locked_at_ms),
        "locked_until": _time(
            locked_at_ms + rules.lock_s * 1000
            if ends_by_itself and locked_at_ms is not None
            else None
        ),
        "failures": state.failure_count,
        "initial": state.is_initial,
        "assigned_at": _time(state.assigned_at_ms),
        "expires_at": _time(None if ends_ms == NEVER_MS else ends_ms),
        "former_password_until": _time(state.former_until_ms or None),
        "accepted_terms": state.accepted_version or None,
        "must": found.duty.name if found.duty else None,
        "notices": [{"kind": each.kind.name, "days": each.days} for each in found.notices],
    }


def _terms_row(terms: StoredTerms) -> dict[str, Any]:
    return {
        "version": terms.version,
        "text": terms.content,
        "starts_at": terms.starts_at.astimezone(UTC).isoformat(),
        "accept_by": terms.accept_by.astimezone(UTC).isoformat(),
    }


def _time(time_ms: int | None) -> str | None:
    return None if time_ms is None else from_ms(time_ms).isoformat(timespec="milliseconds")
