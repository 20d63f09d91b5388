"""Rules on recalls and withdrawals: both are final and name their markets."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from emvs.obp_messages import RecallMessage, WithdrawalMessage
from hub.facts import BatchFacts, Judgement, ProductFacts, Sender
from hub.recall_rules import judge_recall, judge_withdrawal


def rules(judgement: Judgement) -> list[tuple[str, str]]:
    return [(found.field, found.rule) for found in judgement.defects.listed]


def test_a_batch_can_be_recalled_where_it_was_sold(
    recall_message: RecallMessage,
    known_product: ProductFacts,
    known_batch: BatchFacts,
    sender: Sender,
) -> None:
    recall_message.markets = ["DE", "IE"]  # Version 2 has left Germany, the batch is of version 1.
    judgement = judge_recall(recall_message, known_product, known_batch, sender)
    assert rules(judgement) == []
    assert judgement.markets == ["DE", "IE"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"productCode": None}, [("productCode", "absent")]),
        ({"batchId": None}, [("batchId", "absent")]),
        ({"reason": None}, [("reason", "absent")]),
        ({"reason": " "}, [("reason", "blank")]),
        ({"markets": []}, [("markets", "absent")]),
        ({"markets": ["XX"]}, [("markets[0]", "unknown_market")]),
        ({"markets": ["IE", "IE"]}, [("markets[1]", "duplicate")]),
        ({"markets": ["BE"]}, [("markets[0]", "other_market")]),
        ({"markets": ["IE"] * 99}, [("markets", "too_many")]),
    ],
)
def test_a_spoilt_recall_is_named(
    recall_message: RecallMessage,
    known_product: ProductFacts,
    known_batch: BatchFacts,
    sender: Sender,
    change: dict[str, Any],
    expected: list[tuple[str, str]],
) -> None:
    message = dataclasses.replace(recall_message, **change)
    assert rules(judge_recall(message, known_product, known_batch, sender)) == expected


def test_a_recall_happens_once(
    recall_message: RecallMessage,
    known_product: ProductFacts,
    known_batch: BatchFacts,
    sender: Sender,
) -> None:
    batch = dataclasses.replace(known_batch, recalled=frozenset({"IE"}))
    recall_message.markets = ["DE", "IE"]
    found = rules(judge_recall(recall_message, known_product, batch, sender))
    assert found == [("markets[1]", "already_recalled")]


def test_an_unknown_batch_or_product_cannot_be_recalled(
    recall_message: RecallMessage, known_product: ProductFacts, sender: Sender
) -> None:
    assert rules(judge_recall(recall_message, known_product, None, sender)) == [
        ("batchId", "unknown_batch")
    ]
    assert rules(judge_recall(recall_message, None, None, sender)) == [
        ("productCode", "unknown_product")
    ]


def test_nothing_is_told_of_another_organisations_batch(
    recall_message: RecallMessage,
    known_product: ProductFacts,
    known_batch: BatchFacts,
    sender: Sender,
) -> None:
    product = dataclasses.replace(known_product, organisation_id="20002")
    batch = dataclasses.replace(known_batch, recalled=frozenset({"IE"}))
    found = rules(judge_recall(recall_message, product, batch, sender))
    assert found == [("productCode", "other_owner")]


def test_a_withdrawal_reaches_every_version_and_happens_once(
    withdrawal_message: WithdrawalMessage, known_product: ProductFacts, sender: Sender
) -> None:
    withdrawal_message.markets = ["DE", "IE"]
    judgement = judge_withdrawal(withdrawal_message, known_product, sender)
    assert rules(judgement) == []
    assert judgement.markets == ["DE", "IE"]

    product = dataclasses.replace(known_product, withdrawn=frozenset({"DE"}))
    assert rules(judge_withdrawal(withdrawal_message, product, sender)) == [
        ("markets[0]", "already_withdrawn")
    ]
    assert rules(judge_withdrawal(withdrawal_message, None, sender)) == [
        ("productCode", "unknown_product")
    ]


def test_what_a_market_has_not_heard_can_be_sent_again(
    recall_message: RecallMessage,
    withdrawal_message: WithdrawalMessage,
    known_product: ProductFacts,
    known_batch: BatchFacts,
    sender: Sender,
) -> None:
    both = frozenset({"DE", "IE"})
    batch = dataclasses.replace(known_batch, recalled=both, recall_unheard=frozenset({"IE"}))
    recall_message.markets = ["IE", "DE"]
    found = rules(judge_recall(recall_message, known_product, batch, sender))
    assert found == [("markets[1]", "already_recalled")]

    product = dataclasses.replace(
        known_product, withdrawn=both, withdrawal_unheard=frozenset({"IE"})
    )
    withdrawal_message.markets = ["IE", "DE"]
    found = rules(judge_withdrawal(withdrawal_message, product, sender))
    assert found == [("markets[1]", "already_withdrawn")]


@pytest.mark.parametrize(
    ("placed", "markets", "done", "expected"),
    [
        (("BE", "LU", "IE"), ["LU"], (), [("markets[0]", "shared_system")]),
        (("BE", "LU", "IE"), ["IE", "BE"], (), [("markets[1]", "shared_system")]),
        (("BE", "LU", "IE"), ["IE"], (), []),
        (("BE", "LU", "IE"), ["LU", "BE"], (), []),
        (("LU", "IE"), ["LU"], (), []),
        # It has happened to Luxembourg before Belgium got the product.
        (("BE", "LU"), ["BE"], ("LU",), []),
    ],
)
def test_markets_that_share_a_system_are_done_together(
    recall_message: RecallMessage,
    withdrawal_message: WithdrawalMessage,
    known_product: ProductFacts,
    known_batch: BatchFacts,
    sender: Sender,
    placed: tuple[str, ...],
    markets: list[str],
    done: tuple[str, ...],
    expected: list[tuple[str, str]],
) -> None:
    product = dataclasses.replace(
        known_product, markets_by_version={1: placed}, withdrawn=frozenset(done)
    )
    batch = dataclasses.replace(known_batch, recalled=frozenset(done))
    recall_message.markets = withdrawal_message.markets = markets
    judgement = judge_recall(recall_message, product, batch, sender)
    assert rules(judgement) == expected
    assert all("list both" in found.text for found in judgement.defects.listed)
    assert rules(judge_withdrawal(withdrawal_message, product, sender)) == expected


def test_a_recall_looks_at_the_markets_of_its_batch_alone(
    recall_message: RecallMessage,
    withdrawal_message: WithdrawalMessage,
    known_product: ProductFacts,
    known_batch: BatchFacts,
    sender: Sender,
) -> None:
    product = dataclasses.replace(known_product, markets_by_version={1: ("LU",), 2: ("BE", "LU")})
    recall_message.markets = withdrawal_message.markets = ["LU"]
    assert rules(judge_recall(recall_message, product, known_batch, sender)) == []
    found = rules(judge_withdrawal(withdrawal_message, product, sender))
    assert found == [("markets[0]", "shared_system")]
