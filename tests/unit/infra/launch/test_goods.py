"""The demo's products and batches."""

from __future__ import annotations

from datetime import date

import pytest

from emvs.character_sets import is_set82
from emvs.check_digits import is_valid_gtin
from emvs.expiry import parse_expiry
from emvs.infra.launch.goods import (
    Batch,
    choose_products,
    make_batches,
    multi_market_pair,
    product_code,
)
from emvs.infra.launch.markets_choice import parse_markets
from emvs.infra.launch.settings import MarketSettings
from emvs.limits import BATCH_ID_LENGTH_MAX
from emvs.scan import parse_scan

TODAY = date(2027, 2, 10)


def markets(text: str) -> list[MarketSettings]:
    return [
        MarketSettings(choice.code, choice.dialects, 1, 1, 2, 3, "token")
        for choice in parse_markets(text)
    ]


def batches_of(text: str, stock_count: int = 0, run_id: str = "ABC234") -> list[Batch]:
    products = choose_products(markets(text))
    return make_batches(products, run_id=run_id, today=TODAY, stock_count=stock_count)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("AT,PL,IE,FI:soap+rest", ("AT", "IE")),
        ("IE,AT", ("AT", "IE")),
        ("FI:soap+rest,IE", ("FI", "IE")),
        ("AT,PL", ("AT", "PL")),
        ("IE", ()),
    ],
)
def test_the_product_of_two_markets_joins_both_dialects_where_it_can(
    text: str, pair: tuple[str, ...]
) -> None:
    assert multi_market_pair(markets(text)) == pair


def test_product_codes_are_valid_and_do_not_depend_on_the_other_markets() -> None:
    codes = {product.markets: product.product_code for product in choose_products(markets("AT,IE"))}
    assert all(is_valid_gtin(code) for code in codes.values())
    assert len(set(codes.values())) == 3
    (alone,) = choose_products(markets("IE"))
    assert codes["IE",] == alone.product_code
    assert is_valid_gtin(product_code(999_999_999))


def test_every_market_has_two_hundred_fresh_packs_of_its_own() -> None:
    fresh = [batch for batch in batches_of("AT,IE") if batch.purpose == "fresh"]
    assert [batch.product.markets for batch in fresh] == [("AT",), ("IE",)]
    assert all(len(set(batch.serial_numbers)) == 200 for batch in fresh)


def test_the_stock_is_spread_and_complete() -> None:
    stock = [batch for batch in batches_of("AT,IE", 12_345) if batch.purpose == "stock"]
    assert sum(len(batch.serial_numbers) for batch in stock) == 12_345
    assert {batch.product.markets for batch in stock} == {("AT",), ("IE",)}


def test_batch_ids_are_of_this_start_alone_and_fit_the_wire() -> None:
    ids = [batch.batch_id for batch in batches_of("AT,IE", 2_000_000)]
    assert all(is_set82(name) and len(name) <= BATCH_ID_LENGTH_MAX for name in ids)
    others = {batch.batch_id for batch in batches_of("AT,IE", run_id="DEF567")}
    assert not others & set(ids)


def test_the_same_run_id_makes_the_same_packs() -> None:
    assert batches_of("AT,IE", 10) == batches_of("AT,IE", 10)


def test_only_the_expired_batch_has_expired() -> None:
    for batch in batches_of("AT,IE"):
        expiry = parse_expiry(batch.expiry)
        assert expiry is not None
        assert (expiry.last_day < TODAY) == (batch.purpose == "expired")


def test_a_packs_scan_says_what_its_fields_say() -> None:
    for batch in batches_of("AT,IE"):
        (pack,) = batch.packs(1)
        scan = parse_scan(pack["scan"])
        assert not scan.problems
        assert pack == {
            "scheme": scan.scheme,
            "product_code": scan.product_code,
            "serial": scan.serial_number,
            "batch": scan.batch_id,
            "expiry": scan.expiry,
            "scan": pack["scan"],
        }
