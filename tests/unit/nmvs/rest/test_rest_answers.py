"""Answers on the wire, byte for byte."""

from __future__ import annotations

import pytest

from emvs.alerts import Alert
from emvs.outcomes import Outcome
from emvs.pack import BatchFacts
from emvs.scheme import Scheme
from emvs.states import Operation, State
from nmvs.catalogue import Batch, Product
from nmvs.requests import Answer
from nmvs.rest.answers import render_answer, render_code, timestamp

AT_S = 1_893_456_000  # 2030-01-01T00:00:00Z
AMS_URL = "https://ams.example/"


def answer(outcome: Outcome, state: State | None = None, **members: object) -> Answer:
    made = Answer(outcome, "0" * 32, AT_S * 1000 + 123, state, state)
    return made._replace(**members)  # type: ignore[arg-type] # members by name


def product(*, national_code: str | None = None, withdrawn: bool = False) -> Product:
    return Product(
        Scheme.GTIN,
        "09506000134376",
        1,
        "Examplol 10 mg",
        "examplol",
        national_code,
        withdrawn,
        "safety" if withdrawn else None,
    )


def batch(of: Product, *, recall_reason: str | None = None) -> Batch:
    recalled = recall_reason is not None
    facts = BatchFacts("B1", "301231", AT_S + 1, recalled=recalled, withdrawn=of.withdrawn)
    return Batch(1, of, 1, facts, recall_reason)


def test_verified_active_pack() -> None:
    of = product(national_code="280012345678")
    made = render_answer(
        answer(Outcome.VERIFIED, State.ACTIVE, product=of, batch=batch(of)),
        Operation.VERIFY,
        AMS_URL,
    )
    assert made == (
        200,
        (
            b'{"operationCode":"11110100","state":"Active","information":"The pack is active.",'
            b'"productName":"Examplol 10 mg","nhrn":"280012345678","isIntermarket":false}'
        ),
    )


def test_supplied_pack_can_be_undone_for_a_while() -> None:
    made = render_answer(
        answer(Outcome.DECOMMISSIONED, State.SUPPLIED, here=True, undo_until_s=AT_S + 864_000),
        Operation.SUPPLY,
        AMS_URL,
    )
    assert made == (
        200,
        (
            b'{"operationCode":"11210200","state":"Supplied",'
            b'"information":"The pack has been supplied.","isIntermarket":false,'
            b'"canReactivate":true,"canReactivateUntil":"2030-01-11T00:00:00.000Z"}'
        ),
    )


def test_refused_supply_with_alert() -> None:
    of = product()
    made = render_answer(
        answer(
            Outcome.ALREADY_IN_STATE,
            State.SUPPLIED,
            alert=Alert("IE-7Q2-0KD-M41-99Z-A0B", "A7"),
            product=of,
            batch=batch(of),
        ),
        Operation.SUPPLY,
        AMS_URL,
    )
    assert made == (
        409,
        (
            b'{"operationCode":"51220200","state":"Supplied",'
            b'"warning":"The pack cannot be supplied. It has been supplied.",'
            b'"alertId":"IE-7Q2-0KD-M41-99Z-A0B","alertCode":"#A7",'
            b'"amsLink":"https://ams.example/IE-7Q2-0KD-M41-99Z-A0B",'
            b'"productName":"Examplol 10 mg","isIntermarket":false,"canReactivate":false,'
            b'"batchState":"Active"}'
        ),
    )


def test_unknown_serial_number_shows_no_state() -> None:
    made = render_answer(
        answer(
            Outcome.SERIAL_UNKNOWN, alert=Alert("IE-7Q2-0KD-M41-99Z-A0B", "A3"), product=product()
        ),
        Operation.VERIFY,
        AMS_URL,
    )
    assert made == (
        404,
        (
            b'{"operationCode":"41020001","warning":"Unknown serial number.",'
            b'"alertId":"IE-7Q2-0KD-M41-99Z-A0B","alertCode":"#A3",'
            b'"amsLink":"https://ams.example/IE-7Q2-0KD-M41-99Z-A0B",'
            b'"productName":"Examplol 10 mg"}'
        ),
    )


