"""The management port's calls on organisations, locations, equipments, connectors, rate plans.

What the national organisation and the portal do in the real systems. A secret leaves once, in the
answer that makes its equipment; nothing here can show it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import web

from emvs.errors import BadRequestError
from emvs.infra.management import read_message
from emvs.infra.web import json_response
from emvs.roles import Role
from nmvs.enrolment import Enrolment
from nmvs.identities import Equipment, Location, LocationState, Organisation
from nmvs.rate_plans import RatePlan
from nmvs.sightings import Sightings

PAGE_MAX: Final = 1_000
"""Entries in a page at most (our choice)."""
_PAGE_DEFAULT: Final = 100


class NewOrganisation(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /organisations`."""

    name: str
    organisation_id: str = ""
    is_connector: bool = False
    rate_plan: str | None = None


class OrganisationChange(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PATCH /organisations/{id}`; what is absent stays."""

    name: str | None = None
    disabled: bool | None = None
    rate_plan: str | None = None
    """Empty for the market's default."""


class NewLocation(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /locations`."""

    organisation_id: str
    kind: Role
    name: str
    location: str


class LocationChange(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PATCH /locations/{location}`."""

    state: LocationState


class NewEquipment(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /equipments`: at a location, or of a connector."""

    location: str | None = None
    organisation_id: str | None = None
    name: str = ""


class EquipmentChange(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PATCH /equipments/{client_id}`."""

    disabled: bool


class _Page(NamedTuple):
    after: str
    limit: int


def add_routes(app: web.Application, enrolment: Enrolment, sightings: Sightings) -> None:
    """Add all calls on identities."""
    _add_organisations(app, enrolment)
    _add_locations(app, enrolment)
    _add_equipments(app, enrolment, sightings)
    _add_rate_plans(app, enrolment)


def _add_organisations(app: web.Application, enrolment: Enrolment) -> None:
    async def post(request: web.Request) -> web.Response:
        wanted: NewOrganisation = await read_message(request, NewOrganisation)
        made = await enrolment.add_organisation(
            Organisation(
                wanted.organisation_id, wanted.name, wanted.is_connector, wanted.rate_plan or None
            )
        )
        return json_response(made._asdict(), status=201)

    async def list_all(request: web.Request) -> web.Response:
        page = _page(request)
        found = await enrolment.store.page_of_organisations(page.after, page.limit)
        members = [organisation._asdict() for organisation in found]
        return _paged("organisations", members, page, "organisation_id")

    async def get(request: web.Request) -> web.Response:
        known = enrolment.organisation(request.match_info["organisation_id"])
        return json_response(known._asdict())

    async def patch(request: web.Request) -> web.Response:
        change: OrganisationChange = await read_message(request, OrganisationChange)
        changed = await enrolment.change_organisation(
            request.match_info["organisation_id"],
            name=change.name,
            disabled=change.disabled,
            rate_plan=change.rate_plan,
        )
        return json_response(changed._asdict())

    app.router.add_post("/organisations", post)
    app.router.add_get("/organisations", list_all)
    app.router.add_get("/organisations/{organisation_id}", get)
    app.router.add_patch("/organisations/{organisation_id}", patch)


def _add_locations(app: web.Application, enrolment: Enrolment) -> None:
    def shown(location: Location) -> dict[str, Any]:
        return {
            "location": location.location,
            "number": location.location_number,
            "organisation_id": location.organisation,
            "kind": location.role,
            "name": location.name,
            "state": location.state,
            "connectors": enrolment.index.connectors_of(location.location_number),
        }

    async def post(request: web.Request) -> web.Response:
        wanted: NewLocation = await read_message(request, NewLocation)
        made = await enrolment.add_location(
            Location(
                0,
                enrolment.index.market,
                wanted.location,
                wanted.kind,
                wanted.name,
                wanted.organisation_id,
                LocationState.PENDING,
            )
        )
        return json_response(shown(made), status=201)

    async def list_all(request: web.Request) -> web.Response:
        page, query = _page(request), request.query
        state = query.get("state")
        if state is not None and state not in set(LocationState):
            raise BadRequestError(f"state is one of {', '.join(LocationState)}")
        found = await enrolment.store.page_of_locations(
            enrolment.index.market,
            page.after,
            page.limit,
            organisation=query.get("organisation_id"),
            state=state,
        )
        return _paged("locations", [shown(one) for one in found], page, "location")

    async def get(request: web.Request) -> web.Response:
        return json_response(shown(enrolment.location(request.match_info["location"])))

    async def patch(request: web.Request) -> web.Response:
        change: LocationChange = await read_message(request, LocationChange)
        location = request.match_info["location"]
        return json_response(shown(await enrolment.set_location_state(location, change.state)))

    async def put_connector(request: web.Request) -> web.Response:
        return await allow(request, allowed=True)

    async def delete_connector(request: web.Request) -> web.Response:
        return await allow(request, allowed=False)

    async def allow(request: web.Request, *, allowed: bool) -> web.Response:
        location, connector = request.match_info["location"], request.match_info["connector"]
        await enrolment.allow_connector(location, connector, allowed=allowed)
        return json_response(shown(enrolment.location(location)))

    app.router.add_post("/locations", post)
    app.router.add_get("/locations", list_all)
    app.router.add_get("/locations/{location}", get)
    app.router.add_patch("/locations/{location}", patch)
    app.router.add_put("/locations/{location}/connectors/{connector}", put_connector)
    app.router.add_delete("/locations/{location}/connectors/{connector}", delete_connector)


def _add_equipments(app: web.Application, enrolment: Enrolment, sightings: Sightings) -> None:
    def shown(equipment: Equipment) -> dict[str, Any]:
        location = None
        organisation_id = equipment.organisation_id
        if equipment.location_number is not None:
            stands_at = enrolment.index.locations[equipment.location_number]
            location, organisation_id = stands_at.location, stands_at.organisation
        return {
            "client_id": equipment.client_id,
            "name": equipment.name,
            "location": location,
            "organisation_id": organisation_id,
            "disabled": equipment.disabled,
            "admitted": equipment.client_id in enrolment.index.clients,
        }

    async def post(request: web.Request) -> web.Response:
        wanted: NewEquipment = await read_message(request, NewEquipment)
        if (wanted.location is None) == (wanted.organisation_id is None):
            raise BadRequestError(
                "an equipment stands at a location or is a connector's: give one of location and"
                " organisation_id"
            )
        made, secret = await enrolment.add_equipment(
            name=wanted.name, location=wanted.location, organisation_id=wanted.organisation_id
        )
        return json_response({**shown(made), "client_secret": secret}, status=201)

    async def list_all(request: web.Request) -> web.Response:
        page, query = _page(request), request.query
        number = None
        if (location := query.get("location")) is not None:
            number = enrolment.location(location).location_number
        found = await enrolment.store.page_of_equipments(
            page.after,
            page.limit,
            location_number=number,
            organisation=query.get("organisation_id"),
        )
        return _paged("equipments", [shown(one) for one in found], page, "client_id")

    async def get(request: web.Request) -> web.Response:
        known = enrolment.equipment(request.match_info["client_id"])
        seen = [
            {
                "api_version": sighting.api_version,
                "requested_api_version": sighting.requested_api_version or None,
                "user_agent": sighting.user_agent or None,
                "ip": sighting.ip,
                "last_request_at": sighting.last_request_at.isoformat().replace("+00:00", "Z"),
            }
            for sighting in sightings.client_sightings(known.client_id)
        ]
        return json_response({**shown(known), "sightings": seen})

    async def patch(request: web.Request) -> web.Response:
        change: EquipmentChange = await read_message(request, EquipmentChange)
        client_id = request.match_info["client_id"]
        changed = await enrolment.disable_equipment(client_id, disabled=change.disabled)
        return json_response(shown(changed))

    app.router.add_post("/equipments", post)
    app.router.add_get("/equipments", list_all)
    app.router.add_get("/equipments/{client_id}", get)
    app.router.add_patch("/equipments/{client_id}", patch)


def _add_rate_plans(app: web.Application, enrolment: Enrolment) -> None:
    def shown(name: str) -> dict[str, Any]:
        plan = enrolment.index.plans[name]
        return {"name": name, "requests_per_s": plan.requests_per_s, "burst": plan.burst}

    async def list_all(_: web.Request) -> web.Response:
        plans = [shown(name) for name in sorted(enrolment.index.plans)]
        return json_response({"rate_plans": plans, "default": enrolment.index.default_plan})

    async def put(request: web.Request) -> web.Response:
        plan: RatePlan = await read_message(request, RatePlan)
        name = request.match_info["name"]
        await enrolment.put_rate_plan(name, plan)
        return json_response(shown(name))

    async def delete(request: web.Request) -> web.Response:
        await enrolment.delete_rate_plan(request.match_info["name"])
        return web.Response(status=204)

    app.router.add_get("/rate-plans", list_all)
    app.router.add_put("/rate-plans/{name}", put)
    app.router.add_delete("/rate-plans/{name}", delete)


def _page(request: web.Request) -> _Page:
    text = request.query.get("limit", str(_PAGE_DEFAULT))
    if not (text.isascii() and text.isdigit() and len(text) <= 4) or not 0 < int(text) <= PAGE_MAX:
        raise BadRequestError(f"limit is from 1 to {PAGE_MAX}")
    return _Page(request.query.get("after", ""), int(text))


def _paged(name: str, members: Sequence[dict[str, Any]], page: _Page, key: str) -> web.Response:
    """Return a page, and what to ask the next one with: null behind the last."""
    following = members[-1][key] if len(members) == page.limit else None
    return json_response({name: members, "next": following})
