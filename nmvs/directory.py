"""The participants' directory: who is behind a login. In memory; stored when it changes.

A SOAP login and a REST client may belong to the same location, so that the rule "same location"
holds across dialects. What dialects ask is here; who is let in, and how that changes, stands in
`nmvs.identity_index` and `nmvs.enrolment`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from emvs.errors import OverloadedError
from emvs.markets import Market
from emvs.outcomes import Outcome
from emvs.roles import Role
from emvs.rules import MarketRules
from nmvs.credentials import COST_LOG2, LoginCache, nobodys_hash
from nmvs.enrolment import Enrolment
from nmvs.identities import ConnectorRefusal, RestClient
from nmvs.identity_index import IdentityIndex
from nmvs.logins.enrolment import SoapLogin
from nmvs.participant_store import ParticipantStore
from nmvs.participants import CENTRAL_MARKET, Participant
from nmvs.rate_plans import RatePlan


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
    keep: bool = False
    """Whether what is known stays as it is: names, secrets, passwords, locks."""


class Directory:
    """Participants by login."""

    def __init__(
        self,
        store: ParticipantStore,
        market: Market,
        rules: MarketRules,
        *,
        hash_cost_log2: int = COST_LOG2,
        rate_plans: Mapping[str, RatePlan] | None = None,
        default_rate_plan: str | None = None,
    ) -> None:
        self._store = store
        self._market = market
        self._index = IdentityIndex(market.code, rules, rate_plans or {}, default_rate_plan)
        self.enrolment = Enrolment(store, self._index, hash_cost_log2=hash_cost_log2)
        self.client: Callable[[str], RestClient | None] = self._index.clients.get
        """Returns the REST client with an id that may work at this moment, None if there is none.
        Asked by every request, so it is the dictionary's own method."""
        self.admitted: Callable[[int], Participant | None] = self._index.admitted.get
        """Returns the location with a number that may work at this moment, None if there is none.
        """
        self._nobodys_hash = nobodys_hash(hash_cost_log2)
        self._verified = LoginCache[str]()
        """The stored hash that a login was found to fit; a changed secret has another one."""

    def __len__(self) -> int:
        return len(self._index)

    async def load(self) -> None:
        """Read all participants from the store."""
        await self.enrolment.load()

    async def rest_client(self, client_id: str, client_secret: str) -> RestClient | Outcome:
        """Verify a client's secret; return the client or why it is refused."""
        client = self.client(client_id)
        digest = self._verified.digest("rest", client_id, client_secret)
        hashed = None if client is None else client.secret_hash
        refusal = await self._refusal(digest, hashed, client_secret)
        return refusal or self.client(client_id) or Outcome.LOGIN_WRONG

    def participant_for_connector(
        self, client: RestClient, location: str
    ) -> Participant | ConnectorRefusal:
        """Return the location that a connector's client acts for, or why it may not."""
        number = self._index.number_of(self._market.code, location)
        if number is None:
            return ConnectorRefusal.LOCATION_UNKNOWN
        participant = self._index.admitted.get(number)
        if participant is None or not self._index.acts_for(client.organisation_id, number):
            return ConnectorRefusal.NOT_ALLOWED
        return participant._replace(equipment=client.client_id)

    async def _refusal(self, digest: bytes, hashed: str | None, secret: str) -> Outcome | None:
        """Return why a secret is refused, None if it fits the stored hash."""
        if hashed is not None and self._verified.get(digest) == hashed:
            return None
        try:
            # Without a hash as slow as with one, so that nobody learns which logins exist.
            if not await self._verified.verify(digest, secret, hashed or self._nobodys_hash):
                return Outcome.LOGIN_WRONG
        except OverloadedError:
            return Outcome.OVERLOADED
        if hashed is None:
            return Outcome.LOGIN_WRONG
        self._verified.put(digest, hashed)
        return None

    async def register(self, registration: Registration) -> Participant:
        """Store a location with its login to the REST dialect; one that is known by its location id
        is changed, unless it is to be kept. Logins to the SOAP dialect are `nmvs.logins`'s."""
        participant = await self.enrolment.put_location(
            self._market.code,
            registration.location,
            registration.kind,
            name=registration.name,
            organisation=registration.organisation or registration.name or registration.location,
            keep=registration.keep,
        )
        if (rest := registration.rest) is not None:
            await self.enrolment.put_equipment(
                rest.client_id, rest.client_secret, participant, keep=registration.keep
            )
        return participant

    async def foreign(self, market: str, number: int, role: Role) -> Participant:
        """Return the participant that stands for a location of another market.

        Only its number is known here (Delegated Regulation (EU) 2016/161, Art. 38).
        """
        location = f"{market}-{number}"
        known = self._index.participants.get(self._index.number_of(market, location) or 0)
        if known is not None and known.role is role:
            return known
        return await self.enrolment.put_location(
            market, location, role, name=f"location in {market}", organisation=market
        )

    async def central(self, organisation_id: str, role: Role) -> Participant:
        """Return the participant that stands for an organisation of the EU Hub; `organisation_id`
        has letters and digits. It is its own location in every market (our choice)."""
        # A number, as locations of other markets have one (`number_at_home`).
        location = f"{CENTRAL_MARKET}-{int(organisation_id, 36)}"
        known = self._index.participants.get(self._index.number_of(CENTRAL_MARKET, location) or 0)
        if known is not None and known.role is role:
            return known
        return await self.enrolment.put_location(
            CENTRAL_MARKET,
            location,
            role,
            name=f"organisation {organisation_id} at the EU Hub",
            organisation=organisation_id,
        )

    def rate_plan_of(self, organisation_id: str) -> tuple[str, RatePlan | None]:
        """Return name and content of an organisation's rate plan; None if nothing is limited."""
        organisation = self._index.organisations.get(organisation_id)
        if organisation is None:
            return "", None
        name = organisation.rate_plan or self._index.default_plan or ""
        return name, self._index.plan_of(organisation)

    async def located(self, market: str, number: int, role: Role) -> Participant | None:
        """Return the participant that stands for a location of any market; None if it should be
        one of this market and is not."""
        if market != self._market.code:
            return await self.foreign(market, number, role)
        known = self._index.participants.get(number)
        return known if known is not None and known.market == market else None

    def by_number(self, number: int) -> Participant | None:
        """Return the participant with a number of this system."""
        return self._index.participants.get(number)