def test_recalled_batch_of_a_withdrawn_product_gives_both_reasons() -> None:
    of = product(withdrawn=True)
    status, body = render_answer(
        answer(
            Outcome.PRODUCT_WITHDRAWN,
            State.SUPPLIED,
            effective=State.WITHDRAWN,
            here=True,
            undo_until_s=None,
            product=of,
            batch=batch(of, recall_reason="contaminated"),
        ),
        Operation.REACTIVATE,
        AMS_URL,
    )
    assert (status, body) == (
        409,
        (
            b'{"operationCode":"51421200","state":"Withdrawn",'
            b'"warning":"The pack cannot be reactivated. The product has been withdrawn.",'
            b'"productName":"Examplol 10 mg","isIntermarket":false,"canReactivate":false,'
            b'"batchState":"Recalled","batchRecallReason":"contaminated",'
            b'"productWithdrawalReason":"safety"}'
        ),
    )


def test_verifying_a_recalled_pack_gives_the_reason() -> None:
    of = product()
    status, body = render_answer(
        answer(
            Outcome.VERIFIED,
            State.ACTIVE,
            effective=State.RECALLED,
            product=of,
            batch=batch(of, recall_reason="contaminated"),
        ),
        Operation.VERIFY,
        AMS_URL,
    )
    assert (status, body) == (
        200,
        (
            b'{"operationCode":"11111000","state":"Recalled",'
            b'"information":"The batch has been recalled.","productName":"Examplol 10 mg",'
            b'"isIntermarket":false,"batchRecallReason":"contaminated"}'
        ),
    )


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"here": True, "undo_until_s": AT_S}, b'"canReactivate":true'),
        ({"here": True, "undo_until_s": AT_S - 1}, b'"canReactivate":false'),
        ({"here": True}, b'"canReactivate":false'),
        ({"here": True, "effective": State.EXPIRED}, b'"canReactivate":false'),
        ({"here": True, "state": State.LOCKED, "effective": State.LOCKED}, b'"canReactivate":true'),
        ({"state": State.LOCKED, "effective": State.LOCKED}, b'"canReactivate":false'),
    ],
)
def test_who_may_undo(members: dict[str, object], expected: bytes) -> None:
    _, body = render_answer(
        answer(Outcome.VERIFIED, State.SUPPLIED)._replace(**members),  # type: ignore[arg-type] # by name
        Operation.VERIFY,
        AMS_URL,
    )
    assert expected in body
    assert (b"canReactivateUntil" in body) == (members.get("undo_until_s") == AT_S)


def test_an_answer_of_another_market_says_so() -> None:
    _, body = render_answer(
        answer(Outcome.VERIFIED, State.ACTIVE, intermarket=True), Operation.VERIFY, AMS_URL
    )
    assert b'"isIntermarket":true' in body


def test_two_answers_do_not_share_members() -> None:
    plain = answer(Outcome.SERIAL_UNKNOWN)
    before = render_answer(plain, Operation.VERIFY, AMS_URL)
    alerted = plain._replace(alert=Alert("IE-7Q2-0KD-M41-99Z-A0B", "A3"))
    render_answer(alerted, Operation.VERIFY, AMS_URL)
    assert render_answer(plain, Operation.VERIFY, AMS_URL) == before


def test_technical_trouble() -> None:
    made = render_answer(answer(Outcome.UNAVAILABLE), Operation.SUPPLY, AMS_URL)
    assert made == (
        503,
        b'{"operationCode":"B0020000","warning":"The system is not available. Try again later."}',
    )


def test_refusal_without_an_outcome() -> None:
    assert render_code("61020012") == (
        b'{"operationCode":"61020012","warning":"The data entry mode header is required."}'
    )


def test_timestamps_have_three_digits_and_a_zone() -> None:
    assert timestamp(AT_S + 5) == "2030-01-01T00:00:05.000Z"
