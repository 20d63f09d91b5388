"""Rules on repackaging links: whose batches, which of them, and what is worth a warning."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from emvs.limits import LINKED_BATCHES_MAX
from emvs.obp_messages import BatchName, LinkMessage
from hub.facts import BatchFacts, Judgement, ProductFacts, Sender
from hub.link_rules import BatchKey, Link, LinkFacts, batch_keys, judge_link, links_of

THEIRS = "09506000134376"
OURS = "09506000134352"
DISTRIBUTOR = Sender("30003", frozenset({"IE", "DE"}))
S1, S2 = BatchKey(THEIRS, "S1"), BatchKey(THEIRS, "S2")
T1, T2 = BatchKey(OURS, "T1"), BatchKey(OURS, "T2")
OUR_SOURCE = BatchKey(OURS, "S9")


def batch(key: BatchKey, expiry: str = "301231", *recalled: str) -> BatchFacts:
    return BatchFacts(key.batch_id, expiry, 1, frozenset(recalled))


FACTS = LinkFacts(
    products={
        THEIRS: ProductFacts(THEIRS, "10001", {1: ("IE", "DE")}, frozenset()),
        OURS: ProductFacts(OURS, "30003", {1: ("IE",)}, frozenset()),
    },
    batches={key: batch(key) for key in (S1, S2, T1, T2, OUR_SOURCE)},
    checked_out=frozenset({S1, S2, OUR_SOURCE}),
)


def link(sources: list[BatchKey], targets: list[BatchKey]) -> LinkMessage:
    return LinkMessage(
        "", [BatchName(*key) for key in sources], [BatchName(*key) for key in targets]
    )


def found(judgement: Judgement) -> list[tuple[str, str, str | None]]:
    return [(one.field, one.rule, one.code) for one in judgement.defects.listed]


def warned(judgement: Judgement) -> list[tuple[str, str]]:
    assert not judgement.defects
    return [(one.field, one.rule) for one in judgement.warnings]


def test_each_source_is_linked_with_each_target() -> None:
    message = link([S1, S2], [T1, T2])
    judgement = judge_link(message, FACTS, DISTRIBUTOR)
    assert (found(judgement), warned(judgement), judgement.markets) == ([], [], [])
    assert links_of(message) == [Link(S1, T1), Link(S1, T2), Link(S2, T1), Link(S2, T2)]
    assert batch_keys(message) == [S1, S2, T1, T2]


def test_a_distributor_may_repackage_what_is_its_own() -> None:
    assert warned(judge_link(link([OUR_SOURCE], [T1]), FACTS, DISTRIBUTOR)) == []


@pytest.mark.parametrize(
    ("sources", "targets", "expected"),
    [
        ([], [T1], [("sources", "absent", "A16")]),
        ([S1], [], [("targets", "absent", "A16")]),
        ([], [], [("sources", "absent", "A16"), ("targets", "absent", "A16")]),
        ([S1] * (LINKED_BATCHES_MAX + 1), [T1], [("sources", "too_many", "I1")]),
        ([S1, S1], [T1], [("sources[1].batchId", "duplicate", "A16")]),
        ([S1], [T1, T1], [("targets[1].batchId", "duplicate", "A16")]),
        ([BatchKey("1", "S1")], [T1], [("sources[0].productCode", "format", "I1")]),
        (
            [BatchKey("09506000134377", "S1")],
            [T1],
            [("sources[0].productCode", "check_digit", "A16")],
        ),
        (
            [BatchKey("09506000134369", "S1")],
            [T1],
            [("sources[0].productCode", "unknown_product", "A16")],
        ),
        ([S1, BatchKey(THEIRS, "s1")], [T1], [("sources[1].batchId", "unknown_batch", "A16")]),
        ([S1], [BatchKey(OURS, "T3")], [("targets[0].batchId", "unknown_batch", "A16")]),
        ([S1], [T1, S2], [("targets[1].productCode", "other_owner", "A16")]),
        ([OUR_SOURCE], [OUR_SOURCE], [("targets[0].batchId", "same_batch", "A16")]),
        # One answer lists all that is wrong.
        (
            [BatchKey("1", "S1"), BatchKey(THEIRS, "NONE")],
            [S1],
            [
                ("sources[0].productCode", "format", "I1"),
                ("sources[1].batchId", "unknown_batch", "A16"),
                ("targets[0].productCode", "other_owner", "A16"),
            ],
        ),
    ],
)
def test_a_spoilt_link_is_named(
    sources: list[BatchKey], targets: list[BatchKey], expected: list[Any]
) -> None:
    assert found(judge_link(link(sources, targets), FACTS, DISTRIBUTOR)) == expected


@pytest.mark.parametrize("missing", [None, ""])
def test_absent_elements_are_named(missing: str | None) -> None:
    message = LinkMessage("", [BatchName(missing, missing)], [BatchName(OURS, missing)])
    rule = "absent" if missing is None else "format"
    named = ("absent", "A16") if missing is None else ("empty", "I1")
    assert found(judge_link(message, FACTS, DISTRIBUTOR)) == [
        ("sources[0].productCode", rule, "A16" if missing is None else "I1"),
        ("sources[0].batchId", *named),
        ("targets[0].batchId", *named),
    ]
    assert batch_keys(message) == [BatchKey(OURS, "")], "of which the product is known"


def test_only_what_can_have_been_stored_is_looked_up() -> None:
    names = [BatchName("\0", "L1"), BatchName("1" * 41, "L1"), BatchName(OURS, "\0")]
    assert batch_keys(LinkMessage("", names, names)) == [BatchKey(OURS, "")] * 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"checked_out": frozenset()}, [("sources[0].batchId", "not_checked_out")]),
        (
            {"batches": {**FACTS.batches, S1: batch(S1, "301231", "DE")}},
            [("sources[0].batchId", "source_recalled")],
        ),
        (
            {
                "products": {
                    **FACTS.products,
                    THEIRS: ProductFacts(THEIRS, "10001", {1: ("IE",)}, frozenset({"IE"})),
                }
            },
            [("sources[0].productCode", "source_withdrawn")],
        ),
        ({"links": frozenset({Link(S1, T1)})}, [("targets[0].batchId", "already_linked")]),
        # Month-only dates count to the month's last day.
        ({"batches": {**FACTS.batches, S1: batch(S1, "301200")}}, []),
        (
            {"batches": {**FACTS.batches, S1: batch(S1, "301230")}},
            [("targets[0].batchId", "expires_later")],
        ),
    ],
)
def test_what_is_odd_is_taken_with_a_warning(
    changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    facts = dataclasses.replace(FACTS, **changes)
    assert warned(judge_link(link([S1], [T1]), facts, DISTRIBUTOR)) == expected
