"""Rules on packs, batches and serial numbers."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest

from emvs.check_digits import ppn_from_pzn
from emvs.obp_messages import PacksMessage
from emvs.scheme import Scheme
from hub.defects import Defects
from hub.facts import BatchFacts, Judgement, ProductFacts, Sender
from hub.pack_rules import judge_packs
from hub.serial_rules import check_serials

TODAY = date(2026, 11, 22)


@pytest.fixture
def judge(sender: Sender) -> Any:
    async def run(
        message_type: str,
        message: PacksMessage,
        product: ProductFacts | None,
        batch: BatchFacts | None = None,
    ) -> Judgement:
        return await judge_packs(message_type, message, product, batch, sender=sender, today=TODAY)

    return run


def rules(judgement: Judgement) -> list[tuple[str, str | None, str]]:
    return [(found.field, found.code, found.rule) for found in judgement.defects.listed]


async def test_a_new_batch_belongs_to_the_latest_version(
    judge: Any, packs_message: PacksMessage, known_product: ProductFacts
) -> None:
    judgement = await judge("PPDC", packs_message, known_product)
    assert rules(judgement) == []
    assert (judgement.product_version, judgement.markets) == (2, ["IE"])


async def test_more_packs_stay_in_the_version_of_the_batch(
    judge: Any,
    packs_message: PacksMessage,
    known_product: ProductFacts,
    known_batch: BatchFacts,
) -> None:
    packs_message.manufacturer = None  # Known since the batch was made.
    judgement = await judge("PPDM", packs_message, known_product, known_batch)
    assert rules(judgement) == []
    assert (judgement.product_version, judgement.markets) == (1, ["IE", "DE"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"productCode": None}, ("productCode", "A16", "absent")),
        ({"productVersion": 7}, ("productVersion", "A16", "unknown_version")),
        ({"batchId": None}, ("batchId", "A16", "absent")),
        ({"batchId": ""}, ("batchId", "I1", "empty")),
        ({"batchId": "LOT#1"}, ("batchId", "I1", "format")),
        ({"batchId": "L" * 21}, ("batchId", "I1", "format")),
        ({"expiry": None}, ("expiry", "A16", "absent")),
        ({"expiry": "301301"}, ("expiry", "I1", "format")),
        ({"expiry": "2030-12"}, ("expiry", "I1", "format")),
        ({"manufacturer": None}, ("manufacturer", "I1", "absent")),
        ({"serialNumbers": []}, ("serialNumbers", "A16", "absent")),
    ],
)
async def test_a_spoilt_element_of_a_new_batch_is_named(
    judge: Any,
    packs_message: PacksMessage,
    known_product: ProductFacts,
    change: dict[str, Any],
    expected: tuple[str, str, str],
) -> None:
    message = dataclasses.replace(packs_message, **change)
    assert rules(await judge("PPDC", message, known_product)) == [expected]


async def test_an_unknown_product_is_refused(judge: Any, packs_message: PacksMessage) -> None:
    assert rules(await judge("PPDC", packs_message, None)) == [
        ("productCode", "A16", "unknown_product")
    ]


async def test_nothing_is_told_of_another_organisations_batch(
    judge: Any,
    packs_message: PacksMessage,
    known_product: ProductFacts,
    known_batch: BatchFacts,
) -> None:
    product = dataclasses.replace(known_product, organisation_id="20002")
    packs_message.expiry = "290101"
    judgement = await judge("PPDC", packs_message, product, known_batch)
    assert rules(judgement) == [("productCode", "A16", "other_owner")]


@pytest.mark.parametrize(
    ("message_type", "known", "change", "rule"),
    [
        ("PPDC", True, {}, "batch_exists"),
        ("PPDM", False, {}, "unknown_batch"),
        ("PPDM", True, {"expiry": "301231"}, "other_expiry"),
        ("PPDM", True, {"productVersion": 2}, "other_version"),
    ],
)
async def test_a_batch_stays_as_it_was_made(
    judge: Any,
    packs_message: PacksMessage,
    known_product: ProductFacts,
    known_batch: BatchFacts,
    message_type: str,
    known: bool,
    change: dict[str, Any],
    rule: str,
) -> None:
    message = dataclasses.replace(packs_message, **change)
    judgement = await judge(message_type, message, known_product, known_batch if known else None)
    assert [found for _, _, found in rules(judgement)] == [rule]


async def test_a_withdrawn_or_recalled_market_is_left_out(
    judge: Any,
    packs_message: PacksMessage,
    known_product: ProductFacts,
    known_batch: BatchFacts,
) -> None:
    product = dataclasses.replace(known_product, withdrawn=frozenset({"DE"}))
    judgement = await judge("PPDM", packs_message, product, known_batch)
    assert judgement.markets == ["IE"]
    assert [(found.market, found.rule) for found in judgement.rejected] == [("DE", "withdrawn")]

    batch = dataclasses.replace(known_batch, recalled=frozenset({"IE"}))
    judgement = await judge("PPDM", packs_message, known_product, batch)
    assert judgement.markets == ["DE"]
    assert [(found.market, found.rule) for found in judgement.rejected] == [("IE", "recalled")]

    judgement = await judge("PPDM", packs_message, product, batch)
    assert [found for _, _, found in rules(judgement)] == ["no_market"]


@pytest.mark.parametrize(
    ("expiry", "expected"), [("261100", []), ("261122", []), ("261121", ["expired"])]
)
async def test_an_expired_batch_is_a_warning(
    judge: Any,
    packs_message: PacksMessage,
    known_product: ProductFacts,
    expiry: str,
    expected: list[str],
) -> None:
    judgement = await judge(
        "PPDC", dataclasses.replace(packs_message, expiry=expiry), known_product
    )
    assert not judgement.defects
    assert [found.rule for found in judgement.warnings] == expected


async def test_a_ppn_allows_other_characters_than_a_gtin(
    judge: Any, packs_message: PacksMessage, known_product: ProductFacts
) -> None:
    code = ppn_from_pzn("12345678")
    product = dataclasses.replace(known_product, product_code=code)
    message = dataclasses.replace(
        packs_message, productCode=code, batchId="A.1", serialNumbers=["A1", "a1"]
    )
    assert rules(await judge("PPDC", message, product)) == [
        ("batchId", "I1", "format"),
        ("serialNumbers[1]", "I1", "serial_format"),
    ]


@pytest.mark.parametrize(
    ("serial_numbers", "expected"),
    [
        (["A", "x" * 20, "!\"%&'()*+,-./", "_:;<=>?"], []),
        (["A", "A#", "B"], [(1, "I1", "serial_format")]),
        (["A", "", "B"], [(1, "I1", "serial_format")]),
        (["A", "x" * 21], [(1, "I1", "serial_format")]),
        (["A", "Ä"], [(1, "I1", "serial_format")]),
        (["A", "A B"], [(1, "I1", "serial_format")]),
        (["A", "B", "A", "a", "A"], [(2, "A16", "duplicate"), (4, "A16", "duplicate")]),
        (["A\n", "A\n"], [(0, "I1", None), (1, "I1", None), (1, "A16", "duplicate")]),
    ],
)
async def test_each_bad_serial_number_is_named(
    serial_numbers: list[str], expected: list[tuple[int, str, str | None]]
) -> None:
    defects = Defects()
    await check_serials(serial_numbers, Scheme.GTIN, defects)
    assert [(found.field, found.code) for found in defects.listed] == [
        (f"serialNumbers[{position}]", code) for position, code, _ in expected
    ]
    assert all(
        rule in {None, found.rule}
        for found, (_, _, rule) in zip(defects.listed, expected, strict=True)
    )


async def test_a_market_that_is_no_longer_connected_is_left_out(
    judge: Any,
    packs_message: PacksMessage,
    known_product: ProductFacts,
    known_batch: BatchFacts,
) -> None:
    product = dataclasses.replace(known_product, markets_by_version={1: ("FR", "IE"), 2: ("FR",)})
    judgement = await judge("PPDM", packs_message, product, known_batch)
    assert judgement.markets == ["IE"]
    assert [(found.market, found.rule) for found in judgement.rejected] == [
        ("FR", "market_not_connected")
    ]
    judgement = await judge("PPDC", packs_message, product)
    assert [found for _, _, found in rules(judgement)] == ["no_market"]
