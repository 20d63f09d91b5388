"""Rules on state updates and verifications, told of the message as a whole."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from emvs.state_deliveries import OutcomeRun, PackAlert, StatesResult
from emvs.state_messages import STATE_WORDS, StateUpdateMessage, VerifyMessage
from emvs.states import Operation, State
from emvs.transaction_ids import MESSAGE_TYPES
from hub.facts import BatchFacts, Judgement, ProductFacts, Sender
from hub.national_client import NationalSystemError
from hub.state_distribution import checked
from hub.state_rules import UPDATE_KINDS, VERIFY, judge_packs_of_batch, operation_of
from tests.unit.hub.conftest import GTIN

STRANGER = Sender("20002", frozenset({"IE", "DE", "BE"}))
DISTRIBUTOR = dataclasses.replace(STRANGER, is_parallel_distributor=True)
LOCK = StateUpdateMessage("", None, GTIN, "LOT1", "Locked", "inquiry", [], ["A1", "A2"])
LOOK = VerifyMessage("", None, GTIN, "LOT1", ["A1", "A2"])


def rules(judgement: Judgement) -> list[tuple[str, str, str | None]]:
    return [(found.field, found.rule, found.code) for found in judgement.defects.listed]


# Each row mends one fault of the row above it.
MENDED: list[tuple[dict[str, Any], list[tuple[str, str, str]]]] = [
    (
        {
            "scheme": "EAN",
            "productCode": None,
            "batchId": None,
            "state": None,
            "reason": " ",
            "serialNumbers": [],
        },
        [
            ("scheme", "unknown_scheme", "I1"),
            ("productCode", "absent", "A16"),
            ("batchId", "absent", "A16"),
            ("state", "absent", "A16"),
            ("reason", "blank", "I1"),
            ("serialNumbers", "absent", "A16"),
        ],
    ),
    (
        {
            "productCode": None,
            "batchId": None,
            "state": None,
            "reason": " ",
            "serialNumbers": [],
        },
        [
            ("productCode", "absent", "A16"),
            ("batchId", "absent", "A16"),
            ("state", "absent", "A16"),
            ("reason", "blank", "I1"),
            ("serialNumbers", "absent", "A16"),
        ],
    ),
    (
        {"batchId": "", "state": "Eaten", "reason": " ", "serialNumbers": []},
        [
            ("batchId", "empty", "I1"),
            ("state", "unknown_state", "I1"),
            ("reason", "blank", "I1"),
            ("serialNumbers", "absent", "A16"),
        ],
    ),
    (
        {"state": "Exported", "reason": "x" * 1_001, "serialNumbers": []},
        [
            ("state", "other_state", "A16"),
            ("reason", "too_long", "I1"),
            ("serialNumbers", "absent", "A16"),
        ],
    ),
    (
        {"reason": "", "serialNumbers": []},
        [("reason", "empty", "I1"), ("serialNumbers", "absent", "A16")],
    ),
    (
        {"serialNumbers": ["A1", "é", "A1"]},
        [("serialNumbers[1]", "serial_format", "I1"), ("serialNumbers[2]", "duplicate", "A16")],
    ),
    (
        {"serialNumbers": ["A1", "A2", "A1"]},
        [("serialNumbers[2]", "duplicate", "A16")],
    ),
    (
        {"markets": ["XX", "IE", "IE"]},
        [
            ("markets[0]", "unknown_market", "A16"),
            ("markets[2]", "duplicate", "A16"),
        ],
    ),
    ({"markets": ["BE", "IE"]}, [("markets[0]", "other_market", "A16")]),
    ({"reason": None, "markets": ["IE"]}, []),
]


@pytest.mark.parametrize(("faults", "expected"), MENDED)
async def test_a_spoilt_update_is_told_all_its_faults(
    known_product: ProductFacts,
    known_batch: BatchFacts,
    sender: Sender,
    faults: dict[str, Any],
    expected: list[tuple[str, str, str]],
) -> None:
    message = dataclasses.replace(LOCK, **faults)
    judgement = await judge_packs_of_batch("PSUDC", message, known_product, known_batch, sender)
    assert rules(judgement) == expected
    assert bool(judgement.markets) == (not expected)


OWNERSHIP = [
    # Whose product, who sends: which types are refused because of that.
    ("10001", Sender("10001", frozenset({"IE", "DE"})), {"PSURP", "PSUUR"}, set()),
    ("10001", STRANGER, {"PSURP", "PSUUR"}, {*UPDATE_KINDS, VERIFY}),
    ("20002", DISTRIBUTOR, set(), set()),
    ("10001", DISTRIBUTOR, set(), {*UPDATE_KINDS} - {"PSURP", "PSUUR"}),
]


@pytest.mark.parametrize(("owner", "sender", "not_permitted", "other_owner"), OWNERSHIP)
async def test_who_may_name_which_product(
    known_product: ProductFacts,
    known_batch: BatchFacts,
    owner: str,
    sender: Sender,
    not_permitted: set[str],
    other_owner: set[str],
) -> None:
    product = dataclasses.replace(known_product, organisation_id=owner)
    found: dict[str, set[str]] = {"not_permitted": set(), "other_owner": set()}
    for message_type in (*UPDATE_KINDS, VERIFY):
        message = LOOK
        if message_type != VERIFY:
            state = STATE_WORDS[UPDATE_KINDS[message_type].states[0]]
            message = dataclasses.replace(LOCK, state=state)
        judgement = await judge_packs_of_batch(message_type, message, product, known_batch, sender)
        for _, rule, _ in rules(judgement):
            found[rule].add(message_type)
    assert found == {"not_permitted": not_permitted, "other_owner": other_owner}


async def test_product_and_batch_must_be_known(
    known_product: ProductFacts, known_batch: BatchFacts, sender: Sender
) -> None:
    unknown_product = await judge_packs_of_batch("PSUDC", LOCK, None, None, sender)
    assert rules(unknown_product) == [("productCode", "unknown_product", "A16")]
    unknown_batch = await judge_packs_of_batch(VERIFY, LOOK, known_product, None, sender)
    assert rules(unknown_batch) == [("batchId", "unknown_batch", "A16")]
    known = await judge_packs_of_batch(VERIFY, LOOK, known_product, known_batch, sender)
    assert (rules(known), known.markets, known.product_version) == ([], ["IE", "DE"], 1)


@pytest.mark.parametrize(
    ("message_type", "state", "markets", "rejected"),
    [
        ("PSUDC", "Stolen", ["DE"], ["recalled"]),
        ("PSUDC", "Destroyed", ["IE", "DE"], []),  # Left to the market's own rule.
        ("PSUUD", "Destroyed", ["DE"], ["recalled"]),
        (VERIFY, None, ["IE", "DE"], []),
    ],
)
async def test_after_a_recall_packs_are_only_looked_at_or_destroyed(
    known_product: ProductFacts,
    known_batch: BatchFacts,
    sender: Sender,
    message_type: str,
    state: str | None,
    markets: list[str],
    rejected: list[str],
) -> None:
    batch = dataclasses.replace(known_batch, recalled=frozenset({"IE"}))
    message = LOOK if message_type == VERIFY else dataclasses.replace(LOCK, state=state)
    judgement = await judge_packs_of_batch(message_type, message, known_product, batch, sender)
    assert judgement.markets == markets
    assert [(one.market, one.rule) for one in judgement.rejected] == [
        ("IE", rule) for rule in rejected
    ]


async def test_a_message_that_no_market_takes_is_invalid(
    known_product: ProductFacts, known_batch: BatchFacts, sender: Sender
) -> None:
    product = dataclasses.replace(known_product, withdrawn=frozenset({"IE"}))
    cut_off = dataclasses.replace(sender, systems=frozenset({"IE"}))
    judgement = await judge_packs_of_batch("PSUDC", LOCK, product, known_batch, cut_off)
    assert rules(judgement) == [("productCode", "no_market", "A16")]
    assert [(one.market, one.rule) for one in judgement.rejected] == [
        ("IE", "withdrawn"),
        ("DE", "market_not_connected"),
    ]


def test_every_message_type_is_an_operation() -> None:
    published = {name for name in MESSAGE_TYPES if name.startswith("PSU")}
    assert published == UPDATE_KINDS.keys()
    asked = {
        operation_of(message_type, dataclasses.replace(LOCK, state=STATE_WORDS[state]))
        for message_type, kind in UPDATE_KINDS.items()
        for state in kind.states
    }
    # A general reactivation is for clients whose dialect has no undo for each state.
    assert asked == set(Operation) - {Operation.VERIFY, Operation.REACTIVATE}
    assert operation_of(VERIFY, LOOK) is Operation.VERIFY
    assert STATE_WORDS[State.CHECKED_OUT] == "CheckedOut"


ONE = OutcomeRun(2, "VERIFIED", "ACTIVE")
GONE = OutcomeRun(1, "SERIAL_UNKNOWN", None)
FIRST_ALERT, OTHER_ALERT = "IE-AAA-BBB-CCC-DDD-EEE", "IE-AAA-BBB-CCC-DDD-FFF"


@pytest.mark.parametrize(
    ("runs", "alerts"),
    [
        ([ONE], []),
        ([ONE, OutcomeRun(2, "VERIFIED", "ACTIVE")], []),
        ([ONE, OutcomeRun(-1, "VERIFIED", "ACTIVE"), ONE], []),
        ([ONE, OutcomeRun(1, "EATEN", None)], []),
        ([ONE, OutcomeRun(1, "VERIFIED", "EATEN")], []),
        ([ONE, GONE], [PackAlert(3, FIRST_ALERT)]),
        ([ONE, GONE], [PackAlert(-1, FIRST_ALERT)]),
        ([ONE, GONE], [PackAlert(2, f"{FIRST_ALERT}-GGG")]),
        ([ONE, GONE], [PackAlert(2, "\0")]),
        ([ONE, GONE], [PackAlert(2, FIRST_ALERT), PackAlert(1, OTHER_ALERT)]),
    ],
)
async def test_an_answer_about_other_packs_is_no_answer(
    runs: list[OutcomeRun], alerts: list[PackAlert]
) -> None:
    with pytest.raises(NationalSystemError):
        await checked(StatesResult("1", accepted=True, runs=runs, alerts=alerts), 3)


async def test_an_answer_about_the_packs_is_taken() -> None:
    result = StatesResult("1", accepted=True, loadedCount=2, runs=[ONE, GONE])
    result.alerts = [PackAlert(2, FIRST_ALERT)]
    assert await checked(result, 3) is result
    result.loadedCount = 4
    with pytest.raises(NationalSystemError):
        await checked(result, 3)
