"""How an alert is made: its times, its group, its source, and what stands for a location."""

from __future__ import annotations

from typing import Any

import pytest

from emvs.alerts import ALERT_ID
from emvs.markets import MARKETS
from emvs.roles import Role
from emvs.scheme import Scheme
from emvs.states import Operation
from nmvs.alert_entries import AlertMaker, source_process
from nmvs.location_tokens import LocationTokens
from nmvs.participants import Participant
from nmvs.requests import PackRequest

TOKENS = LocationTokens(b"s" * 32)
MAKER = AlertMaker(MARKETS["AT"], TOKENS)
MIDNIGHT_MS = 1_735_686_000_000
"""Midnight at the start of 2025 in Vienna."""
HOUR_MS = 3_600_000


def request(**changes: Any) -> PackRequest:
    participant = Participant(
        number=changes.pop("number", 3),
        role=changes.pop("role", Role.PHARMACY),
        name="At the Golden Lion",
        location="lion",
        organisation="Lion",
        permitted=frozenset(Operation),
        market=changes.pop("market", "AT"),
    )
    return PackRequest(
        **{
            "operation": Operation.SUPPLY,
            "participant": participant,
            "scheme": Scheme.GTIN,
            "product_code": "09506000134376",
            "serial_number": "S1",
            "batch_id": "B1",
            "expiry": "301231",
            **changes,
        }
    )


def group_of(now_ms: int = MIDNIGHT_MS, hub_code: str = "A3", **changes: Any) -> str:
    return MAKER.make(hub_code, request(**changes), {}, stored=None, now_ms=now_ms)[1].repeat_group


def test_an_alert_has_an_id_of_its_market_and_a_new_one_each_time() -> None:
    made = [MAKER.make("A3", request(), {}, stored=None, now_ms=0)[0] for _ in range(50)]
    assert len({alert.alert_id for alert in made}) == 50
    assert all(ALERT_ID.fullmatch(alert.alert_id) for alert in made)
    assert {(alert.alert_id[:2], alert.hub_code) for alert in made} == {("AT", "A3")}


@pytest.mark.parametrize(
    "changes",
    [
        {"serial_number": "S2"},
        {"batch_id": None},
        {"expiry": "301200"},
        {"product_code": "09506000117843"},
        {"number": 4},
        {"hub_code": "A2"},
        {"now_ms": MIDNIGHT_MS - 1},
    ],
)
def test_another_identifier_code_location_or_day_is_another_group(changes: dict[str, Any]) -> None:
    assert group_of(**changes) != group_of()


def test_a_market_local_day_is_one_group_whatever_the_operation() -> None:
    same = group_of(MIDNIGHT_MS + 24 * HOUR_MS - 1, operation=Operation.VERIFY, manual=True)
    assert same == group_of()


def test_a_replayed_event_belongs_to_the_day_on_which_it_happened() -> None:
    _, entry = MAKER.make(
        "A3", request(event_at_ms=MIDNIGHT_MS), {}, stored=None, now_ms=MIDNIGHT_MS + 72 * HOUR_MS
    )
    assert entry.event_at_ms == MIDNIGHT_MS
    assert entry.repeat_group == group_of()


@pytest.mark.parametrize(
    ("changes", "process"),
    [
        ({}, "Supply"),
        ({"operation": Operation.VERIFY}, "Verify"),
        ({"operation": Operation.DESTROY}, "Decommission"),
        ({"operation": Operation.REACTIVATE}, "Undo"),
        ({"market": "IE"}, "IMT"),
        ({"role": Role.OBP}, "MAH PPSU Request"),
        ({"role": Role.OBP, "operation": Operation.VERIFY}, "MAH PPV Request"),
        ({"role": Role.PARALLEL_DISTRIBUTOR}, "Supply"),
    ],
)
def test_the_source_process_is_named(changes: dict[str, Any], process: str) -> None:
    assert source_process(request(**changes), "AT") == process
