"""Request targets as clients old and new send them."""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.character_sets import SET_82
from nmvs.rest.targets import PackTarget, is_token_target, parse_pack_target

TODAY = PackTarget("gs1", "09506000134376", "A1", "B1", "301231")


@pytest.mark.parametrize(
    "target",
    [
        "/product/gs1/09506000134376/pack/A1?batch=B1&expiry=301231",
        "/api/product/gs1/09506000134376/pack/A1?batch=B1&expiry=301231",
        "/verification/product/gs1/09506000134376/pack/A1?batch=B1&expiry=301231",
        "/api/Product/gs1/09506000134376/Pack/A1?expiry=301231&batch=B1",
        "/VERIFICATION/PRODUCT/gs1/09506000134376/PACK/A1?Batch=B1&EXPIRY=301231",
        "/product/gs1/09506000134376/pack/A1?batch=%42%31&expiry=301231",
        "/product/gs1/09506000134376/pack/%41%31?batch=B1&expiry=301231&unknown=1&&=&x",
        "/product/%67s1/0950600013437%36/pack/A1?batch=B1&expiry=301231",
        "http://host:8978/product/gs1/09506000134376/pack/A1?batch=B1&expiry=301231",
    ],
)
def test_all_ways_to_write_one_pack(target: str) -> None:
    assert parse_pack_target(target) == TODAY


@pytest.mark.parametrize(
    ("sent", "serial_number"),
    [
        ("A/B", "A/B"),
        ("A%2FB", "A/B"),
        ("A%2fB/C", "A/B/C"),
        ("A&B", "A&B"),
        ("A+B", "A+B"),
        ("A%2BB", "A+B"),
        ('A"B', 'A"B'),
        ("A%3FB", "A?B"),
        ("A%252FB", "A%2FB"),
        ("A%B", "A%B"),
        ("/", "/"),
        ("A/", "A/"),
        ("pack/A", "pack/A"),
        ("..", ".."),
        ("", ""),
        ("%00", "\x00"),
        ("%FF", "\ufffd"),
        ("%C3%A4", "ä"),
    ],
)
def test_all_after_the_word_is_the_serial_number_decoded_once(
    sent: str, serial_number: str
) -> None:
    target = parse_pack_target(f"/verification/product/gs1/1/pack/{sent}?batch=B")
    assert target == PackTarget("gs1", "1", serial_number, "B", None)


def test_a_path_that_ends_with_the_word_lacks_the_serial_number() -> None:
    assert parse_pack_target("/product/gs1/1/pack") == PackTarget("gs1", "1", "", None, None)


@pytest.mark.parametrize(
    ("query", "batch_id", "expiry"),
    [
        ("", None, None),
        ("?", None, None),
        ("?batch=&expiry=", None, None),
        ("?batch&expiry", None, None),
        ("?batch=A+B", "A B", None),
        ("?batch=A%2BB", "A+B", None),
        ("?batch=A%26B&expiry=301200", "A&B", "301200"),
        ("?batch=A=B", "A=B", None),
        ("?batch=A/B?C", "A/B?C", None),
    ],
)
def test_query(query: str, batch_id: str | None, expiry: str | None) -> None:
    target = parse_pack_target(f"/product/ifa/1/pack/S{query}")
    assert target == PackTarget("ifa", "1", "S", batch_id, expiry)


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "",
        "*",
        "/product",
        "/product/gs1/1",
        "/product/gs1/1/packs/A",
        "/product/packs",
        "/products/gs1/1/pack/A",
        "/other/product/gs1/1/pack/A",
        "/?/product/gs1/1/pack/A",
        "http://host",
        "/connect/token",
    ],
)
def test_other_targets_name_no_pack(target: str) -> None:
    assert parse_pack_target(target) is None


@given(
    st.text(SET_82, min_size=1, max_size=20),
    st.text(SET_82, min_size=1, max_size=20),
    st.sampled_from(["", string.ascii_letters + string.digits + "/&+\"'()*,:;=!<>_.-"]),
)
def test_every_serial_number_of_the_character_set_arrives(
    serial_number: str, batch_id: str, safe: str
) -> None:
    path = f"/verification/product/gs1/1/pack/{quote(serial_number, safe=safe)}"
    target = parse_pack_target(f"{path}?batch={quote(batch_id, safe='')}&expiry=")
    assert target == PackTarget("gs1", "1", serial_number, batch_id, None)


@given(st.text())
def test_no_target_raises(target: str) -> None:
    parse_pack_target("/product/" + target)
    is_token_target(target)


@pytest.mark.parametrize(
    ("target", "is_token"),
    [
        ("/connect/token", True),
        ("/identity/connect/token", True),
        ("/Identity/Connect/Token", True),
        ("/verification/identity/connect/token?x=1", True),
        ("/connect/token/", True),
        ("/connect/tokens", False),
        ("/connect", False),
        ("/?/connect/token", False),
    ],
)
def test_token_targets(target: str, is_token: bool) -> None:
    assert is_token_target(target) is is_token
