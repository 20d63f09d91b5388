"""Replies: literal bytes for some, and the schema for every outcome in every version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from emvs.alerts import Alert
from emvs.expiry import last_day
from emvs.outcomes import OUTCOMES, Outcome
from emvs.pack import BatchFacts
from emvs.scheme import Scheme
from emvs.states import PACK_STATES, State
from nmvs.catalogue import Batch, Product
from nmvs.requests import Answer
from nmvs.soap.catalogue import OPERATIONS, VERSIONS, Shape
from nmvs.soap.codes import RETURN_CODES, known_codes
from nmvs.soap.interface import INFERRED
from nmvs.soap.messages import PingCall
from nmvs.soap.render import REASONS, escape, render_answer, render_ping, render_refusal
from tests.unit.nmvs.soap.soap_messages import (
    ALERTS,
    ALL,
    assert_fits,
    changed,
    pack_call,
    read,
    refusal,
    vector,
)

ID = "0123456789abcdef0123456789abcdef"
AT_MS = 1_772_442_927_007  # 2026-03-02 09:15:27.007 UTC
PRODUCT = Product(Scheme.GTIN, "09506000134376", 1, "Examplol", "examplol", "28001234&5678")
PRODUCT_WITH_NUMBER = Product(Scheme.GTIN, "09506000134376", 1, "Examplol", "examplol", "28001234")
BATCH = Batch(
    1, PRODUCT, 1, BatchFacts("LOT1", "301200", last_day("301200").toordinal(), False, False)
)
ALERT = Alert("IE-AAA-BBB-CCC-DDD-EEE", "A7")
NS = "{urn:types.nmvs.eu:v5.0}"


def answer(outcome: Outcome = Outcome.VERIFIED, **members: object) -> Answer:
    return Answer(outcome, ID, AT_MS)._replace(**members)


def rendered(given: Answer, *, name: str = "g110-request", version: int = 5) -> etree._Element:
    call = pack_call(vector(name, version=version))
    return assert_fits(render_answer(call, given, {}), version)


def code_and_alert(element: etree._Element, version: int = 5) -> tuple[str, str | None]:
    namespace = f"{{urn:types.nmvs.eu:v{version}.0}}"
    (return_code,) = element.iter(f"{namespace}ReturnCode")
    assert return_code.get(f"{namespace}desc")
    code = return_code.get(f"{namespace}code")
    assert code is not None
    return code.removeprefix("NMVS_"), return_code.get(f"{namespace}alertId")


def test_an_active_pack() -> None:
    given = answer(state=State.ACTIVE, effective=State.ACTIVE, product=PRODUCT, batch=BATCH)
    reply = render_answer(pack_call(vector("g110-request")), given, {})
    assert reply == vector("g110-reply-active")


def test_an_alert_of_another_market() -> None:
    given = answer(
        Outcome.ALREADY_IN_STATE,
        state=State.SUPPLIED,
        effective=State.SUPPLIED,
        alert=ALERT,
        intermarket=True,
    )
    reply = render_answer(pack_call(vector("g120-request-as-scripts-send-it")), given, {})
    assert reply == vector("g120-reply-alert-through-intermarket")


def test_a_refused_login() -> None:
    call = pack_call(vector("g121-request-with-addressing"))
    reply = render_answer(call, answer(Outcome.LOGIN_WRONG), {})
    assert reply == vector("g121-reply-login-refused")


def test_a_ping_comes_back() -> None:
    call = read(vector("support-ping-request"))
    assert isinstance(call, PingCall)
    assert render_ping(call) == vector("support-ping-reply")


def version_2_reply(name: str, given: Answer) -> bytes:
    return render_answer(pack_call(vector(name, version=2)), given, {})


def test_literal_replies_of_version_2() -> None:
    active = answer(state=State.ACTIVE, effective=State.ACTIVE, product=PRODUCT, batch=BATCH)
    assert version_2_reply("g110-request", active) == vector("v2-g110-reply-active")
    mismatch = answer(Outcome.BATCH_MISMATCH, product=PRODUCT, alert=ALERT)
    assert version_2_reply("g110-request", mismatch) == vector("v2-g110-reply-batch-mismatch")
    supplied = active._replace(state=State.SUPPLIED, effective=State.SUPPLIED)
    known_number = supplied._replace(product=PRODUCT_WITH_NUMBER)
    assert version_2_reply("g122-request", known_number) == vector("v2-g122-reply")
    alert = answer(
        Outcome.ALREADY_IN_STATE, state=State.SUPPLIED, effective=State.SUPPLIED, alert=ALERT
    )
    name = "g120-request-as-scripts-send-it"
    assert version_2_reply(name, alert) == vector("v2-g120-reply-alert")
    destroyed = active._replace(
        outcome=Outcome.UNDO_IMPOSSIBLE, state=State.DESTROYED, effective=State.DESTROYED
    )
    assert version_2_reply("g131-request", destroyed) == vector("v2-g131-reply-refused")


def in_version_2(code: str) -> str:
    return code if code in known_codes(2) else "ERROR"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("outcome", ALL)
def test_every_outcome_fits_the_schema(outcome: Outcome, version: int) -> None:
    manual = "g122-request" if version == 2 else "g112-request"
    for name in ("g110-request", "g121-request-with-addressing", manual):
        for alert in (None, ALERT):
            for intermarket in (False, True):
                given = answer(outcome, alert=alert, intermarket=intermarket)
                code, alert_id = code_and_alert(
                    rendered(given, name=name, version=version), version
                )
                assert code in known_codes(version)
                assert (alert_id is not None) == (alert is not None and version > 2)


def test_every_version_has_as_many_codes_as_published() -> None:
    assert (len(known_codes(2)), len(known_codes(4))) == (65, 95)
    assert set(known_codes(5)) - set(known_codes(4)) == {
        *("FE_LOT_17", "FE_LOT_18", "NC_PCK_31", "FI_SE_CLI_01")
    }


# Outcome, request, through intermarket, and the codes: v5 with and without alert, v4.
TWINS = [
    (Outcome.BATCH_AND_SERIAL_UNKNOWN, "g110-request", False, "FE_LOT_03", "FE_LOT_15"),
    (Outcome.EXPIRY_MISMATCH, "g110-request", False, "FE_LOT_12", "FE_LOT_17"),
    (Outcome.BATCH_MISMATCH, "g110-request", False, "FE_LOT_13", "FE_LOT_18"),
    (Outcome.SERIAL_UNKNOWN, "g110-request", False, "NC_PC_02", "NC_PC_14"),
    (Outcome.UNDO_MISMATCH, "g121-request-with-addressing", False, "NC_PCK_06", "NC_PCK_29"),
    (Outcome.ALREADY_IN_STATE, "g120-request-as-scripts-send-it", True, "NC_PCK_19", "NC_PCK_28"),
    (Outcome.ALREADY_IN_STATE, "g120-request-as-scripts-send-it", False, "NC_PCK_22", "NC_PCK_30"),
    (Outcome.IN_OTHER_STATE, "g120-request-as-scripts-send-it", False, "NC_PCK_22", "NC_PCK_30"),
    (Outcome.IN_OTHER_STATE, "g120-request-as-scripts-send-it", True, "NC_PCK_27", "NC_PCK_31"),
]


@pytest.mark.parametrize(("outcome", "name", "abroad", "loud", "silent"), TWINS)
def test_a_finding_without_alert_has_a_twin_in_v5_only(
    outcome: Outcome, name: str, abroad: bool, loud: str, silent: str
) -> None:
    quiet = answer(outcome, intermarket=abroad)
    alerting = quiet._replace(alert=ALERT)
    assert code_and_alert(rendered(alerting, name=name)) == (loud, ALERT.alert_id)
    assert code_and_alert(rendered(quiet, name=name)) == (silent, None)
    assert code_and_alert(rendered(alerting, name=name, version=4), 4) == (loud, ALERT.alert_id)
    assert code_and_alert(rendered(quiet, name=name, version=4), 4) == (loud, None)
    for each in (quiet, alerting):
        found = code_and_alert(rendered(each, name=name, version=2), 2)
        assert found == (in_version_2(loud), None)


def test_every_alert_has_a_row_among_the_twins() -> None:
    assert {row[0] for row in TWINS} == set(ALERTS)


# Outcome, v5, v4: what never raises an alert.
QUIET = [
    (Outcome.ALREADY_ACTIVE, "NC_PCK_29", "NC_PCK_06"),
    (Outcome.UNDO_IMPOSSIBLE, "NC_PCK_29", "NC_PCK_06"),
    (Outcome.BATCH_RECALLED, "NC_PCK_29", "NC_PCK_06"),
    (Outcome.UNDO_TOO_LATE, "NC_PCK_20", "NC_PCK_20"),
    (Outcome.UNDO_ELSEWHERE, "NC_PCK_21", "NC_PCK_21"),
    (Outcome.UNDO_REFERENCE_WRONG, "FE_TX_05", "FE_TX_05"),
]


@pytest.mark.parametrize(("outcome", "v5", "v4"), QUIET)
def test_a_refused_undo(outcome: Outcome, v5: str, v4: str) -> None:
    name = "g121-request-with-addressing"
    given = answer(outcome, state=State.ACTIVE, effective=State.ACTIVE)
    assert code_and_alert(rendered(given, name=name)) == (v5, None)
    assert code_and_alert(rendered(given, name=name, version=4), 4) == (v4, None)
    assert code_and_alert(rendered(given, name=name, version=2), 2) == (in_version_2(v4), None)


@pytest.mark.parametrize(
    "outcome", [Outcome.PACK_EXPIRED, Outcome.BATCH_RECALLED, Outcome.PRODUCT_WITHDRAWN]
)
def test_a_supply_of_what_is_inactive_by_batch_or_product_raises_no_alert(outcome: Outcome) -> None:
    name = "g120-request-as-scripts-send-it"
    assert code_and_alert(rendered(answer(outcome), name=name)) == ("NC_PCK_30", None)
    assert code_and_alert(rendered(answer(outcome), name=name, version=4), 4) == ("NC_PCK_22", None)


@pytest.mark.parametrize("outcome", ALL)
def test_product_and_pack_stand_in_every_reply_about_a_pack(outcome: Outcome) -> None:
    body = rendered(answer(outcome))[1]
    facts = OUTCOMES[outcome]
    about_a_pack = facts.level not in (1, 2) or outcome in (
        Outcome.NOT_PERMITTED,
        Outcome.PRODUCT_CODE_INVALID,
        Outcome.EXPIRY_INVALID,
    )
    names = ["Product", "Pack", "ReturnCode"] if about_a_pack else ["ReturnCode"]
    assert [etree.QName(part).localname for part in body] == names


@pytest.mark.parametrize("effective", [None, *State])
@pytest.mark.parametrize("own", PACK_STATES)
def test_state_and_reasons(own: State, effective: State | None) -> None:
    given = answer(state=own, effective=effective, product=PRODUCT, batch=BATCH)
    (pack,) = rendered(given).iter(f"{NS}Pack")
    reasons = [reason.text for reason in pack]
    if effective is None:
        assert (pack.get(f"{NS}state"), reasons) == ("UNKNOWN", [])
    elif effective is State.ACTIVE:
        assert (pack.get(f"{NS}state"), reasons) == ("ACTIVE", [])
    else:
        assert pack.get(f"{NS}state") == "INACTIVE"
        assert reasons[-1] == REASONS[effective]
        assert reasons[:-1] == ([REASONS[own]] if own not in (State.ACTIVE, effective) else [])


def test_a_supplied_pack_is_not_called_dispensed() -> None:
    assert REASONS[State.SUPPLIED] == "SUPPLIED"
    assert REASONS.keys() == set(State) - {State.ACTIVE}


def test_a_mismatch_shows_what_was_asked_and_nothing_of_what_is_stored() -> None:
    reply = rendered(answer(Outcome.BATCH_MISMATCH, product=PRODUCT))
    (batch,) = reply.iter(f"{NS}Batch")
    assert [(etree.QName(part).localname, part.text) for part in batch] == [
        ("Id", "LOT1"),
        ("ExpDate", "301200"),
    ]


def test_a_manual_entry_is_told_the_stored_batch() -> None:
    given = answer(state=State.ACTIVE, effective=State.ACTIVE, product=PRODUCT, batch=BATCH)
    (batch,) = rendered(given, name="g112-request").iter(f"{NS}Batch")
    assert [(etree.QName(part).localname, part.text) for part in batch] == [
        ("Id", "LOT1"),
        ("ExpDateNMVS", "2030-12-31"),
    ]


def test_the_code_of_an_inactive_verification_can_be_set() -> None:
    call = pack_call(vector("g110-request"))
    inactive = answer(state=State.ACTIVE, effective=State.RECALLED)
    active = answer(state=State.ACTIVE, effective=State.ACTIVE)
    settings = {State.RECALLED: "FE_LOT_01"}
    assert code_and_alert(assert_fits(render_answer(call, inactive, {})))[0] == "SUCCESS"
    assert code_and_alert(assert_fits(render_answer(call, inactive, settings)))[0] == "FE_LOT_01"
    assert code_and_alert(assert_fits(render_answer(call, active, settings)))[0] == "SUCCESS"
    old, settings = pack_call(vector("g110-request", version=2)), {State.RECALLED: "FE_LOT_08"}
    reply = assert_fits(render_answer(old, inactive, settings), 2)
    assert code_and_alert(reply, 2) == ("ERROR", None)
    assert reply[1][-1].attrib["{urn:types.nmvs.eu:v2.0}desc"].startswith("NMVS_FE_LOT_08: ")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refusal_fits_the_schema(version: int) -> None:
    for message in (
        changed(":Id>", "x:Id>", version=version),
        changed(">deu<", ">'\"<![CDATA[<]]><", version=version),
        changed("PHARMACY00001", "not a login!", version=version),
    ):
        reply = assert_fits(render_refusal(refusal(message), ID, AT_MS), version)
        assert etree.QName(reply).localname == "G110Response"
        assert code_and_alert(reply, version)[0].startswith("TE_XM_0")


def test_a_message_without_an_operation_is_answered_by_a_fault() -> None:
    reply = etree.fromstring(render_refusal(refusal(b"<x>&y</x>"), ID, AT_MS))
    soap = "{http://www.w3.org/2003/05/soap-envelope}"
    (fault,) = reply.iter(f"{soap}Fault")
    assert fault.findtext(f"{soap}Code/{soap}Value") == "soap:Sender"
    return_code = fault.find(f"{soap}Detail/{NS}ReturnCode")
    assert return_code is not None
    assert return_code.get(f"{NS}code") == "NMVS_TE_XM_01"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_escaped_text_comes_back_as_it_was(text: str) -> None:
    element = etree.fromstring(f'<x a="{escape(text)}">{escape(text)}</x>')
    assert element.get("a") == text
    assert (element.text or "") == text


def test_blanks_survive_escaping() -> None:
    text = " a\tb\r\nc "
    element = etree.fromstring(f'<x a="{escape(text)}"/>')
    assert element.get("a") == text


def test_every_operation_is_offered_in_each_of_its_versions() -> None:
    offered = [row for row in OPERATIONS for number in VERSIONS if number in row.version_numbers]
    assert len(INFERRED.endpoints) == len(offered)
    for endpoint in INFERRED.endpoints.values():
        shape = endpoint.row.shape
        named = shape.submits_many and shape is not Shape.MIXED
        about_else = shape.is_about_many or shape.is_about_account or shape.is_about_data
        about_one = not (shape is Shape.PING or about_else)
        assert (endpoint.operation is not None) == (about_one or named)
        assert endpoint.is_undo == ("UNDO" in shape.name)
    assert RETURN_CODES.keys() == VERSIONS.keys()
