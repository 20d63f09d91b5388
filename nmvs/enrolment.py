"""Changes to who may use this national system: stored first, then known in memory.

One change at a time. Whoever is switched off is out as soon as the change returns.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from emvs.errors import BadRequestError, ConfigurationError, ConflictError, NotFoundError
from emvs.roles import Role
from nmvs.credentials import hash_secret
from nmvs.identities import Equipment, Location, LocationState, Organisation
from nmvs.identity_index import IdentityIndex
from nmvs.participant_store import ParticipantStore
from nmvs.participants import Participant
from nmvs.rate_plans import RATE_PLANS_MAX, RatePlan

IDENTITIES_MAX: Final = 500_000
"""Organisations, locations and equipments, of each at most so many (our choice): all of Europe has
some 200,000 locations."""
NAME_LENGTH_MAX: Final = 100
"""Of names and identifiers (our choice)."""
_SECRET_BYTES: Final = 32


class Enrolment:
    """Takes in organisations, locations and equipments, changes them, lets connectors in."""

    def __init__(
        self, store: ParticipantStore, index: IdentityIndex, *, hash_cost_log2: int
    ) -> None:
        self.store = store
        self.index = index
        self._hash_cost_log2 = hash_cost_log2
        self._configured_plans = dict(index.plans)
        self._changing = asyncio.Lock()

    async def load(self) -> None:
        """Read all that is stored. Raises ConfigurationError if the default plan is unknown."""
        index, store = self.index, self.store
        index.plans |= await store.rate_plans()
        if index.default_plan is not None and index.default_plan not in index.plans:
            raise ConfigurationError(f"there is no rate plan {index.default_plan!r}")
        for organisation in await store.organisations():
            index.put_organisation(organisation)
        for location in await store.locations():
            index.put_location(location)
        for equipment in await store.equipments():
            index.put_equipment(equipment)
        for number, connector in await store.connector_permissions():
            index.allow(number, connector)

    def organisation(self, organisation_id: str) -> Organisation:
        """Return an organisation, or raise NotFoundError."""
        known = self.index.organisations.get(organisation_id)
        if known is None:
            raise NotFoundError(f"there is no organisation {organisation_id!a}")
        return known

    def location(self, location: str) -> Location:
        """Return a location of this market, or raise NotFoundError."""
        number = self.index.number_of(self.index.market, location)
        if number is None:
            raise NotFoundError(f"there is no location {location!a}")
        return self.index.locations[number]

    def equipment(self, client_id: str) -> Equipment:
        """Return an equipment, or raise NotFoundError."""
        known = self.index.equipments.get(client_id)
        if known is None:
            raise NotFoundError(f"there is no equipment {client_id!a}")
        return known

    async def add_organisation(self, organisation: Organisation) -> Organisation:
        """Store a new organisation; without an id it is given one."""
        name = check_name("organisation_id", organisation.organisation_id or str(uuid4()))
        check_name("name", organisation.name)
        async with self._changing:
            if name in self.index.organisations:
                raise ConflictError(f"there is an organisation {name!a} already")
            return await self._put_organisation(organisation._replace(organisation_id=name))

    async def change_organisation(
        self,
        organisation_id: str,
        *,
        name: str | None = None,
        disabled: bool | None = None,
        rate_plan: str | None = None,
    ) -> Organisation:
        """Change what is given. An empty `rate_plan` means the market's default."""
        async with self._changing:
            changed = self.organisation(organisation_id)
            if name is not None:
                changed = changed._replace(name=check_name("name", name))
            if disabled is not None:
                changed = changed._replace(disabled=disabled)
            if rate_plan is not None:
                changed = changed._replace(rate_plan=rate_plan or None)
            return await self._put_organisation(changed)

    async def add_location(self, location: Location) -> Location:
        """Store a new location of a known organisation; its number is given here."""
        _check_role(Role(location.role))
        check_name("location", location.location)
        check_name("name", location.name)
        async with self._changing:
            if self.organisation(location.organisation).is_connector:
                raise ConflictError("a connector acts for locations and has none")
            if self.index.number_of(location.market, location.location) is not None:
                raise ConflictError(f"there is a location {location.location!a} already")
            await self._put_location(location)
            return self.location(location.location)

    async def set_location_state(self, location: str, state: LocationState) -> Location:
        """Approve a location, or block it."""
        async with self._changing:
            changed = self.location(location)._replace(state=state)
            await self._put_location(changed)
            return changed

    async def put_location(
        self,
        market: str,
        location: str,
        role: Role,
        *,
        name: str,
        organisation: str,
        keep: bool = False,
    ) -> Participant:
        """Store a location, new or changed; a new one is approved, and with `keep` a known one
        stays as it is. In this market its organisation is made if there is none with that id."""
        async with self._changing:
            number = self.index.number_of(market, location)
            if keep and number is not None:
                return self.index.participants[number]
            if market == self.index.market:
                _check_role(role)
                check_name("location", location)
                if organisation not in self.index.organisations:
                    made = Organisation(check_name("organisation", organisation), organisation)
                    await self._put_organisation(made)
            state = LocationState.APPROVED
            if number is not None:
                state = self.index.locations[number].state
            return await self._put_location(
                Location(number or 0, market, location, role, name, organisation, state)
            )

    async def add_equipment(
        self, *, name: str = "", location: str | None = None, organisation_id: str | None = None
    ) -> tuple[Equipment, str]:
        """Store a new equipment at a location or of a connector; return it and its secret, which
        nobody can be told again."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        hashed = await self.hash(secret)
        async with self._changing:
            number = None
            if location is not None:
                number = self.location(location).location_number
            elif not self.organisation(organisation_id or "").is_connector:
                raise ConflictError("only a connector's equipment stands at no location")
            connector = organisation_id if number is None else None
            made = Equipment(str(uuid4()), hashed, number, connector, name[:NAME_LENGTH_MAX])
            await self._put_equipment(made)
        return made, secret

    async def put_equipment(
        self, client_id: str, secret: str, participant: Participant, *, keep: bool = False
    ) -> None:
        """Store an equipment with an id and a secret of the caller's choice, new or changed; with
        `keep` a known one stays as it is."""
        if keep and client_id in self.index.equipments:
            return  # None is ever taken away.
        hashed = await self.hash(secret)
        async with self._changing:
            known = self.index.equipments.get(client_id)
            if keep and known is not None:
                return
            equipment = known or Equipment(client_id, hashed, None)
            await self._put_equipment(
                equipment._replace(
                    secret_hash=hashed, location_number=participant.number, organisation_id=None
                )
            )

    async def disable_equipment(self, client_id: str, *, disabled: bool) -> Equipment:
        """Switch an equipment off, or on again."""
        async with self._changing:
            changed = self.equipment(client_id)._replace(disabled=disabled)
            await self._put_equipment(changed)
            return changed

    async def allow_connector(self, location: str, organisation_id: str, *, allowed: bool) -> None:
        """Let a connector act for a location, or end that."""
        async with self._changing:
            number = self.location(location).location_number
            if not self.organisation(organisation_id).is_connector:
                raise ConflictError(f"organisation {organisation_id!a} is no connector")
            if allowed:
                await self.store.put_connector_permission(number, organisation_id)
                self.index.allow(number, organisation_id)
            else:
                await self.store.delete_connector_permission(number, organisation_id)
                self.index.disallow(number, organisation_id)

    async def put_rate_plan(self, name: str, plan: RatePlan) -> None:
        """Store a rate plan, new or changed."""
        check_name("name", name)
        async with self._changing:
            if name not in self.index.plans and len(self.index.plans) >= RATE_PLANS_MAX:
                raise ConflictError(f"there are {RATE_PLANS_MAX} rate plans, as many as may be")
            await self.store.put_rate_plan(name, plan)
            self.index.put_plan(name, plan)

    async def delete_rate_plan(self, name: str) -> None:
        """Delete a rate plan; one from the configuration is as it is there again."""
        async with self._changing:
            if name not in self.index.plans:
                raise NotFoundError(f"there is no rate plan {name!a}")
            configured = self._configured_plans.get(name)
            if configured is None and (users := self.index.users_of_plan(name)):
                raise ConflictError(f"{len(list(users))} organisations have the rate plan {name!a}")
            await self.store.delete_rate_plan(name)
            if configured is None:
                self.index.drop_plan(name)
            else:
                self.index.put_plan(name, configured)

    async def hash(self, secret: str) -> str:
        """Return the hash of a secret, made off the event loop."""
        return await asyncio.to_thread(hash_secret, secret, self._hash_cost_log2)

    async def _put_organisation(self, organisation: Organisation) -> Organisation:
        _check_room("organisations", self.index.organisations, organisation.organisation_id)
        plan = organisation.rate_plan
        if plan is not None and plan not in self.index.plans:
            raise NotFoundError(f"there is no rate plan {plan!a}")
        await self.store.put_organisation(organisation)
        self.index.put_organisation(organisation)
        return organisation

    async def _put_location(self, location: Location) -> Participant:
        _check_room("locations", self.index.locations, location.location_number)
        number = location.location_number or self.index.next_number()
        stored = location._replace(location_number=number)
        await self.store.put_location(stored)
        return self.index.put_location(stored)

    async def _put_equipment(self, equipment: Equipment) -> None:
        _check_room("equipments", self.index.equipments, equipment.client_id)
        await self.store.put_equipment(equipment)
        self.index.put_equipment(equipment)


def check_name(member: str, value: str) -> str:
    """Return a name or an identifier, or raise BadRequestError."""
    if not value or len(value) > NAME_LENGTH_MAX:
        raise BadRequestError(f"{member} has 1 to {NAME_LENGTH_MAX} characters")
    return value


def _check_role(role: Role) -> None:
    if role is Role.OBP:
        raise BadRequestError("a manufacturer is registered at the hub, not at a market")


def _check_room(what: str, known: Mapping[Any, object], key: object) -> None:
    if key not in known and len(known) >= IDENTITIES_MAX:
        raise ConflictError(f"there are {IDENTITIES_MAX} {what}, as many as may be")
