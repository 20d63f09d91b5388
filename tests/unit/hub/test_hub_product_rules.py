"""Rules on master data: each spoils one thing in a good message."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from emvs.obp_messages import MarketPart, ProductMessage
from hub.defects import DEFECTS_LISTED_MAX
from hub.facts import ProductFacts, Sender
from hub.product_rules import ATC_CODES_MAX, DESIGNATED_WHOLESALERS_MAX, judge_product


def test_a_good_product_is_version_one_in_its_markets(
    product_message: ProductMessage, sender: Sender
) -> None:
    judgement = judge_product(product_message, None, sender)
    assert not judgement.defects
    assert judgement.product_version == 1
    assert judgement.markets == ["IE", "DE"]
    assert not judgement.warnings


def test_a_known_product_gets_a_new_version(
    product_message: ProductMessage, known_product: ProductFacts, sender: Sender
) -> None:
    assert judge_product(product_message, known_product, sender).product_version == 3


def rules_found(message: ProductMessage, sender: Sender) -> list[tuple[str, str | None, str]]:
    defects = judge_product(message, None, sender).defects
    return [(found.field, found.code, found.rule) for found in defects.listed]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"productCode": None}, ("productCode", "A16", "absent")),
        ({"productCode": "0950600013437"}, ("productCode", "I1", "format")),
        ({"productCode": "0950600013437x"}, ("productCode", "I1", "format")),
        ({"productCode": "09506000134377"}, ("productCode", "A16", "check_digit")),
        ({"scheme": None}, ("scheme", "A16", "absent")),
        ({"scheme": "EAN"}, ("scheme", "I1", "unknown_scheme")),
        ({"scheme": "PPN"}, ("scheme", "A16", "scheme_mismatch")),
        ({"packSize": None}, ("packSize", "A16", "absent")),
        ({"packSize": 0}, ("packSize", "A16", "range")),
        ({"atcCodes": ["N02BE01", "paracetamol"]}, ("atcCodes[1]", "I1", "format")),
        ({"atcCodes": ["A"] * (ATC_CODES_MAX + 1)}, ("atcCodes", "I1", "too_many")),
        ({"markets": []}, ("markets", "A16", "absent")),
    ],
)
def test_a_spoilt_element_is_named(
    product_message: ProductMessage,
    sender: Sender,
    change: dict[str, Any],
    expected: tuple[str, str, str],
) -> None:
    assert rules_found(dataclasses.replace(product_message, **change), sender) == [expected]


@pytest.mark.parametrize(
    ("market", "rule"),
    [
        (None, "absent"),
        ("XX", "unknown_market"),
        ("IE", "duplicate"),
        ("FR", "market_not_connected"),
    ],
)
def test_a_wrong_market_is_named(
    product_message: ProductMessage, sender: Sender, market: str | None, rule: str
) -> None:
    product_message.markets[1].market = market
    assert rules_found(product_message, sender) == [("markets[1].market", "A16", rule)]


def test_a_market_is_reached_through_the_system_it_shares(
    product_message: ProductMessage, sender: Sender
) -> None:
    product_message.markets[1].market = "LU"  # Served by the system of Belgium.
    assert rules_found(product_message, sender) == []


@pytest.mark.parametrize(
    ("national_code", "expected"),
    [
        (None, [("markets[1].nationalCode", "A16", "national_code_obligatory")]),
        ("12345678", [("markets[1].nationalCode", "A16", "format")]),
        ("1234567", []),
    ],
)
def test_austria_wants_seven_digits(
    product_message: ProductMessage,
    sender: Sender,
    national_code: str | None,
    expected: list[tuple[str, str, str]],
) -> None:
    product_message.markets[1].market = "AT"
    product_message.markets[1].nationalCode = national_code
    assert rules_found(product_message, sender) == expected


def test_wholesalers_need_an_address_and_are_bounded(
    product_message: ProductMessage, sender: Sender
) -> None:
    part = product_message.markets[0]
    holder = part.marketingAuthorisationHolder
    assert holder is not None
    part.designatedWholesalers = [holder, dataclasses.replace(holder, name="")]
    assert rules_found(product_message, sender) == [
        ("markets[0].designatedWholesalers[1].name", "A16", "empty")
    ]
    part.designatedWholesalers = [holder] * (DESIGNATED_WHOLESALERS_MAX + 1)
    assert rules_found(product_message, sender) == [
        ("markets[0].designatedWholesalers", "I1", "too_many")
    ]


def test_another_organisations_product_is_refused(
    product_message: ProductMessage, known_product: ProductFacts, sender: Sender
) -> None:
    other = dataclasses.replace(sender, organisation_id="20002")
    defects = judge_product(product_message, known_product, other).defects
    assert [found.rule for found in defects.listed] == ["other_owner"]


def test_one_answer_lists_all_defects(product_message: ProductMessage, sender: Sender) -> None:
    empty = ProductMessage("", markets=[MarketPart()])
    fields = [field for field, _, _ in rules_found(empty, sender)]
    assert fields == [
        "scheme",
        "productCode",
        "name",
        "commonName",
        "pharmaceuticalForm",
        "strength",
        "packType",
        "packSize",
        "markets[0].market",
        "markets[0].marketingAuthorisationHolder",
    ]


def test_the_list_of_defects_is_bounded_and_they_are_counted(
    product_message: ProductMessage, sender: Sender
) -> None:
    holder = product_message.markets[0].marketingAuthorisationHolder
    assert holder is not None
    spoilt = dataclasses.replace(holder, name="", street="")
    product_message.markets[0].designatedWholesalers = [spoilt] * DESIGNATED_WHOLESALERS_MAX
    defects = judge_product(product_message, None, sender).defects
    assert defects.count == 2 * DESIGNATED_WHOLESALERS_MAX
    assert len(defects.listed) == DEFECTS_LISTED_MAX


def test_a_strength_that_differs_from_the_name_is_a_warning(
    product_message: ProductMessage, sender: Sender
) -> None:
    product_message.strength = "20 mg"
    judgement = judge_product(product_message, None, sender)
    assert not judgement.defects
    assert [found.rule for found in judgement.warnings] == ["strength_not_in_name"]
