"""Who is admitted: every level must stand, and changes are seen at once."""

from __future__ import annotations

import pytest

from emvs.roles import Role
from emvs.rules import MarketRules
from nmvs.identities import Equipment, Location, LocationState, Organisation
from nmvs.identity_index import IdentityIndex
from nmvs.rate_plans import RatePlan

SLOW, FAST = RatePlan(1, 1), RatePlan(9, 9)
CHAIN = Organisation("chain", "A chain of pharmacies")
SHOP = Location(7, "IE", "shop-7", Role.PHARMACY, "Shop", "chain")
TILL = Equipment("till", "hash", 7)
CLOUD = Organisation("cloud", "A connector", is_connector=True)
SERVER = Equipment("server", "hash", None, "cloud")


@pytest.fixture
def index() -> IdentityIndex:
    made = IdentityIndex("IE", MarketRules(), {"slow": SLOW, "fast": FAST}, None)
    for organisation in (CHAIN, CLOUD):
        made.put_organisation(organisation)
    made.put_location(SHOP)
    for equipment in (TILL, SERVER):
        made.put_equipment(equipment)
    return made


def test_an_equipment_is_its_location(index: IdentityIndex) -> None:
    client = index.clients["till"]
    assert client.participant is not None
    assert (client.participant.number, client.participant.equipment) == (7, "till")
    assert client.organisation_id == "chain"
    assert index.participants[7].equipment == "", "the location itself names no equipment"


@pytest.mark.parametrize(
    "change",
    [
        CHAIN._replace(disabled=True),
        SHOP._replace(state=LocationState.BLOCKED),
        SHOP._replace(state=LocationState.PENDING),
        TILL._replace(disabled=True),
    ],
)
def test_each_level_can_shut_an_equipment_out_and_let_it_in_again(
    index: IdentityIndex, change: Organisation | Location | Equipment
) -> None:
    def put(value: Organisation | Location | Equipment) -> None:
        if isinstance(value, Organisation):
            index.put_organisation(value)
        elif isinstance(value, Location):
            index.put_location(value)
        else:
            index.put_equipment(value)

    put(change)
    assert "till" not in index.clients
    assert (7 in index.admitted) == isinstance(change, Equipment)
    assert index.participants[7].location == "shop-7", "what it has done still has a name"
    for value in (CHAIN, SHOP, TILL):
        put(value)
    assert "till" in index.clients


def test_a_location_that_changes_hands_follows_its_new_organisation(index: IdentityIndex) -> None:
    index.put_organisation(Organisation("other", "Another one"))
    index.put_location(SHOP._replace(organisation="other"))
    index.put_organisation(CHAIN._replace(disabled=True))
    assert index.clients["till"].organisation_id == "other"
    index.put_organisation(Organisation("other", "Another one", disabled=True))
    assert "till" not in index.clients


def test_a_location_of_another_market_needs_no_organisation_here(index: IdentityIndex) -> None:
    index.put_location(Location(8, "FI", "FI-3", Role.PHARMACY, "location in FI", "FI"))
    assert 8 in index.admitted


def test_a_connector_has_no_location_and_acts_where_it_is_allowed(index: IdentityIndex) -> None:
    client = index.clients["server"]
    assert (client.participant, client.organisation_id) == (None, "cloud")
    assert not index.acts_for("cloud", 7)
    index.allow(7, "cloud")
    assert index.acts_for("cloud", 7)
    assert index.connectors_of(7) == ["cloud"]
    index.disallow(7, "cloud")
    assert not index.acts_for("cloud", 7)
    index.put_organisation(CLOUD._replace(is_connector=False))
    assert "server" not in index.clients


def test_the_equipments_of_an_organisation_share_one_bucket(index: IdentityIndex) -> None:
    assert index.clients["till"].bucket is None, "no plan, no bucket"
    index.put_organisation(CHAIN._replace(rate_plan="slow"))
    index.put_equipment(Equipment("till-2", "hash", 7))
    bucket = index.clients["till"].bucket
    assert bucket is not None
    assert bucket is index.clients["till-2"].bucket
    assert bucket.plan is SLOW
    assert index.clients["server"].bucket is None
    index.put_organisation(CHAIN._replace(rate_plan="slow", name="Renamed"))
    assert index.clients["till"].bucket is bucket, "a new name is no reason to fill it up"


def test_plans_change_for_those_who_have_them(index: IdentityIndex) -> None:
    index.put_organisation(CHAIN._replace(rate_plan="slow"))
    index.put_plan("slow", FAST)
    bucket = index.clients["till"].bucket
    assert bucket is not None
    assert bucket.plan is FAST
    index.put_organisation(CHAIN)
    assert index.clients["till"].bucket is None


def test_a_default_plan_is_everybodys_who_has_no_other() -> None:
    index = IdentityIndex("IE", MarketRules(), {"slow": SLOW, "fast": FAST}, "slow")
    index.put_organisation(CHAIN)
    index.put_organisation(CLOUD._replace(rate_plan="fast"))
    index.put_location(SHOP)
    index.put_equipment(TILL)
    index.put_equipment(SERVER)
    plans = [client.bucket and client.bucket.plan for client in index.clients.values()]
    assert plans == [SLOW, FAST]
