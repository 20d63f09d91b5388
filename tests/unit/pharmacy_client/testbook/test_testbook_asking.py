"""What is sent: addresses in both spellings, wrong elements, packs read from pictures."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import pytest

from emvs.character_sets import SET_82, is_set82
from emvs.check_digits import is_valid_gtin
from emvs.expiry import parse_expiry
from emvs.scan import build_scan_text
from emvs.scheme import Scheme
from pharmacy_client.errors import ProfileError
from pharmacy_client.testbook import changes
from pharmacy_client.testbook.asking import as_carried, pack_url
from pharmacy_client.testbook.book import Ask, Carrier, Pack, Purpose, Spelling
from pharmacy_client.testbook.goods import (
    last_day_of_month,
    named_packs,
    new_product_code,
    read_pack,
)
from pharmacy_client.testbook.single_cases import FURTHER_ELEMENTS

PACK = Pack("09520000000019", "Z9C4FHJK7LNP", "TBA1", "280229")


@pytest.mark.parametrize("spelling", Spelling)
@pytest.mark.parametrize("start", range(0, len(SET_82), 17))
def test_an_address_brings_every_character_back(spelling: Spelling, start: int) -> None:
    serial_number = SET_82[start : start + 17]
    url = pack_url("http://x/v", PACK._replace(serial_number=serial_number), spelling)
    path, _, query = url.removeprefix("http://x/v/product/gs1/09520000000019/pack/").partition("?")
    assert unquote(path) == serial_number
    assert query == "batch=TBA1&expiry=280229"
    assert ("%2F" in url) == (spelling is Spelling.ENCODED and "/" in serial_number)


def test_what_is_left_out_is_not_in_the_address() -> None:
    url = pack_url("http://x", changes.only_code_and_serial(PACK), Spelling.ENCODED)
    assert "?" not in url
    plus = pack_url("http://x", PACK._replace(batch_id="A+B&C"), Spelling.RAW)
    assert "batch=A%2BB%26C&" in plus, "a plus would be a blank, an ampersand an end"


def test_wrong_elements_are_wrong_and_look_like_right_ones() -> None:
    unknown = changes.unknown_batch_and_serial(PACK)
    assert unknown.serial_number != PACK.serial_number
    assert unknown.batch_id != PACK.batch_id
    for right, wrong in zip(PACK, unknown, strict=True):
        assert [c.isdigit() for c in right] == [c.isdigit() for c in wrong]
    assert not is_valid_gtin(changes.wrong_check_digit(PACK).product_code)
    assert len(changes.too_long_serial(PACK).serial_number) == 21
    assert not is_set82(changes.forbidden_in_batch(PACK).batch_id)
    assert parse_expiry(changes.month_thirteen(PACK).expiry) is None
    other = changes.other_expiry(PACK).expiry
    assert parse_expiry(other) is not None, "no 29th of February in the next year"
    assert other[:4] != PACK.expiry[:4]


@pytest.mark.parametrize("carrier", Carrier)
@pytest.mark.parametrize("further", ["", FURTHER_ELEMENTS])
def test_a_pack_is_read_back_from_its_symbol(carrier: Carrier, further: str) -> None:
    pack = PACK._replace(serial_number="2110ABC17301231", batch_id="1021XYZ17290101")
    ask = Ask(pack="p", carrier=carrier, further_elements=further)
    assert as_carried(pack, ask) == pack


def test_named_packs_are_read_by_purpose(tmp_path: Path) -> None:
    scan = build_scan_text(
        scheme=Scheme.GTIN,
        product_code=PACK.product_code,
        serial_number=PACK.serial_number,
        batch_id=PACK.batch_id,
        expiry=PACK.expiry,
    )
    file = tmp_path / "packs.json"
    file.write_text(json.dumps({"recalled": [scan]}))
    assert named_packs(file) == {Purpose.RECALLED: [PACK]}
    assert read_pack(scan) == PACK
    for wrong in ('{"broken": []}', "[", '{"active": [1]}'):
        file.write_text(wrong)
        with pytest.raises(ProfileError, match=r"packs\.json"):
            named_packs(file)


def test_goods_are_well_formed() -> None:
    assert is_valid_gtin(new_product_code())
    assert last_day_of_month(date(2028, 2, 29), -1) == "270228"
    assert last_day_of_month(date(2025, 2, 1), 3) == "280229"
