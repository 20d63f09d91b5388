"""The end of a delivery: noted with its request, which may end with it.

When the last market of a request has had its word, or is given up, the request is Distributed
(STDS) or its distribution failed (STDF), and its serial numbers are dropped: Delegated Regulation
(EU) 2016/161, Art. 33, the hub stores none. So whatever waits for a market must come to an end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from emvs.infra.database import CONNECTION_ERRORS
from emvs.interconnect import RefusedSerial
from emvs.obp_messages import MarketStatus, UnloadedPack
from hub import state_distribution
from hub.defects import printable
from hub.outbox import Outbox
from hub.store import deliveries as store
from hub.store import delivery_lines as lines
from hub.store import requests
from hub.store.connections import Pool, transaction
from hub.store.deliveries import DeliveryEnd
from hub.store.delivery_lines import WaitingDelivery
from hub.store.long_answers import PAGE_COUNT, insert_refused

NEVER_GIVEN_UP: Final = frozenset({"recalls", "withdrawals", "changes"})
"""Kinds of deliveries on which patients' safety depends: the market has to hear them. Without a
change, two markets would never agree on a pack again, and nobody would be told."""
_AT_ONCE: Final = 64


def unloaded(refused: Iterable[RefusedSerial]) -> list[UnloadedPack]:
    """Return packs that a national system refused as answers show them."""
    return [
        UnloadedPack(printable(pack.serialNumber, 40), printable(pack.code, 40)) for pack in refused
    ]


async def settle_request(
    pool: Pool,
    outbox: Outbox,
    system: str,
    delivery: WaitingDelivery,
    end: DeliveryEnd,
    *,
    now_ms: int,
) -> bool:
    """Note how the delivery of a request ended; tell whether it was waiting until now."""
    try:
        was_waiting, next_asked = await _settle(
            pool, system, delivery, end, connected=outbox.bells, now_ms=now_ms
        )
    except CONNECTION_ERRORS:
        # The commit may have succeeded without an answer: whoever is asked next looks itself.
        outbox.ring_all()
        raise
    if next_asked is not None:
        outbox.added([next_asked])
    return was_waiting


async def _settle(
    pool: Pool,
    system: str,
    delivery: WaitingDelivery,
    end: DeliveryEnd,
    *,
    connected: Collection[str],
    now_ms: int,
) -> tuple[bool, str | None]:
    """Return whether the delivery was waiting, and which system is asked next, if any."""
    number = delivery.request_number
    assert number is not None, "only changes come from no request"
    next_asked = None
    async with transaction(pool) as connection:
        about_packs = delivery.kind == state_distribution.KIND
        # Settling drops it.
        body = await store.body_of(connection, delivery.number) if about_packs else b""
        was_waiting = await store.settle(connection, delivery, end, now_ms)
        if was_waiting and about_packs:
            next_asked = await state_distribution.settle(
                connection,
                delivery,
                system,
                result=end.packs,
                body=body,
                connected=connected,
                now_ms=now_ms,
            )
        if was_waiting:
            for page, start in enumerate(range(0, len(end.further), PAGE_COUNT)):
                packs = unloaded(end.further[start : start + PAGE_COUNT])
                await insert_refused(connection, delivery.number, packs, page)
        statuses = await store.statuses_of(connection, number)
        if was_waiting and MarketStatus.WAITING not in statuses:
            all_good = all(status is MarketStatus.DISTRIBUTED for status in statuses)
            step = "STDS" if all_good else "STDF"
            await requests.add_step(connection, number, step, now_ms)
            await requests.drop_serials(connection, number)
    return was_waiting, next_asked


async def give_up(
    pool: Pool,
    outbox: Outbox,
    system: str,
    text: str,
    *,
    created_until_ms: int,
    now_ms: int,
    product_code: str | None = None,
    batch_id: str | None = None,
) -> int:
    """Give up what has waited for a national system since `created_until_ms` or longer, of one
    batch, one product or all; return how many deliveries that were.

    Not only the first in line: what waits behind one that is never given up would wait for ever,
    and its serial numbers with it.
    """
    count = 0
    while overdue := await lines.waiting_since(
        pool,
        system,
        created_until_ms=created_until_ms,
        but_kinds=sorted(NEVER_GIVEN_UP),
        product_code=product_code,
        batch_id=batch_id,
        count_max=_AT_ONCE,
    ):
        for delivery in overdue:
            end = DeliveryEnd(MarketStatus.FAILED, f"given up: {text}")
            count += await settle_request(pool, outbox, system, delivery, end, now_ms=now_ms)
    return count
