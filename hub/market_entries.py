"""What became of a request in each market, as its status and its callbacks tell it. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from emvs.markets import MARKETS
from emvs.obp_messages import Defect, MarketEntry, MarketStatus
from hub.store.deliveries import DeliveryRow
from hub.times import utc

_LATE_MS: Final = 60_000
"""What a market took longer than this after its time has waited out an outage or pause (our
choice): one that is there is told within seconds."""


def market_entries(
    rows: Iterable[DeliveryRow], defects: Sequence[Defect], *, with_serials: bool
) -> list[MarketEntry]:
    """Return an entry for each market a request was for; those that it was kept from come last.

    Without serial numbers, refused packs are only counted.
    """
    entries = [
        MarketEntry(
            market=market,
            system=row.system,
            status=row.status,
            attempts=row.attempts,
            lastError=row.last_error,
            at=None if row.settled_at_ms is None else utc(row.settled_at_ms),
            loadedCount=row.loaded_count,
            refusedCount=row.refused_count,
            refusedSerials=row.refused if with_serials else [],
            refusedTruncated=with_serials and 0 < len(row.refused) < row.refused_count,
            outcomes=row.outcomes,
            originalAt=utc(row.created_at_ms),
            dueAt=utc(row.due_at_ms) if row.due_at_ms > row.created_at_ms else None,
            replayed=_is_replayed(row),
        )
        for row in rows
        for market in row.markets
    ]
    rejected = [
        MarketEntry(
            market=defect.market,
            system=MARKETS[defect.market].system,
            status=MarketStatus.REJECTED,
            lastError=defect.text,
        )
        for defect in defects
        if defect.market is not None
    ]
    return entries + rejected


def _is_replayed(row: DeliveryRow) -> bool:
    if row.attempts > 1 or row.settled_at_ms is None:
        return row.attempts > 1
    return row.settled_at_ms - max(row.created_at_ms, row.due_at_ms) > _LATE_MS
