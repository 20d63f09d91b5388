"""The participants' directory: who is behind a login. In memory; stored when it changes.

A SOAP login and a REST client may belong to the same location, so that the rule "same location"
holds across dialects.
"""

from __future__ import annotations

import asyncio

import msgspec

from emvs.errors import BadRequestError, OverloadedError
from emvs.markets import Market
from emvs.outcomes import Outcome
from emvs.roles import Role, permitted_operations
from emvs.rules import MarketRules
from nmvs.credentials import COST_LOG2, NOBODYS_HASH, LoginCache, hash_secret
from nmvs.participant_store import ParticipantStore, StoredLocation
from nmvs.participants import CENTRAL_MARKET, Participant


class SoapLogin(msgspec.Struct, forbid_unknown_fields=True):
    """A login to the SOAP dialect."""

    client_login_id: str
    user_id: str
    password: str


class RestLogin(msgspec.Struct, forbid_unknown_fields=True):
    """A login to the REST dialect."""

    client_id: str
    client_secret: str


class Registration(msgspec.Struct, forbid_unknown_fields=True):
    """A location to be registered or changed, with its logins."""

    kind: Role
    name: str
    location: str
    organisation: str = ""
    soap: SoapLogin | None = None
    rest: RestLogin | None = None


class Directory:
    """Participants by login."""

    def __init__(
        self,
        store: ParticipantStore,
        market: Market,
        rules: MarketRules,
        *,
        hash_cost_log2: int = COST_LOG2,
    ) -> None:
        self._store = store
        self._market = market
        self._rules = rules
        self._hash_cost_log2 = hash_cost_log2
        self._generation = 0
        self._by_location: dict[tuple[str, str], Participant] = {}
        self._soap: dict[tuple[str, str], tuple[str, int]] = {}
        self._rest: dict[str, tuple[str, int]] = {}
        self._by_number: dict[int, Participant] = {}
        self._cache = LoginCache[Participant]()
        self._changing = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._by_number)

    async def load(self) -> None:
        """Read all participants from the store."""
        for stored in await self._store.locations():
            self._put(stored)
        for client_login_id, user_id, password_hash, number in await self._store.soap_logins():
            self._soap[client_login_id, user_id] = (password_hash, number)
        for client_id, secret_hash, number in await self._store.rest_clients():
            self._rest[client_id] = (secret_hash, number)

    def _put(self, stored: StoredLocation) -> Participant:
        role = Role(stored.role)
        participant = Participant(
            number=stored.location_number,
            role=role,
            name=stored.name,
            location=stored.location,
            organisation=stored.organisation,
            permitted=permitted_operations(role, self._rules),
            market=stored.market,
        )
        self._by_number[participant.number] = participant
        self._by_location[participant.market, participant.location] = participant
        return participant

    def cached_soap_login(
        self, client_login_id: str, user_id: str, password: str
    ) -> Participant | None:
        """Return the participant of a login that was verified before, None if it was not."""
        return self._cache.get(self._cache.digest("soap", client_login_id, user_id, password))

    async def soap_login(
        self, client_login_id: str, user_id: str, password: str
    ) -> Participant | Outcome:
        """Verify a login; return its participant or why it is refused."""
        digest = self._cache.digest("soap", client_login_id, user_id, password)
        return await self._verified(digest, self._soap.get((client_login_id, user_id)), password)

    async def rest_client(self, client_id: str, client_secret: str) -> Participant | Outcome:
        """Verify a client's secret; return its participant or why it is refused."""
        digest = self._cache.digest("rest", client_id, client_secret)
        return await self._verified(digest, self._rest.get(client_id), client_secret)

    def participant_of_rest_client(self, client_id: str) -> Participant | None:
        """Return the participant of a REST client, None if there is no such client."""
        known = self._rest.get(client_id)
        return None if known is None else self._by_number[known[1]]

    async def _verified(
        self, digest: bytes, known: tuple[str, int] | None, secret: str
    ) -> Participant | Outcome:
        if known is None:
            # As slow as a wrong password, so that nobody learns which logins exist.
            known = (NOBODYS_HASH, 0)
        cached = self._cache.get(digest)
        if cached is not None:
            return cached
        generation = self._generation
        try:
            if not await self._cache.verify(digest, secret, known[0]) or not known[1]:
                return Outcome.LOGIN_WRONG
        except OverloadedError:
            return Outcome.OVERLOADED
        participant = self._by_number[known[1]]
        if generation == self._generation:  # Else the secret may have changed meanwhile.
            self._cache.put(digest, participant)
        return participant

    async def register(self, registration: Registration) -> Participant:
        """Store a location with its logins; one that is known by its location id is changed."""
        if registration.kind is Role.OBP:
            raise BadRequestError("a manufacturer is registered at the hub, not at a market")
        if not registration.location or len(registration.location) > 100:
            raise BadRequestError("location has 1 to 100 characters")
        async with self._changing:
            participant = await self._put_location(
                self._market.code,
                registration.location,
                registration.kind,
                name=registration.name,
                organisation=registration.organisation or registration.name,
            )
            if registration.soap is not None:
                await self._put_soap(registration.soap, participant)
            if registration.rest is not None:
                await self._put_rest(registration.rest, participant)
            self._generation += 1
            self._cache.clear()
        return participant

    async def foreign(self, market: str, number: int, role: Role) -> Participant:
        """Return the participant that stands for a location of another market.

        Only its number is known here (Delegated Regulation (EU) 2016/161, Art. 38).
        """
        location = f"{market}-{number}"
        known = self._by_location.get((market, location))
        if known is not None and known.role is role:
            return known
        async with self._changing:
            return await self._put_location(
                market, location, role, name=f"location in {market}", organisation=market
            )

    async def central(self, organisation_id: str, role: Role) -> Participant:
        """Return the participant that stands for an organisation of the EU Hub; `organisation_id`
        has letters and digits. It is its own location in every market (our choice)."""
        # A number, as locations of other markets have one (`number_at_home`).
        location = f"{CENTRAL_MARKET}-{int(organisation_id, 36)}"
        known = self._by_location.get((CENTRAL_MARKET, location))
        if known is not None and known.role is role:
            return known
        async with self._changing:
            return await self._put_location(
                CENTRAL_MARKET,
                location,
                role,
                name=f"organisation {organisation_id} at the EU Hub",
                organisation=organisation_id,
            )

    async def located(self, market: str, number: int, role: Role) -> Participant | None:
        """Return the participant that stands for a location of any market; None if it should be
        one of this market and is not."""
        if market != self._market.code:
            return await self.foreign(market, number, role)
        known = self._by_number.get(number)
        return known if known is not None and known.market == market else None

    def by_number(self, number: int) -> Participant | None:
        """Return the participant with a number of this system."""
        return self._by_number.get(number)

    async def _put_location(
        self, market: str, location: str, role: Role, *, name: str, organisation: str
    ) -> Participant:
        known = self._by_location.get((market, location))
        number = known.number if known else max(self._by_number, default=0) + 1
        stored = StoredLocation(number, market, location, role, name, organisation)
        await self._store.put_location(stored)
        return self._put(stored)

    async def _put_soap(self, login: SoapLogin, participant: Participant) -> None:
        hashed = await asyncio.to_thread(hash_secret, login.password, self._hash_cost_log2)
        await self._store.put_soap_login(
            login.client_login_id, login.user_id, hashed, participant.number
        )
        self._soap[login.client_login_id, login.user_id] = (hashed, participant.number)

    async def _put_rest(self, login: RestLogin, participant: Participant) -> None:
        hashed = await asyncio.to_thread(hash_secret, login.client_secret, self._hash_cost_log2)
        await self._store.put_rest_client(login.client_id, hashed, participant.number)
        self._rest[login.client_id] = (hashed, participant.number)
