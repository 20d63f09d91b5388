"""Who is admitted: organisations, locations and equipments in memory, and what follows from them.

Changes come from `nmvs.enrolment` after they were stored; lookups are dictionaries. An equipment
is admitted while it, its location and its organisation are; whatever stands in the way takes it
out of `clients` at once, so that tokens in hand end with it. No I/O here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from emvs.roles import Role, permitted_operations
from emvs.rules import MarketRules
from nmvs.identities import Equipment, Location, LocationState, Organisation, RestClient
from nmvs.participants import Participant
from nmvs.rate_plans import RatePlan, TokenBucket


class IdentityIndex:
    """The three levels of identity of one national system."""

    def __init__(
        self,
        market: str,
        rules: MarketRules,
        plans: Mapping[str, RatePlan],
        default_plan: str | None,
    ) -> None:
        self.market = market
        self._rules = rules
        self.plans = dict(plans)
        self.default_plan = default_plan
        self.organisations: dict[str, Organisation] = {}
        self.locations: dict[int, Location] = {}
        self.equipments: dict[str, Equipment] = {}
        self.participants: dict[int, Participant] = {}
        """All locations by number, whether admitted or not."""
        self.admitted: dict[int, Participant] = {}
        """Those that may work."""
        self.clients: dict[str, RestClient] = {}
        """Equipments that may work."""
        self._number_max = 0
        self._numbers: dict[tuple[str, str], int] = {}
        self._locations_of: defaultdict[str, set[int]] = defaultdict(set)
        self._equipments_at: defaultdict[int | str, set[str]] = defaultdict(set)
        self._allowed: set[tuple[int, str]] = set()
        self._buckets: dict[str, TokenBucket] = {}

    def __len__(self) -> int:
        return len(self.participants)

    def number_of(self, market: str, location: str) -> int | None:
        """Return a location's number."""
        return self._numbers.get((market, location))

    def next_number(self) -> int:
        """Return a number that no location has."""
        return self._number_max + 1

    def put_organisation(self, organisation: Organisation) -> None:
        """Take in a new organisation or a changed one."""
        name = organisation.organisation_id
        known = self.organisations.get(name)
        self.organisations[name] = organisation
        if known is None or known.rate_plan != organisation.rate_plan:
            self._set_bucket(organisation)
        self._admit_organisation(name)

    def put_location(self, location: Location) -> Participant:
        """Take in a new location or a changed one."""
        number = location.location_number
        known = self.locations.get(number)
        if known is not None:
            self._locations_of[known.organisation].discard(number)
        role = Role(location.role)
        participant = Participant(
            number=number,
            role=role,
            name=location.name,
            location=location.location,
            organisation=location.organisation,
            permitted=permitted_operations(role, self._rules),
            market=location.market,
        )
        self._number_max = max(self._number_max, number)
        self.locations[number] = location
        self.participants[number] = participant
        self._numbers[location.market, location.location] = number
        self._locations_of[location.organisation].add(number)
        self._admit_location(number)
        return participant

    def put_equipment(self, equipment: Equipment) -> None:
        """Take in a new equipment or a changed one."""
        client_id = equipment.client_id
        known = self.equipments.get(client_id)
        if known is not None:
            self._equipments_at[_place(known)].discard(client_id)
        self.equipments[client_id] = equipment
        self._equipments_at[_place(equipment)].add(client_id)
        self._admit_equipment(equipment)

    def allow(self, number: int, organisation_id: str) -> None:
        """Let a connector act for a location."""
        self._allowed.add((number, organisation_id))

    def disallow(self, number: int, organisation_id: str) -> None:
        """End that."""
        self._allowed.discard((number, organisation_id))

    def connectors_of(self, number: int) -> list[str]:
        """Return the connectors that a location lets act for it."""
        return sorted(name for at, name in self._allowed if at == number)

    def acts_for(self, organisation_id: str, number: int) -> bool:
        """Tell whether a connector may act for a location."""
        return (number, organisation_id) in self._allowed

    def put_plan(self, name: str, plan: RatePlan) -> None:
        """Take in a new rate plan or a changed one; the buckets of its organisations start full."""
        self.plans[name] = plan
        self._refill(name)

    def drop_plan(self, name: str) -> None:
        """Forget a rate plan that no organisation has."""
        self.plans.pop(name, None)
        self._refill(name)

    def users_of_plan(self, name: str) -> Iterable[Organisation]:
        """Return the organisations whose plan this is, by name or by default."""
        default = self.default_plan
        return [one for one in self.organisations.values() if (one.rate_plan or default) == name]

    def _refill(self, plan: str) -> None:
        for organisation in self.users_of_plan(plan):
            self._set_bucket(organisation)
            self._admit_organisation(organisation.organisation_id)

    def plan_of(self, organisation: Organisation) -> RatePlan | None:
        """Return the rate plan that counts for an organisation, None if nothing is limited."""
        return self.plans.get(organisation.rate_plan or self.default_plan or "")

    def _set_bucket(self, organisation: Organisation) -> None:
        plan = self.plan_of(organisation)
        if plan is None:
            self._buckets.pop(organisation.organisation_id, None)
        else:
            self._buckets[organisation.organisation_id] = TokenBucket(plan)

    def _admit_organisation(self, organisation_id: str) -> None:
        for number in self._locations_of[organisation_id]:
            self._admit_location(number)
        for client_id in self._equipments_at[organisation_id]:
            self._admit_equipment(self.equipments[client_id])

    def _admit_location(self, number: int) -> None:
        location = self.locations[number]
        organisation = self.organisations.get(location.organisation)
        # A location of another market has no organisation here and is its own market's concern.
        stands = location.market != self.market or (
            organisation is not None and not organisation.disabled
        )
        if stands and location.state is LocationState.APPROVED:
            self.admitted[number] = self.participants[number]
        else:
            self.admitted.pop(number, None)
        for client_id in self._equipments_at[number]:
            self._admit_equipment(self.equipments[client_id])

    def _admit_equipment(self, equipment: Equipment) -> None:
        client = None if equipment.disabled else self._client(equipment)
        if client is None:
            self.clients.pop(equipment.client_id, None)
        else:
            self.clients[equipment.client_id] = client

    def _client(self, equipment: Equipment) -> RestClient | None:
        participant: Participant | None = None
        if equipment.location_number is not None:
            participant = self.admitted.get(equipment.location_number)
            if participant is None:
                return None
            participant = participant._replace(equipment=equipment.client_id)
            organisation_id = participant.organisation
        else:
            organisation_id = equipment.organisation_id or ""
            organisation = self.organisations.get(organisation_id)
            if organisation is None or organisation.disabled or not organisation.is_connector:
                return None
        return RestClient(
            equipment.client_id,
            equipment.secret_hash,
            organisation_id,
            participant,
            self._buckets.get(organisation_id),
        )


def _place(equipment: Equipment) -> int | str:
    place = equipment.location_number
    return place if place is not None else equipment.organisation_id or ""
