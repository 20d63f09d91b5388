"""What arrived becomes a request, or the code of its first defect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.roles import Role, permitted_operations
from emvs.rules import MarketRules
from emvs.scheme import Scheme
from emvs.states import Operation
from nmvs.participants import Participant
from nmvs.requests import PackRequest
from nmvs.rest.pack_requests import read_pack_request, read_requested_operation
from nmvs.rest.targets import PackTarget

PHARMACY = Participant(
    1,
    Role.PHARMACY,
    "Pharmacy",
    "pharmacy-1",
    "Organisation",
    permitted_operations(Role.PHARMACY, MarketRules()),
    "IE",
)
GOOD = PackTarget("gs1", "09506000134376", "A1", "B1", "301231")


def test_a_request_carries_all_that_was_sent() -> None:
    request = read_pack_request(
        GOOD, entry_mode="non-manual", body=b'{"state":"Supplied"}', participant=PHARMACY
    )
    assert request == PackRequest(
        operation=Operation.SUPPLY,
        participant=PHARMACY,
        scheme=Scheme.GTIN,
        product_code="09506000134376",
        serial_number="A1",
        batch_id="B1",
        expiry="301231",
        manual=False,
        dialect="rest",
    )


@pytest.mark.parametrize(
    ("entry_mode", "target", "body", "code"),
    [
        # Each row mends the first fault of the row above it.
        (None, PackTarget("", "", "", None, None), b"", "61020012"),
        ("2d_two_dimensional_barcode", PackTarget("", "", "", None, None), b"", "61020013"),
        ("non-manual", PackTarget("", "", "", None, None), b"", "61020002"),
        ("non-manual", PackTarget("gtin", "", "", None, None), b"", "61020009"),
        ("non-manual", PackTarget("gs1", "", "", None, None), b"", "61020001"),
        ("non-manual", PackTarget("gs1", "9506000134376", "", None, None), b"", "61020008"),
        ("non-manual", PackTarget("gs1", GOOD.product_code, "", None, None), b"", "61020003"),
        ("non-manual", PackTarget("gs1", GOOD.product_code, "A 1", None, None), b"", "61020011"),
        ("non-manual", PackTarget("gs1", GOOD.product_code, "A1", None, None), b"", "61020000"),
        ("non-manual", PackTarget("gs1", GOOD.product_code, "A1", "B#", None), b"", "61020006"),
        ("non-manual", PackTarget("gs1", GOOD.product_code, "A1", "B1", None), b"", "61020004"),
        ("non-manual", PackTarget("gs1", GOOD.product_code, "A1", "B1", "301331"), b"", "61020007"),
        ("non-manual", GOOD, b"", "61020005"),
        ("non-manual", GOOD, b"{", "61020015"),
    ],
)
def test_the_first_defect_is_reported(
    entry_mode: str | None, target: PackTarget, body: bytes, code: str
) -> None:
    made = read_pack_request(target, entry_mode=entry_mode, body=body, participant=PHARMACY)
    assert made == code


def test_a_pack_typed_in_by_hand_needs_neither_batch_nor_expiry() -> None:
    target = PackTarget("gs1", GOOD.product_code, "A1", None, None)
    request = read_pack_request(target, entry_mode="manual", body=None, participant=PHARMACY)
    assert isinstance(request, PackRequest)
    assert (request.manual, request.batch_id, request.expiry) == (True, None, None)


@pytest.mark.parametrize(
    ("name", "product_code", "scheme"),
    [
        ("GS1", "09506000134376", Scheme.GTIN),
        ("gs1", "09506000134376", Scheme.GTIN),
        ("ifa", "110375286414", Scheme.PPN),
        ("IFA", "110375286414", Scheme.PPN),
        ("Ppn", "110375286414", Scheme.PPN),
    ],
)
def test_schemes_match_in_any_case(name: str, product_code: str, scheme: Scheme) -> None:
    target = GOOD._replace(scheme=name, product_code=product_code)
    request = read_pack_request(target, entry_mode="manual", body=None, participant=PHARMACY)
    assert isinstance(request, PackRequest)
    assert request.scheme is scheme


@pytest.mark.parametrize(
    ("body", "operation"),
    [
        (b'{"state":"Supplied"}', Operation.SUPPLY),
        (b'{"state":"SUPPLIED"}', Operation.SUPPLY),
        (b'\xef\xbb\xbf{"state":"Supplied"}', Operation.SUPPLY),
        (b'{"state":"Active"}', Operation.REACTIVATE),
        (b'{"state":"Destroyed"}', Operation.DESTROY),
        (b'{"state":"Exported"}', Operation.EXPORT),
        (b'{"state":"Locked"}', Operation.LOCK),
        (b'{"state":"Sample"}', Operation.SAMPLE),
        (b'{"state":"Stolen"}', Operation.STOLEN),
        (b'{"state":"FreeSample"}', Operation.FREE_SAMPLE),
        (b'{"state":"Free Sample"}', Operation.FREE_SAMPLE),
        (b'{"state":"free sample"}', Operation.FREE_SAMPLE),
        (b' {"maxBulkPackCount": 5, "state" : "FREESAMPLE"}\r\n', Operation.FREE_SAMPLE),
    ],
)
def test_requested_states(body: bytes, operation: Operation) -> None:
    assert read_requested_operation(body) is operation


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "61020005"),
        (b"{}", "61020005"),
        (b'{"state":null}', "61020005"),
        (b'{"state":""}', "61020005"),
        (b'{"state":5}', "61020010"),
        (b'{"state":["Supplied"]}', "61020010"),
        (b'{"state":{"state":"Supplied"}}', "61020010"),
        (b'{"state":true}', "61020010"),
        (b'{"state":"Dispensed"}', "61020010"),
        (b'{"state":"Recalled"}', "61020010"),
        (b"null", "61020015"),
        (b'["Supplied"]', "61020015"),
        (b'"Supplied"', "61020015"),
        (b"state=Supplied", "61020015"),
        (b'{"state":"Supplied"', "61020015"),
        (b'{"state":"Supplied"}}', "61020015"),
        (b'{"state":NaN}', "61020015"),
        (b'{"state":"\xff"}', "61020015"),
        (b"[" * 50_000, "61020015"),
        (b'{"state":' * 10_000, "61020015"),
        (b"<state>Supplied</state>", "61020015"),
    ],
)
def test_bodies_that_name_no_state(body: bytes, code: str) -> None:
    assert read_requested_operation(body) == code


@given(st.binary(max_size=200))
def test_no_body_raises(body: bytes) -> None:
    assert isinstance(read_requested_operation(body), str)
