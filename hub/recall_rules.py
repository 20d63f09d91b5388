"""Rules on batch recalls (`RCBR`) and product withdrawals (`WDPR`). Both are final. Pure.

Repeating one on the same batch or product must not happen (EMVO's letter on recall and
withdrawal); here it is refused as "already recalled". Where the national system refused it or was
never reached nothing has happened yet, so there it can be sent again.
"""

from __future__ import annotations

from collections.abc import Collection

from emvs.markets import MARKETS
from emvs.obp_messages import RecallMessage, WithdrawalMessage
from hub.defects import Code, Defects
from hub.facts import BatchFacts, Judgement, ProductFacts, Sender
from hub.fields import FIELD_RULES, check_field
from hub.product_rules import check_is_named, check_market, check_owner, scheme_of


def judge_recall(
    message: RecallMessage,
    product: ProductFacts | None,
    batch: BatchFacts | None,
    sender: Sender,
) -> Judgement:
    """Return what the rules say about the recall of a batch."""
    judgement = Judgement()
    defects = judgement.defects
    product = _known_product(message, product, sender, defects)
    check_is_named(message.batchId, "batchId", defects)
    if message.batchId and product is not None and batch is None:
        text = "the batch is unknown"
        defects.add(Code.A16, "batchId", message.batchId, "unknown_batch", text)
    check_field(message.reason, "reason", FIELD_RULES["reason"], defects)
    allowed = done = None
    if product is not None and batch is not None:
        allowed = product.markets_by_version[batch.product_version]
        done = batch.recalled - batch.recall_unheard
    check_markets(
        message.markets,
        sender,
        defects,
        allowed=allowed,
        done=done,
        done_rule="already_recalled",
    )
    return _finish(judgement, message.markets, batch.product_version if batch else None)


def judge_withdrawal(
    message: WithdrawalMessage, product: ProductFacts | None, sender: Sender
) -> Judgement:
    """Return what the rules say about the withdrawal of a product."""
    judgement = Judgement()
    defects = judgement.defects
    product = _known_product(message, product, sender, defects)
    check_field(message.reason, "reason", FIELD_RULES["reason"], defects)
    allowed = product.markets if product else None
    done = product.withdrawn - product.withdrawal_unheard if product else None
    check_markets(
        message.markets,
        sender,
        defects,
        allowed=allowed,
        done=done,
        done_rule="already_withdrawn",
    )
    return _finish(judgement, message.markets, product.latest_version if product else None)


def _known_product(
    message: RecallMessage | WithdrawalMessage,
    product: ProductFacts | None,
    sender: Sender,
    defects: Defects,
) -> ProductFacts | None:
    if scheme_of(message.productCode, None, defects, scheme_required=False) is None:
        return None
    if product is None:
        text = "the product is unknown"
        defects.add(Code.A16, "productCode", message.productCode, "unknown_product", text)
        return None
    check_owner(product, sender, defects)
    # Nothing more is told of another organisation's product (Art. 38).
    return product if product.organisation_id == sender.organisation_id else None


def check_markets(
    markets: list[str],
    sender: Sender,
    defects: Defects,
    *,
    allowed: Collection[str] | None,
    done: Collection[str] | None,
    done_rule: str,
) -> None:
    """Add what is wrong with a list of markets: `allowed` are those of the product's version,
    `done` those where the same was done before."""
    if not markets:
        defects.add(Code.A16, "markets", None, "absent", "the affected markets are absent")
    if len(markets) > len(MARKETS):
        text = f"{len(markets)} markets, there are {len(MARKETS)}"
        defects.add(Code.I1, "markets", None, "too_many", text)
        return
    seen: set[str] = set()
    for position, market in enumerate(markets):
        path = f"markets[{position}]"
        count = defects.count
        check_market(market, path, sender, seen, defects)
        if defects.count > count:
            continue
        if allowed is not None and market not in allowed:
            text = "the product is not placed on this market"
            defects.add(Code.A16, path, market, "other_market", text)
        elif done is not None and market in done:
            text = f"this was done before in {market}, and is final"
            defects.add(Code.A16, path, market, done_rule, text)
        elif missing := _sharing(market, allowed or ()).difference(markets, done or ()):
            # The two cannot be told apart there (our choice: refused rather than done in both).
            others = " and ".join(sorted(missing))
            text = (
                f"{market} and {others} share a national system, and the product is placed on"
                " both: it would happen in both, so list both markets"
            )
            defects.add(Code.A16, path, market, "shared_system", text)


def _sharing(market: str, markets: Collection[str]) -> set[str]:
    """Return those of `markets` that are served by the national system of `market`."""
    system = MARKETS[market].system
    return {other for other in markets if other != market and MARKETS[other].system == system}


def _finish(judgement: Judgement, markets: list[str], version: int | None) -> Judgement:
    if not judgement.defects:
        judgement.markets = list(markets)
        judgement.product_version = version
    return judgement
