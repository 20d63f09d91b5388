"""GS1 element strings, held against biip: an independent reader with the whole list of AIs."""

import json
import re
from importlib import resources

import pytest
from biip.gs1_messages import GS1Message
from hypothesis import given
from hypothesis import strategies as st

from emvs import gs1
from emvs.character_sets import SET_82
from emvs.check_digits import gtin_check_digit
from emvs.elements import ElementError

GS = gs1.GROUP_SEPARATOR
GTIN = "04150037528643"
AI_LIST = json.loads(
    (
        resources.files("biip") / "gs1_application_identifiers/_application_identifiers.json"
    ).read_text()
)

identifiers = st.text(SET_82, min_size=1, max_size=20)
gtins = st.integers(0, 10**13 - 1).map("{:013d}".format).map(lambda n: n + gtin_check_digit(n))
expiries = st.dates().map("{:%y%m%d}".format)


def pairs(text: str) -> list[tuple[str, str]]:
    return [(element.identifier, element.value) for element in gs1.parse_element_string(text)]


@pytest.mark.parametrize("row", AI_LIST, ids=lambda row: row["ai"])
def test_every_element_of_the_standard_is_skipped_rightly(row: dict[str, object]) -> None:
    ai = str(row["ai"])
    if row["separator_required"]:
        value, separator = "X" * 9, GS
    else:  # "N2+N14": the figures behind the first are the value's length.
        value = "1" * sum(map(int, re.findall(r"\d+", str(row["format"]))[1:]))
        separator = ""
    expected = [("21", "A"), (ai, value), ("10", f"B{ai}")]
    assert pairs(f"21A{GS}{ai}{value}{separator}10B{ai}") == expected


@given(gtins, identifiers, identifiers, expiries)
def test_what_is_built_is_read_back(gtin: str, serial: str, batch: str, expiry: str) -> None:
    text = gs1.build_element_string(
        product_code=gtin, serial_number=serial, batch_id=batch, expiry=expiry
    )
    assert pairs(text) == [("01", gtin), ("17", expiry), ("10", batch), ("21", serial)]


@given(gtins, identifiers, identifiers, st.permutations(range(4)))
def test_an_independent_reader_agrees(gtin: str, serial: str, batch: str, order: list[int]) -> None:
    parts = ["01" + gtin, "17271231", f"10{batch}{GS}", f"21{serial}{GS}"]
    text = "".join(parts[i] for i in order)
    theirs = GS1Message.parse(text.removesuffix(GS))
    assert pairs(text) == [(str(e.ai.ai), e.value) for e in theirs.element_strings]


def test_the_recommended_order() -> None:
    text = gs1.build_element_string(
        product_code=GTIN,
        serial_number="SN1",
        batch_id="B1",
        expiry="271200",
        national_number=("714", "5123456"),
    )
    assert text == f"01{GTIN}1727120010B1{GS}21SN1{GS}7145123456"
    assert gs1.build_element_string(product_code=GTIN, serial_number="S") == f"01{GTIN}21S"


@pytest.mark.parametrize(
    ("changes", "ai"),
    [
        ({"product_code": "123"}, "01"),
        ({"product_code": ""}, "01"),
        ({"serial_number": ""}, "21"),
        ({"serial_number": f"A{GS}10B"}, "21"),
        ({"batch_id": ""}, "10"),
        ({"expiry": "2712"}, "17"),
    ],
)
def test_what_would_read_otherwise_is_not_built(changes: dict[str, str], ai: str) -> None:
    fields = {"product_code": GTIN, "serial_number": "S", **changes}
    with pytest.raises(ValueError, match=f"AI {ai}"):
        gs1.build_element_string(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "position", "read"),
    [
        ("HELLO", 0, []),
        ("0", 0, []),
        ("0641500375286", 0, []),
        ("71", 0, []),
        ("7A0123", 0, []),
        ("71\u06631", 0, []),
        (f"01{GTIN}~", 16, ["01"]),
        (f"21SN1{GS}{GS}Q1", 7, ["21"]),
    ],
)
def test_no_element_there(text: str, position: int, read: list[str]) -> None:
    with pytest.raises(ElementError) as caught:
        gs1.parse_element_string(text)
    assert caught.value.position == position
    assert [element.identifier for element in caught.value.read] == read
    assert str(caught.value).endswith(f"(at character {position + 1})")
    assert all(f"after element {ai}" in str(caught.value) for ai in read[-1:])


@given(st.text(alphabet=f"0123456789AX{GS}()", max_size=100))
def test_any_text_gives_elements_or_an_error_and_nothing_is_lost(text: str) -> None:
    try:
        elements = gs1.parse_element_string(text)
    except ElementError as error:
        elements = list(error.read)
        text = text[: error.position]
    rebuilt = "".join(element.identifier + element.value for element in elements)
    assert rebuilt == text.replace(GS, "")
    for element in elements:
        assert text.startswith(element.identifier + element.value, element.position)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"(01){GTIN}(21)SN1", [("01", GTIN), ("21", "SN1")]),
        (f" (21) SN1  ( 01 ) (01) {GTIN} ", [("21", "SN1  ( 01 )"), ("01", GTIN)]),
        ("(710)03752864(10)(5)(21)(999)", [("710", "03752864"), ("10", "(5)"), ("21", "(999)")]),
        ("(21)A(10)", [("21", "A"), ("10", "")]),
    ],
)
def test_elements_in_brackets(text: str, expected: list[tuple[str, str]]) -> None:
    elements = gs1.parse_bracketed(text)
    assert [(element.identifier, element.value) for element in elements] == expected


@pytest.mark.parametrize("text", ["", "(", "(5)A", "X(01)1", "(\u0660\u0661)1"])
def test_no_brackets_to_begin_with(text: str) -> None:
    with pytest.raises(ElementError, match="brackets"):
        gs1.parse_bracketed(text)
