"""Bodies of bulk and recovery: the code that refuses one, the items of a good one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.scheme import Scheme
from emvs.states import Operation
from nmvs.bulk.jobs import Item, decode_items
from nmvs.rest.bulk_forms import BULK, RECOVERY, BulkForm, Pack, RecoveryPack, read_transition
from nmvs.rest.bulk_requests import BulkReader
from nmvs.rest.json_pieces import VALUE_LENGTH_MAX, JsonFormError, JsonPieces

CODE = "09506000134376"
PACK = (
    '{"productCodeScheme":"gs1","productCode":"09506000134376","serialNumber":"A1","batchId":"B1",'
    '"expiryDate":"301231"}'
)
OTHER = PACK.replace("A1", "A2")


def read(text: str | bytes, form: BulkForm = BULK, *, manual: bool = False) -> BulkReader:
    body = text if isinstance(text, bytes) else text.encode()
    reader = BulkReader(body, form, manual=manual, packs_max=3)
    for _ in reader.steps():
        pass
    return reader


def items(reader: BulkReader) -> list[Item]:
    return [item for part in reader.items.finish() for item in decode_items(part)]


def body(*packs: str, count: Any = None, state: str = "") -> str:
    number = len(packs) if count is None else count
    head = f'"state":"{state}",' if state else ""
    return f'{{{head}"numberOfPacks":{number},"packs":[{",".join(packs)}]}}'


@pytest.mark.parametrize("form", [BULK, RECOVERY], ids=["bulk", "recovery"])
@pytest.mark.parametrize(
    ("text", "last_digit"),
    [
        ("", "2"),
        ("[]", "2"),
        ("{}", "2"),
        ('{"numberOfPacks":0,"packs":[]}', "2"),
        ('{"numberOfPacks":1,"packs":{}}', "2"),
        (body(PACK, "5"), "2"),
        (body(PACK, "null"), "2"),
        (body(PACK, count='"1"'), "2"),
        (body(PACK) + "x", "2"),
        (body(PACK)[:-1], "2"),
        ('{"more":NaN,' + body(PACK)[1:], "2"),
        (body(PACK, PACK.replace("A1", "A" * VALUE_LENGTH_MAX)), "2"),
        ('{"a":' + "[" * 3_000 + "]" * 3_000 + "," + body(PACK)[1:], "2"),
        ("{" + "".join(f'"more{n}":0,' for n in range(64)) + body(PACK)[1:], "2"),
        ('{"packs":[' + PACK + '],"packs":[' + OTHER + '],"numberOfPacks":1}', "2"),
        (body(PACK).encode() + b"\xff", "2"),
        (body(PACK, OTHER, PACK, OTHER), "3"),
        (body(PACK, OTHER, PACK, OTHER, count=3), "3"),
        (body(PACK, count=2), "1"),
        ('{"packs":[' + PACK + "]}", "1"),
        ('{"numberOfPacks":null,"packs":[' + PACK + "]}", "1"),
    ],
)
def test_a_request_is_refused_as_a_whole(
    form: BulkForm, text: str | bytes, last_digit: str
) -> None:
    assert read(text, form).refusal == f"6{form.submit_digits}2000{last_digit}"


@pytest.mark.parametrize(
    ("state", "operation"),
    [
        ("", Operation.VERIFY),
        ("Supplied", Operation.SUPPLY),
        ("Free Sample", Operation.FREE_SAMPLE),
        ("FreeSample", Operation.FREE_SAMPLE),
        ("FREE_SAMPLE", Operation.FREE_SAMPLE),
        ("active", Operation.REACTIVATE),
    ],
)
def test_one_state_holds_for_all_packs(state: str, operation: Operation) -> None:
    reader = read(body(PACK, OTHER, state=state))
    assert (reader.refusal, reader.operation) == (None, operation)
    assert [item.operation for item in items(reader)] == [None, None]


def test_a_state_that_is_none_refuses_the_request() -> None:
    assert read(body(PACK, state="Sold")).refusal == "62120002"


def test_members_come_in_any_order_and_unknown_ones_are_ignored() -> None:
    text = (
        '\ufeff{ "packs" : [ %s ,\r\n%s ] , "maxBulkPackCount":500000,"extra":{"a":[1,{}]},\n'
        '"numberOfPacks" : 2, "state":"Supplied" }  '
    )
    packs = PACK.replace("{", '{"more":{"x":[null]},'), OTHER
    reader = read(text % packs)
    assert (reader.refusal, reader.operation) == (None, Operation.SUPPLY)
    assert [item.echo.decode() for item in items(reader)] == list(packs)


def test_an_item_has_all_that_was_sent() -> None:
    (item,) = items(read(body(PACK)))
    assert item == Item(
        scheme=Scheme.GTIN,
        product_code=CODE,
        serial_number="A1",
        batch_id="B1",
        expiry="301231",
        echo=PACK.encode(),
    )


DEFECTS: list[tuple[dict[str, Any], str]] = [
    # Each row mends the first fault of the row above it.
    ({}, "61020002"),
    ({"productCodeScheme": "gtin"}, "61020009"),
    ({"productCodeScheme": "GS1"}, "61020001"),
    ({"productCode": 9506000134376}, "61020008"),
    ({"productCode": "9506000134376"}, "61020008"),
    ({"productCode": CODE}, "61020003"),
    ({"serialNumber": "A B"}, "61020011"),
    ({"serialNumber": "\ud800"}, "61020011"),
    ({"serialNumber": "A1", "batchId": None}, "61020000"),
    ({"batchId": "B#"}, "61020006"),
    ({"batchId": ["B"]}, "61020006"),
    ({"batchId": "B1", "expiryDate": ""}, "61020004"),
    ({"expiryDate": "310229"}, "61020007"),
    ({"expiryDate": "310200"}, ""),
]


@pytest.mark.parametrize("count", range(1, len(DEFECTS) + 1))
def test_a_malformed_pack_has_the_code_of_its_first_fault(count: int) -> None:
    pack: dict[str, Any] = {}
    for members, _ in DEFECTS[:count]:
        pack |= members
    (item,) = items(read(body(json.dumps(pack))))
    assert item.defect == DEFECTS[count - 1][1]


def test_typed_packs_need_neither_batch_nor_expiry() -> None:
    pack = '{"productCodeScheme":"gs1","productCode":"09506000134376","serialNumber":"A1"}'
    (typed,) = items(read(body(pack), manual=True))
    assert (typed.defect, typed.manual, typed.batch_id, typed.expiry) == ("", True, None, None)
    # A recovery has no header for its packs: only typed ones can be without.
    (replayed,) = items(read(body(pack), RECOVERY))
    assert (replayed.defect, replayed.manual) == ("", True)
    (scanned,) = items(read(body(PACK), RECOVERY, manual=False))
    assert not scanned.manual


def test_a_pack_named_twice_is_found_in_a_bulk_but_not_in_a_recovery() -> None:
    elsewhere = PACK.replace(CODE, "09506000134352")
    assert read(body(PACK, elsewhere, OTHER)).twice is None
    twice = read(body(PACK, OTHER, PACK)).twice
    assert twice is not None
    assert twice.serial_number == "A1"
    assert read(body(PACK, OTHER, PACK), RECOVERY).twice is None
    malformed = PACK.replace("A1", "A B")
    assert read(body(malformed, malformed)).twice is None


@pytest.mark.parametrize(
    ("value", "operation"),
    [
        (None, Operation.VERIFY),
        ("", Operation.VERIFY),
        *zip(range(8), [*(spelling := [2, 7, 3, 6, 8, 4, 5, 11])], strict=True),
        *zip("01234567", spelling, strict=True),
        ("SUPPLIED", Operation.SUPPLY),
        ("FREE_SAMPLE", Operation.FREE_SAMPLE),
        ("Free Sample", Operation.FREE_SAMPLE),
        ("Exported", Operation.EXPORT),
        ("ACTIVE", Operation.REACTIVATE),
        (8, None),
        (-1, None),
        (True, None),
        (1.0, None),
        ("8", None),
        ([], None),
    ],
)
def test_a_transition_is_understood_in_all_spellings(value: Any, operation: Any) -> None:
    assert read_transition(value) == operation


def test_a_recovery_mixes_operations_and_judges_each() -> None:
    packs = [PACK[:-1] + f',"transitionType":{value}}}' for value in ('"STOLEN"', "0", '"gone"')]
    found = items(read(body(*packs), RECOVERY))
    assert [item.operation for item in found] == [Operation.STOLEN, Operation.SUPPLY, None]
    assert [item.defect for item in found] == ["", "", "61020010"]


def test_the_document_names_the_members_that_are_read() -> None:
    assert set(Pack.__struct_fields__) == set(json.loads(PACK))
    assert set(RecoveryPack.__struct_fields__) == {*json.loads(PACK), "transitionType"}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(
    st.lists(values.filter(lambda value: len(json.dumps(value)) < 1_000), max_size=12),
    st.booleans(),
    st.integers(4, 3_000),
    st.sampled_from([None, 2]),
)
def test_pieces_are_what_the_whole_text_is(
    content: list[Any], ascii_only: bool, window_bytes: int, indent: int | None
) -> None:
    text = json.dumps({"packs": content, "end": 1}, ensure_ascii=ascii_only, indent=indent)
    try:
        encoded = text.encode()
    except UnicodeEncodeError:  # A lone surrogate: no UTF-8.
        return
    pieces = JsonPieces(encoded, window_bytes)
    found: dict[str, Any] = {}
    for name in pieces.member_names():
        if pieces.take("["):
            elements = list(pieces.elements())
            found[name] = [element.value for element in elements]
            assert [json.loads(element.text) for element in elements] == content
        else:
            found[name] = pieces.value().value
    pieces.expect_end()
    assert found == json.loads(text)


@given(st.binary(max_size=300), st.integers(4, 50))
def test_any_bytes_are_read_or_refused(content: bytes, window_bytes: int) -> None:
    pieces = JsonPieces(content, window_bytes)
    try:
        for _ in pieces.member_names():
            pieces.value()
        pieces.expect_end()
    except JsonFormError:
        return
    json.loads(content)


def test_others_have_their_turns_however_small_the_packs_are() -> None:
    text = '{"packs":[' + ",".join(["{}"] * 5_000) + '],"numberOfPacks":5000}'
    reader = BulkReader(text.encode(), BULK, manual=False, packs_max=5_000)
    assert sum(1 for _ in reader.steps()) >= 200
    assert (reader.refusal, reader.items.item_count) == (None, 5_000)
