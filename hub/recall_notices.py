"""Who hears of a recall or withdrawal, and what: parallel distributors that made batches from it,
and those that trade the product.

In the transaction of the event itself: it is durable with it, or neither is. Once for each
distributor and event: markets that have heard of a recall before make no new one. A link that
comes after the event is told at once. The owner of the product hears nothing of any of this
(Delegated Regulation (EU) 2016/161, Art. 38).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from emvs.callback_messages import RecallNotice, WithdrawalNotice
from emvs.obp_messages import BatchName, RecallMessage, WithdrawalMessage
from hub.hub_ids import hub_transaction_id
from hub.link_rules import BatchKey, Link
from hub.store import catalogue
from hub.store import links as store
from hub.store.connections import Connection
from hub.store.links import Event
from hub.store.notices import NewNotice, put_notices
from hub.store.requests import RequestRow
from hub.times import utc

_LINKED_LISTED_MAX: Final = 1_000
"""Batches a notice lists; the rest are counted (our choice)."""


async def notify_of_recall(
    connection: Connection,
    row: RequestRow,
    message: RecallMessage,
    markets: Sequence[str],
    now_ms: int,
) -> None:
    """Put notices of a recall in line. To be called before the recall is stored."""
    source = BatchKey(message.productCode or "", message.batchId or "")
    known = await catalogue.batch_facts(connection, *source)
    fresh = [market for market in markets if known is None or market not in known.recalled]
    if fresh:
        event = _event(row, message.reason, fresh, now_ms)
        await _notify_all(connection, row, source, event)


async def notify_of_withdrawal(
    connection: Connection,
    row: RequestRow,
    message: WithdrawalMessage,
    markets: Sequence[str],
    now_ms: int,
) -> None:
    """Put notices of a withdrawal in line. To be called before the withdrawal is stored."""
    product_code = message.productCode or ""
    known = await catalogue.product_facts(connection, product_code)
    fresh = [market for market in markets if known is None or market not in known.withdrawn]
    if fresh:
        event = _event(row, message.reason, fresh, now_ms)
        await _notify_all(connection, row, BatchKey(product_code, ""), event)


async def notify_of_earlier_events(
    connection: Connection, row: RequestRow, links: Sequence[Link], now_ms: int
) -> None:
    """Put notices in line of what has happened to the sources of new links before."""
    targets: dict[BatchKey, list[BatchKey]] = {}
    of_product: dict[str, list[BatchKey]] = {}
    for link in links:
        targets.setdefault(link.source, []).append(link.target)
        made = of_product.setdefault(link.source.product_code, [])
        if link.target not in made:
            made.append(link.target)
    late = []
    for source, made in targets.items():
        for event in await store.recalls_of(connection, source):
            notice = _notice(row.organisation_id, source, event, made, late=row.number)
            late.append(notice)
    for product_code, made in of_product.items():
        source = BatchKey(product_code, "")
        for event in await store.withdrawals_of(connection, product_code):
            notice = _notice(row.organisation_id, source, event, made, late=row.number)
            late.append(notice)
    await put_notices(connection, late, now_ms)


def _event(row: RequestRow, reason: str | None, markets: list[str], now_ms: int) -> Event:
    return Event(
        row.number, row.message_type, row.received_at_ms, reason or "", now_ms, sorted(markets)
    )


async def _notify_all(
    connection: Connection, row: RequestRow, source: BatchKey, event: Event
) -> None:
    linked = await store.parties_linked(connection, source.product_code, source.batch_id or None)
    traders = await store.traders_of(connection, source.product_code) - {row.organisation_id}
    notices = [
        _notice(organisation_id, source, event, linked.get(organisation_id, []))
        for organisation_id in sorted(linked.keys() | traders)
    ]
    await put_notices(connection, notices, event.at_ms)


def _notice(
    organisation_id: str,
    source: BatchKey,
    event: Event,
    made: Sequence[BatchKey],
    *,
    late: int | None = None,
) -> NewNotice:
    """Return a notice; `late` is the number of the request that linked after the event."""
    event_id = hub_transaction_id(event.message_type, event.received_at_ms, event.request_number)
    listed = [BatchName(*target) for target in made[:_LINKED_LISTED_MAX]]
    at = utc(event.at_ms)
    content: RecallNotice | WithdrawalNotice
    if source.batch_id:
        content = RecallNotice(
            event_id, *source, event.reason, event.markets, at, len(made), listed
        )
    else:
        content = WithdrawalNotice(
            event_id, source.product_code, event.reason, event.markets, at, len(made), listed
        )
    # One late link may concern several batches of one event: a withdrawal is one of the product.
    key = f"{event.message_type}:{event.request_number}" + (f":{late}" if late else "")
    return NewNotice(organisation_id, key, event.message_type, msgspec.json.encode(content))
