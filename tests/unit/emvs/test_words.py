"""Roles, outcomes, markets, alerts: the tables hold what the sources say."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from emvs.alerts import ALERT_ID, alert_id, hub_code_of_alert
from emvs.check_digits import gtin_check_digit
from emvs.identifiers import check_identifiers
from emvs.markets import MARKETS
from emvs.outcomes import OUTCOMES, Outcome
from emvs.roles import PERMISSIONS, Role, permitted_operations
from emvs.rules import MarketRules
from emvs.scheme import Scheme
from emvs.states import Operation, State

GTIN = "0950600013437" + gtin_check_digit("0950600013437")


@pytest.mark.parametrize(
    ("role", "operation", "permitted"),
    [
        (Role.PHARMACY, Operation.SUPPLY, True),
        (Role.PHARMACY, Operation.EXPORT, False),
        (Role.PHARMACY, Operation.CHECK_OUT, False),
        (Role.HOSPITAL, Operation.UNDO_SUPPLY, True),
        (Role.WHOLESALER, Operation.EXPORT, True),
        (Role.WHOLESALER, Operation.SUPPLY, True),
        (Role.PARALLEL_DISTRIBUTOR, Operation.CHECK_OUT, True),
        (Role.NMVO, Operation.SUPPLY, False),
        (Role.NCA, Operation.VERIFY, True),
        (Role.NCA, Operation.REACTIVATE, False),
    ],
)
def test_permissions(role: Role, operation: Operation, permitted: bool) -> None:
    assert (operation in permitted_operations(role, MarketRules())) is permitted


def test_the_permission_grid_is_total() -> None:
    assert set(PERMISSIONS) == {(role, operation) for role in Role for operation in Operation}


def test_market_switches_decide_the_open_cells() -> None:
    rules = MarketRules(wholesaler_may_supply=False, pharmacy_may_export=True)
    assert Operation.SUPPLY not in permitted_operations(Role.WHOLESALER, rules)
    assert Operation.UNDO_SUPPLY not in permitted_operations(Role.WHOLESALER, rules)
    assert Operation.EXPORT in permitted_operations(Role.PHARMACY, rules)


def test_exactly_the_forwarded_codes_raise_alerts() -> None:
    codes = {hub_code_of_alert(outcome) for outcome in Outcome} - {None}
    assert codes == {"A2", "A3", "A7", "A24", "A52", "A68"}
    assert hub_code_of_alert(Outcome.PRODUCT_UNKNOWN) is None
    assert all(facts.text and not facts.text.endswith(".") for facts in OUTCOMES.values())


@pytest.mark.parametrize("number", [0, 1, 35, 36, 36**15 - 1])
def test_alert_ids_have_the_published_shape(number: int) -> None:
    assert ALERT_ID.fullmatch(alert_id("IE", number))


def test_alert_ids_of_different_numbers_differ() -> None:
    assert len({alert_id("IE", number) for number in range(2000)}) == 2000


def test_every_market_is_served_by_a_known_system_in_a_known_zone() -> None:
    assert len(MARKETS) == 31
    for code, market in MARKETS.items():
        assert market.code == code
        assert market.system in MARKETS
        assert MARKETS[market.system].system == market.system
        assert MARKETS[market.system].dialect is market.dialect
        ZoneInfo(market.time_zone)
        assert len(market.language) == 3


def test_two_pairs_of_markets_share_a_system() -> None:
    shared = {code: market.system for code, market in MARKETS.items() if market.system != code}
    assert shared == {"LU": "BE", "LI": "CH"}


@pytest.mark.parametrize(
    ("code", "serial", "batch", "expiry", "manual", "outcome"),
    [
        # Each row mends one fault of the row above it.
        ("", "", "", "", False, Outcome.PRODUCT_CODE_MISSING),
        (GTIN[:-1], "", "", "", False, Outcome.PRODUCT_CODE_INVALID),
        (GTIN, "", "", "", False, Outcome.SERIAL_MISSING),
        (GTIN, "A B", "", "", False, Outcome.SERIAL_INVALID),
        (GTIN, "A" * 21, "", "", False, Outcome.SERIAL_INVALID),
        (GTIN, "A" * 20, "", "", False, Outcome.BATCH_MISSING),
        (GTIN, "A1", "É", "", False, Outcome.BATCH_INVALID),
        (GTIN, "A1", "B1", "", False, Outcome.EXPIRY_MISSING),
        (GTIN, "A1", "B1", "310229", False, Outcome.EXPIRY_INVALID),
        (GTIN, "A1", "B1", "310200", False, None),
        (GTIN, "A1", None, None, True, None),
        (GTIN, "A1", "B 1", None, True, Outcome.BATCH_INVALID),
    ],
)
def test_the_first_malformed_identifier_is_reported(
    code: str,
    serial: str,
    batch: str | None,
    expiry: str | None,
    manual: bool,
    outcome: Outcome | None,
) -> None:
    found = check_identifiers(Scheme.GTIN, code, serial, batch, expiry, manual=manual)
    assert found is outcome


def test_serial_numbers_beside_a_ppn_have_a_set_of_their_own() -> None:
    pack = {"batch_id": "B1", "expiry": "301231", "manual": False}
    ppn = "110375286414"
    assert check_identifiers(Scheme.PPN, ppn, "A1", **pack) is None
    assert check_identifiers(Scheme.PPN, ppn, 'abc"+', **pack) is Outcome.SERIAL_INVALID


def test_operations_know_their_states() -> None:
    assert Operation.SUPPLY.target_state is State.SUPPLIED
    assert Operation.UNDO_LOCK.target_state is State.ACTIVE
    assert Operation.UNDO_LOCK.undone_state is State.LOCKED
    assert Operation.REACTIVATE.undone_state is None
    assert Operation.VERIFY.target_state is None
    assert Operation.CHECK_OUT.is_decommissioning
    assert not Operation.VERIFY.is_undo
