"""IFA envelopes, whole ones and such as lost their control characters on a keyboard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs import ifa
from emvs.character_sets import IFA_BATCH_CHARACTERS, IFA_SERIAL_CHARACTERS
from emvs.elements import ElementError

PPN = "110375286414"
BUILT = [("9N", PPN), ("1T", "B1"), ("D", "271200"), ("S", "SN1")]
WHOLE = f"[)>\x1e06\x1d9N{PPN}\x1d1TB1\x1dD271200\x1dSSN1\x1e\x04"

serials = st.text(IFA_SERIAL_CHARACTERS, min_size=1, max_size=20)
batches = st.text(IFA_BATCH_CHARACTERS, min_size=1, max_size=20)


def pairs(text: str) -> list[tuple[str, str]]:
    return [(element.identifier, element.value) for element in ifa.parse_envelope(text)]


def test_build() -> None:
    assert (
        ifa.build_envelope(product_code=PPN, serial_number="SN1", batch_id="B1", expiry="271200")
        == WHOLE
    )
    assert (
        ifa.build_envelope(product_code="1", serial_number="2") == "[)>\x1e06\x1d9N1\x1dS2\x1e\x04"
    )


@pytest.mark.parametrize("value", ["", "A\x1dB", "A\x1e\x04"])
def test_what_would_read_otherwise_is_not_built(value: str) -> None:
    with pytest.raises(ValueError, match="DI S"):
        ifa.build_envelope(product_code=PPN, serial_number=value)


@given(serials, batches)
def test_what_is_built_is_read_back(serial: str, batch: str) -> None:
    text = ifa.build_envelope(
        product_code=PPN, serial_number=serial, batch_id=batch, expiry="271200"
    )
    assert pairs(text) == [("9N", PPN), ("1T", batch), ("D", "271200"), ("S", serial)]


@pytest.mark.parametrize(
    "lost",
    ["\x1e\x04", "\x04", "\x1e", "\x1d\x1e\x04"],
)
def test_lost_control_characters_are_put_back(lost: str) -> None:
    text = WHOLE
    for character in lost:
        text = text.replace(character, "")
    assert pairs(text) == BUILT
    for element in ifa.parse_envelope(text):
        assert text.startswith(element.identifier + element.value, element.position)


@pytest.mark.parametrize(
    "header", ["[)>\x1e06\x1d", "[)>\x1e06", "[)>06", "06\x1d", "[)>", "", "\x1d"]
)
def test_lost_headers_are_put_back(header: str) -> None:
    assert pairs(WHOLE.replace("[)>\x1e06\x1d", header)) == BUILT


@given(serials, batches, st.permutations(range(4)))
def test_without_separators_there_is_the_true_reading_or_none(
    serial: str, batch: str, order: list[int]
) -> None:
    elements = [("9N", PPN), ("1T", batch), ("D", "271200"), ("S", serial)]
    ordered = [elements[i] for i in order]
    text = "[)>06" + "".join(identifier + value for identifier, value in ordered)
    try:
        read = pairs(text)
    except ElementError as error:
        read = [("", error.reason)]
    uncertain = "the group separators are lost, and there is more than one way to tell the elements"
    assert read in (ordered, [("", f"{uncertain} apart")])


# Characters of which no identifier can be made.
ordinary = st.text(sorted(set(IFA_SERIAL_CHARACTERS) - set("DSTNPQ")), min_size=1, max_size=20)


@given(ordinary, ordinary)
def test_without_separators_ordinary_values_are_told_apart(serial: str, batch: str) -> None:
    text = f"[)>069N{PPN}D271200S{serial}1T{batch}"
    # A serial that ends in 1 is no trouble: "11T" has one place where the identifier fits.
    assert pairs(text) == [("9N", PPN), ("D", "271200"), ("S", serial), ("1T", batch)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[)>\x1e05\x1d0104150037528643\x1e\x04", "format 06"),
        ("[)>", "format 06"),
        ("", "format 06"),
        ("[)>069N110375286414SSN1", "no way"),
        ("[)>069N" + "S1" * 400, "no way"),
        ("[)>069N1103752864141TAB16D250101D271200SSN1", "more than one way"),
    ],
)
def test_what_has_no_single_reading_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ElementError, match=reason):
        ifa.parse_envelope(text)


def test_what_was_read_before_a_fault_is_kept() -> None:
    with pytest.raises(ElementError, match="begins with 'xyz'") as caught:
        ifa.parse_envelope(f"[)>\x1e06\x1d9N{PPN}\x1dSSN1\x1dxyz\x1e\x04")
    assert [(element.identifier, element.value) for element in caught.value.read] == [
        ("9N", PPN),
        ("S", "SN1"),
    ]
