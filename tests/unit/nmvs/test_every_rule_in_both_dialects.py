"""Rows for state, place, age, operation and actor: the outcome, and its codes in both dialects.

The rows are in `tests/vectors/rules`, written down from the text of the rules; a row runs through
permission, decision, alert rule and the rendering of both dialects. No database, no HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from emvs.alert_rules import AlertRules
from emvs.alerts import Alert
from emvs.expiry import ExpiryMatching
from emvs.outcomes import Outcome
from emvs.pack import TRANSITIONS, BatchFacts, Pack, Transition, decide, match_identifiers
from emvs.roles import PERMISSIONS, SWITCHES, Role, permitted_operations
from emvs.rules import MarketRules, NotFoundCode
from emvs.scanner_hints import shape_of
from emvs.scheme import Scheme
from emvs.states import PACK_STATES, Operation, State
from nmvs.catalogue import Batch, Product
from nmvs.participants import Participant
from nmvs.requests import Answer, PackRequest
from nmvs.rest.answers import render_answer
from nmvs.scanner_hints import hint_for
from nmvs.soap.catalogue import VERSIONS
from nmvs.soap.codes import choose_return_code
from nmvs.soap.interface import Interface

VECTORS = Path(__file__).parents[2] / "vectors" / "rules"
INTERFACE = Interface()
HERE, ELSEWHERE = 7, 8
NOW_S = 1_900_000_000
AGES_S = {"-": 0, "1h": 3600, "239h": 239 * 3600, "240h": 240 * 3600, "241h": 241 * 3600}
AGES_S["1y"] = 366 * 86_400
SETTERS = {"-": 0, "here": HERE, "else": ELSEWHERE}

SOAP_NAMES = {
    "VERIFY": "G110",
    "SUPPLY": "G120",
    "UNDO_SUPPLY": "G121",
    "DESTROY": "G130",
    "EXPORT": "G140",
    "UNDO_EXPORT": "G141",
    "SAMPLE": "G150",
    "UNDO_SAMPLE": "G151",
    "FREE_SAMPLE": "G160",
    "UNDO_FREE_SAMPLE": "G161",
    "LOCK": "G170",
    "UNDO_LOCK": "G171",
    "STOLEN": "G180",
}
NOT_IN_REST = ("CHECK_OUT", *(name for name in Operation.__members__ if name.startswith("UNDO_")))


def rows(name: str) -> list[list[str]]:
    lines = (VECTORS / name).read_text().splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


PACKS, SETTINGS, IDENTIFIERS = rows("packs.txt"), rows("settings.txt"), rows("identifiers.txt")


def codes_of(answer: Answer, operation: Operation, *, soap_name: str | None) -> list[str]:
    """Return what both dialects make of an answer, in the order of the columns."""
    cells = []
    for number in (5, 4):
        endpoint = soap_name and INTERFACE.find_endpoint(soap_name, VERSIONS[number])
        cells.append(
            choose_return_code(endpoint, answer, {}).code.removeprefix("NMVS_") if endpoint else "-"
        )
    if operation.name in NOT_IN_REST:
        return [*cells, "-", "-"]
    status, body = render_answer(answer, operation, "https://ams.example/")
    members = orjson.loads(body)
    assert members.get("alertCode") == (answer.alert and f"#{answer.alert.hub_code}")
    return [*cells, str(status), members["operationCode"]]


def batch_of(suffix: str) -> BatchFacts:
    names = suffix.split("+") if suffix else []
    return BatchFacts(
        "LOT1",
        "301231",
        NOW_S if "EXPIRED" in names else NOW_S + 1,
        recalled="RECALLED" in names,
        withdrawn="WITHDRAWN" in names,
    )


def answered(row: list[str], rules: MarketRules, *, abroad: bool = False) -> list[str]:
    """Return the right-hand side of a row."""
    states, setter, age, operation_name, role_name = row
    state_name, _, suffix = states.partition("/")
    age, _, repeats = age.partition("+")
    operation, role = Operation[operation_name], Role(role_name)
    soap_name = SOAP_NAMES.get(operation_name)
    if operation not in permitted_operations(role, rules):
        answer = Answer(Outcome.NOT_PERMITTED, "0" * 32, NOW_S * 1000, intermarket=abroad)
        codes = codes_of(answer, operation, soap_name=soap_name)
        return [answer.outcome.name, *codes, "-"]
    set_at_s = NOW_S - AGES_S[age]
    pack = Pack(State[state_name], SETTERS[setter], set_at_s, int(repeats or 0), 1, 1)
    decision = decide(pack, batch_of(suffix), operation, location=HERE, now_s=NOW_S, rules=rules)
    hub_code = AlertRules(rules).hub_code(
        decision.outcome, role, effective=decision.effective, intermarket=abroad
    )
    answer = Answer(
        decision.outcome,
        "0" * 32,
        NOW_S * 1000,
        decision.state,
        decision.effective,
        decision.here,
        alert=Alert("IE-AAA-BBB-CCC-DDD-EEE", hub_code) if hub_code else None,
        intermarket=abroad,
    )
    codes = codes_of(answer, operation, soap_name=soap_name)
    return [decision.outcome.name, *codes, hub_code or "-"]


@pytest.mark.parametrize("row", PACKS, ids=" ".join)
def test_a_pack_is_treated_as_the_rules_say(row: list[str]) -> None:
    assert answered(row[:5], MarketRules()) == row[5:]


@pytest.mark.parametrize("row", SETTINGS, ids=" ".join)
def test_a_market_sets_what_the_sources_leave_open(row: list[str]) -> None:
    name, _, value = row[0].partition("=")
    rules = MarketRules()
    if name != "-":
        setting: Any = {"true": True, "false": False}.get(value, value)
        members = {field: getattr(rules, field) for field in MarketRules.__slots__}
        rules = msgspec.convert(members | {name: setting}, MarketRules, strict=False)
    assert answered(row[2:7], rules, abroad=row[1] == "abroad") == row[7:]


def test_the_rows_cover_every_kind_of_cell_at_every_state() -> None:
    seen = set()
    for row in PACKS:
        state_name, _, suffix = row[0].partition("/")
        if not suffix and row[5] != "NOT_PERMITTED":
            seen.add((State[state_name], TRANSITIONS[State[state_name], Operation[row[3]]]))
    kinds = {(state, TRANSITIONS[state, operation]) for state, operation in TRANSITIONS}
    assert seen == kinds
    assert {state for state, _ in seen} == set(PACK_STATES)
    assert {kind for _, kind in seen} == set(Transition)
    assert {row[3] for row in PACKS} == set(Operation.__members__)
    assert {row[4] for row in PACKS} == {role.value for role in Role}


def test_a_row_names_a_code_exactly_where_the_dialect_has_the_operation() -> None:
    for row in PACKS:
        in_soap = row[3] in SOAP_NAMES
        assert [cell != "-" for cell in row[6:8]] == [in_soap, in_soap], row
        assert (row[8] != "-") == (row[3] not in NOT_IN_REST), row


PRODUCT = Product(Scheme.GTIN, "09506000134376", 1, "Examplol", "examplol", None)
BATCH = Batch(1, PRODUCT, 1, batch_of(""), serial_shape=shape_of(["AB12CD34EF", "AB12CD34EFGH"]))
PRODUCT.batches["LOT1"] = BATCH


@pytest.mark.parametrize("row", IDENTIFIERS, ids=" ".join)
def test_wrong_identifiers_are_told_apart(row: list[str]) -> None:
    serial_number, batch_id, expiry = (None if cell == "-" else cell for cell in row[:3])
    assert serial_number is not None
    found = serial_number == "AB12CD34EF"
    outcome = match_identifiers(
        pack_batch=BATCH.facts if found else None,
        batch_known=batch_id in PRODUCT.batches,
        batch_id=batch_id,
        expiry=expiry,
        matching=ExpiryMatching.EXACT,
    )
    assert outcome is not None
    pharmacy = Participant(
        number=HERE,
        role=Role.PHARMACY,
        name="P",
        location="P",
        organisation="P",
        permitted=frozenset(Operation),
        market="IE",
    )
    request = PackRequest(
        Operation.VERIFY, pharmacy, Scheme.GTIN, PRODUCT.code, serial_number, batch_id, expiry
    )
    hub_code = AlertRules(MarketRules()).hub_code(outcome, Role.PHARMACY)
    if row[3] == "forgiven":
        hub_code = None
    answer = Answer(
        outcome,
        "0" * 32,
        NOW_S * 1000,
        alert=Alert("IE-AAA-BBB-CCC-DDD-EEE", hub_code) if hub_code else None,
        product=PRODUCT,
        hint=hint_for(outcome, request, PRODUCT, BATCH if found else None),
    )
    name = "G112" if batch_id is None else "G110"
    codes = codes_of(answer, Operation.VERIFY, soap_name=name)
    assert [outcome.name, *codes, hub_code or "-"] == row[4:]


# Product code unknown everywhere; outside the scope; a batch that an authority has exempted.
NO_ALERT = [
    (Outcome.PRODUCT_UNKNOWN, ["NC_PC_01", "NC_PC_01", "404", "41020000"]),
    (Outcome.NON_FMD_PRODUCT, ["NC_PC_15", "NC_PC_15", "404", "41020004"]),
    (Outcome.BATCH_EXEMPTED, ["NC_PCK_26", "NC_PCK_26", "404", "41020006"]),
]


@pytest.mark.parametrize(("outcome", "codes"), NO_ALERT)
@pytest.mark.parametrize("operation", [Operation.VERIFY, Operation.SUPPLY])
def test_what_is_not_in_the_system_raises_no_alert(
    outcome: Outcome, codes: list[str], operation: Operation
) -> None:
    assert AlertRules(MarketRules()).hub_code(outcome, Role.PHARMACY) is None
    answer = Answer(outcome, "0" * 32, NOW_S * 1000)
    assert codes_of(answer, operation, soap_name=SOAP_NAMES[operation.name]) == codes


def test_a_pack_that_no_market_knows_may_have_a_code_of_its_own() -> None:
    national = AlertRules(MarketRules())
    other = AlertRules(MarketRules(not_found_code=NotFoundCode.A24))
    for outcome, code in ((Outcome.BATCH_AND_SERIAL_UNKNOWN, "A2"), (Outcome.SERIAL_UNKNOWN, "A3")):
        for rules, sought, expected in (
            (national, False, code),
            (national, True, code),
            (other, False, code),
            (other, True, "A24"),
        ):
            found = rules.hub_code(outcome, Role.PHARMACY, sought_elsewhere=sought)
            assert found == expected
    assert other.hub_code(Outcome.BATCH_MISMATCH, Role.PHARMACY, sought_elsewhere=True) == "A68"
    assert other.hub_code(Outcome.PRODUCT_UNKNOWN, Role.PHARMACY, sought_elsewhere=True) is None


def test_a_look_up_by_an_authority_never_alerts() -> None:
    rules = AlertRules(MarketRules(stolen_verify_alerts=True))
    for outcome in Outcome:
        assert rules.hub_code(outcome, Role.NCA, effective=State.STOLEN) is None


# Y yes, - no; a letter in brackets: the market decides, this is the default.
PERMITTED = """
VERIFY       Y   Y   Y   Y Y Y   (Y)
SUPPLY       Y   Y   (Y) Y Y -   -
EXPORT       (-) -   Y   Y Y -   -
SAMPLE       Y   Y   Y   Y Y -   -
FREE_SAMPLE  (Y) (Y) (Y) Y Y -   -
DESTROY      Y   Y   Y   Y Y -   -
STOLEN       (Y) (Y) Y   Y Y -   -
LOCK         (Y) (Y) Y   Y Y (-) -
CHECK_OUT    -   -   -   - Y -   -
REACTIVATE   Y   Y   Y   Y Y -   -
"""


def permission_cells() -> Iterator[tuple[Role, Operation, str]]:
    for line in PERMITTED.strip().splitlines():
        name, *cells = line.split()
        for role, cell in zip(Role, cells, strict=True):
            yield role, Operation[name], cell


@pytest.mark.parametrize(("role", "operation", "cell"), list(permission_cells()))
def test_who_may_do_what(role: Role, operation: Operation, cell: str) -> None:
    rules = MarketRules()
    by_default = "Y" in cell
    assert (operation in permitted_operations(role, rules)) is by_default
    letter = PERMISSIONS[role, operation]
    assert (letter in SWITCHES) == ("(" in cell)
    if letter in SWITCHES:
        name = SWITCHES[letter]
        other = replace(rules, **{name: not by_default})
        assert (operation in permitted_operations(role, other)) is not by_default
    if operation.is_decommissioning:  # Who may do a thing may undo it; authorities undo nothing.
        undo = Operation(operation + 10)
        may_undo = by_default and role not in (Role.NMVO, Role.NCA)
        assert (undo in permitted_operations(role, rules)) is may_undo
