"""Rules on what manufacturers and parallel distributors do to packs: `PSU..` and `VBOP`. Pure.

Whether a pack can take a state is each market's answer, pack by pack; here is what can be said of
the whole message. Sources: the public list of message types, and EMVO's texts on undoing a
decommissioning, on recall and withdrawal, and on parallel distributors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from emvs.obp_messages import Defect
from emvs.scheme import Scheme
from emvs.state_messages import STATE_WORDS, PacksOfBatch, StateUpdateMessage, VerifyMessage
from emvs.states import Operation, State
from hub.defects import Code, Defects, market_defect
from hub.facts import BatchFacts, Judgement, ProductFacts, Sender
from hub.fields import FIELD_RULES, check_field
from hub.product_rules import check_is_named, check_owner, scheme_of
from hub.recall_rules import check_markets
from hub.serial_rules import check_serials

VERIFY: Final = "VBOP"


class UpdateKind(NamedTuple):
    """A message type that changes packs."""

    states: tuple[State, ...]
    """Target states; of an undo, the states it ends."""
    undo: bool
    distributors_only: bool = False
    """Whether only parallel distributors send it: about any product, as they repack others'."""


_DECOMMISSIONED: Final = (
    State.DESTROYED,
    State.STOLEN,
    State.LOCKED,
    State.SAMPLE,
    State.FREE_SAMPLE,
)

UPDATE_KINDS: Final[Mapping[str, UpdateKind]] = {
    "PSUDC": UpdateKind(_DECOMMISSIONED, undo=False),
    # Destroyed and Stolen are taken here, and fail in the national systems: as EMVO describes it.
    "PSUUD": UpdateKind(_DECOMMISSIONED, undo=True),
    "PSURP": UpdateKind((State.CHECKED_OUT,), undo=False, distributors_only=True),
    "PSUUR": UpdateKind((State.CHECKED_OUT,), undo=True, distributors_only=True),
    "PSUEX": UpdateKind((State.EXPORTED,), undo=False),
    "PSUUE": UpdateKind((State.EXPORTED,), undo=True),
    "PSUDS": UpdateKind((State.SUPPLIED,), undo=False),
    "PSUUS": UpdateKind((State.SUPPLIED,), undo=True),
}


class _Case(NamedTuple):
    """A message whose product and batch are known."""

    message_type: str
    message: PacksOfBatch
    product: ProductFacts
    batch: BatchFacts
    sender: Sender


async def judge_packs_of_batch(
    message_type: str,
    message: PacksOfBatch,
    product: ProductFacts | None,
    batch: BatchFacts | None,
    sender: Sender,
) -> Judgement:
    """Return what the rules say about a state update or a verification.

    Lets the event loop run in between, as there may be a quarter of a million packs.
    """
    judgement = Judgement()
    defects = judgement.defects
    _check_sender(message_type, sender, defects)
    scheme = scheme_of(message.productCode, message.scheme, defects, scheme_required=False)
    check_is_named(message.batchId, "batchId", defects)
    if isinstance(message, StateUpdateMessage):
        _check_state(message_type, message.state, defects)
        check_field(message.reason, "reason", FIELD_RULES["stateReason"], defects)
    await check_serials(message.serialNumbers, scheme or Scheme.GTIN, defects)
    if scheme is None:
        return judgement
    if product is None:
        text = "the product is unknown: send its master data first"
        defects.add(Code.A16, "productCode", message.productCode, "unknown_product", text)
        return judgement
    if not _may_touch(message_type, product, sender):
        # Nothing more is told of another organisation's product (Art. 38).
        check_owner(product, sender, defects)
        return judgement
    if message.batchId and batch is None:
        text = "the batch is unknown: send its packs first"
        defects.add(Code.A16, "batchId", message.batchId, "unknown_batch", text)
    if batch is None:
        return judgement
    _choose_markets(_Case(message_type, message, product, batch, sender), judgement)
    judgement.product_version = batch.product_version
    return judgement


def operation_of(message_type: str, message: PacksOfBatch) -> Operation:
    """Return the operation that a valid message asks for."""
    if isinstance(message, VerifyMessage):
        return Operation.VERIFY
    kind = UPDATE_KINDS[message_type]
    state = kind.states[0]
    if len(kind.states) > 1:
        state = next(one for one in kind.states if STATE_WORDS[one] == message.state)
    return Operation(state + 10 if kind.undo else state)


def _check_sender(message_type: str, sender: Sender, defects: Defects) -> None:
    kind = UPDATE_KINDS.get(message_type)
    if kind is not None and kind.distributors_only and not sender.is_parallel_distributor:
        text = "only parallel distributors check packs out for repackaging"
        defects.add(Code.A16, "transactionId", None, "not_permitted", text)


def _may_touch(message_type: str, product: ProductFacts, sender: Sender) -> bool:
    """Whether the sender may name the product: its own; a parallel distributor any, to verify and
    to check out what it repacks (that it verifies others' products so is our choice)."""
    if product.organisation_id == sender.organisation_id:
        return True
    kind = UPDATE_KINDS.get(message_type)
    return sender.is_parallel_distributor and (kind is None or kind.distributors_only)


def _check_state(message_type: str, word: str | None, defects: Defects) -> None:
    states = UPDATE_KINDS[message_type].states
    allowed = [STATE_WORDS[state] for state in states]
    if word is None:
        if len(allowed) > 1:
            defects.add(Code.A16, "state", None, "absent", "state is absent")
        return
    if word not in STATE_WORDS.values():
        text = f"no pack can be {word[:40]!a}; here state is {' or '.join(allowed)}"
        defects.add(Code.I1, "state", word, "unknown_state", text)
    elif word not in allowed:
        text = f"{message_type} is about packs {' or '.join(allowed)}"
        defects.add(Code.A16, "state", word, "other_state", text)


def _choose_markets(case: _Case, judgement: Judgement) -> None:
    message, sender = case.message, case.sender
    placed = case.product.markets_by_version[case.batch.product_version]
    listed: list[str] = message.markets if isinstance(message, StateUpdateMessage) else []
    if listed:
        check_markets(
            listed, sender, judgement.defects, allowed=placed, done=None, done_rule="done"
        )
    if judgement.defects:
        return
    for market in listed or placed:
        defect = _market_defect(case, market)
        if defect is None:
            judgement.markets.append(market)
        else:
            judgement.rejected.append(defect)
    if not judgement.markets:
        text = "no market takes this: each is named with its reason"
        judgement.defects.add(Code.A16, "productCode", message.productCode, "no_market", text)


def _market_defect(case: _Case, market: str) -> Defect | None:
    """Return why the message does not go to a market, None if it does."""
    code = case.message.productCode
    if not case.sender.reaches(market):
        text = f"the national system of {market} is not connected to this hub"
        return market_defect(market, "productCode", code, "market_not_connected", text)
    # After a recall or withdrawal no updates must be sent (EMVO). Only destruction is left to the
    # market's own rule, as the law wants it marked.
    if operation_of(case.message_type, case.message) in (Operation.VERIFY, Operation.DESTROY):
        return None
    if market in case.product.withdrawn:
        text = f"the product is withdrawn in {market}"
        return market_defect(market, "productCode", code, "withdrawn", text)
    if market in case.batch.recalled:
        text = f"the batch is recalled in {market}"
        return market_defect(market, "batchId", case.message.batchId, "recalled", text)
    return None
