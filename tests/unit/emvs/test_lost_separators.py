"""Element strings without separators: whatever else stands on a pack, no other pack is read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emvs.gs1 import parse_element_string
from emvs.gs1_formats import FORMATS, Format
from emvs.scan import ScanError, parse_scan

HEAD = "]d2010415003752864317271231"
values = st.text("ABSN0123456789", min_size=1, max_size=8)


@st.composite
def further_elements(draw: st.DrawFn) -> str:
    """Draw any element that a pack may have besides, with a value of its form."""
    own = ("01", "10", "17", "21")
    identifier = draw(st.sampled_from([each for each in FORMATS if each not in own]))
    form = FORMATS[identifier]
    length = draw(st.integers(form.shortest, min(form.longest, form.shortest + 6)))
    digits = min(form.digits, length)
    head = draw(st.text("0123456789", min_size=digits, max_size=digits))
    if form.is_date:
        head = draw(st.sampled_from(["271231", "280229", "300400"])) + head[6:]
    if form.checked:
        head = next(
            text
            for digit in "0123456789"
            if _fits(form, text := head[: form.checked - 1] + digit + head[form.checked :])
        )
    tail = draw(st.text("ABX012", min_size=length - digits, max_size=length - digits))
    return identifier + head + tail


def _fits(form: Format, head: str) -> bool:
    return form.fits(head + "X" * (form.shortest - len(head)))


@given(values, values, further_elements(), st.permutations(range(3)))
@settings(max_examples=300)
def test_a_repair_never_takes_a_further_element_for_part_of_another(
    batch: str, serial: str, further: str, order: list[int]
) -> None:
    elements = (f"10{batch}", f"21{serial}", further)
    try:
        scan = parse_scan(HEAD + "".join(elements[place] for place in order))
    except ScanError:
        return
    if scan.repairs:
        assert (scan.batch_id, scan.serial_number) == (batch, serial)


@pytest.mark.parametrize(
    ("identifier", "value", "fits"),
    [
        ("00", "340123451234567895", True),
        ("00", "340123451234567896", False),
        ("410", "9501101530003", True),
        ("410", "95011015300O3", False),
        ("8003", "04150037528643X", True),
        ("8003", "0415003752864", False),
        ("421", "276A", True),
        ("421", "276", False),
        ("421", "2A6A", False),
        ("7007", "271131", False),
        ("7007", "271130271201", True),
        ("37", "12345678", True),
        ("37", "123456789", False),
        ("37", "1\u0662", False),
    ],
)
def test_what_a_value_looks_like(identifier: str, value: str, fits: bool) -> None:
    assert FORMATS[identifier].fits(value) is fits


def test_all_identifiers_have_the_length_that_their_first_digits_tell() -> None:
    for identifier in FORMATS:
        (element,) = parse_element_string(f"{identifier}1")
        assert element.identifier == identifier
