"""Packs as EPCIS names them. Each row spoils one thing of a good one."""

from __future__ import annotations

import pytest

from emvs.epc_identifiers import PackEpc, parse_epc

GTIN = "09520000777777"


@pytest.mark.parametrize(
    ("text", "pack"),
    [
        ("urn:epc:id:sgtin:9520000.077777.S1", PackEpc(GTIN, "S1")),
        # The indicator digit stands before the company prefix in a GTIN, behind it in an SGTIN.
        ("urn:epc:id:sgtin:0614141.712345.S1", PackEpc("70614141123451", "S1")),
        ("urn:epc:id:sgtin:952000077777.0.S1", PackEpc(GTIN, "S1")),
        ("urn:epc:id:sgtin:9520000.077777.A%2FB%25", PackEpc(GTIN, "A/B%")),
        (f"https://id.gs1.org/01/{GTIN}/21/S1", PackEpc(GTIN, "S1")),
        (f"http://a.example/x/y/01/{GTIN}/21/S%2F1/", PackEpc(GTIN, "S/1")),
        ("https://a.example/01/9520000777777/21/S1", PackEpc(GTIN, "S1")),
        (f"https://a.example/01/{GTIN}/10/L%201/21/S1?17=301231", PackEpc(GTIN, "S1", "L 1", "301231")),
        (f"https://a.example/01/{GTIN}/21/S1?10=L1&17=301200&x=y", PackEpc(GTIN, "S1", "L1", "301200")),
        (f"https://a.example/gtin/{GTIN}/lot/L1/ser/S1", PackEpc(GTIN, "S1", "L1")),
    ],
)  # fmt: skip
def test_identifiers_name_a_pack(text: str, pack: PackEpc) -> None:
    assert parse_epc(text) == pack


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "neither"),
        ("urn:epc:id:sgtin:9520000.07777.S1", "13 digits"),
        ("urn:epc:id:sgtin:9520000.077777.", "neither"),
        ("urn:epc:id:sgtin:9520000.077777", "neither"),
        ("urn:epc:id:sgtin:9520000.07777x.S1", "neither"),
        ("urn:epc:id:sscc:9520000.0777771234", "neither"),
        ("https://a.example/01/09520000777778/21/S1", "check digit"),
        (f"https://a.example/01/{GTIN}", "/21/ is missing"),
        (f"https://a.example/01/{GTIN}/10/L1", "/21/ is missing"),
        ("https://a.example/" + "01/" * 400, "500"),
    ],
)
def test_others_are_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_epc(text)
