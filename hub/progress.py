"""How far large messages have come: what only this process knows, and what is durable already.

While a message comes in, is looked at or goes out, its serial numbers are counted here, in memory;
what has ended is read from the request's status. Nothing here is needed to go on after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from emvs.errors import NotFoundError
from emvs.infra.clock import Clock
from emvs.obp_messages import MarketStatus, ProgressEntry, RequestStatus
from hub.times import utc

_COUNTED_MAX: Final = 10_000
"""Requests counted at once; those begun first are forgotten, as only their counts are lost."""


@dataclass(slots=True)
class _Counts:
    validated: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    sending_since_ms: dict[str, int] = field(default_factory=dict)


class ProgressBoard:
    """Counts, by the request's number or, while it is not stored, by its transaction id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._coming: dict[tuple[str, str], int] = {}
        self._counts: dict[str, _Counts] = {}

    @contextmanager
    def receiving(self, organisation_id: str) -> Iterator[Callable[[str, int], None]]:
        """Give what an upload of an organisation calls with its transaction id and count."""
        keys: set[tuple[str, str]] = set()

        def note(transaction_id: str, count: int) -> None:
            key = (organisation_id, transaction_id)
            keys.add(key)
            self._coming[key] = count

        try:
            yield note
        finally:
            for key in keys:
                self._coming.pop(key, None)

    def coming_count(self, transaction_id: str, organisation_id: str) -> int | None:
        """Return how many serial numbers of a message have come that comes in now."""
        return self._coming.get((organisation_id, transaction_id))

    def refuse_if_coming(self, transaction_id: str, organisation_id: str) -> None:
        """Raise NotFoundError about a message that is not stored yet."""
        count = self.coming_count(transaction_id, organisation_id)
        if count is not None:
            raise NotFoundError(
                f"the message is being received: {count} serial numbers so far, none stored yet"
            )

    def validated(self, transaction_id: str, count: int) -> None:
        """Note that so many serial numbers of a request were looked at."""
        self._counts_of(transaction_id).validated = count

    def sent(self, transaction_id: str, system: str, count: int) -> None:
        """Note that so many serial numbers of a request went to a national system."""
        counts = self._counts_of(transaction_id)
        if count == 0:
            counts.sending_since_ms[system] = self._clock.now_ms()
        counts.sent[system] = count

    def _counts_of(self, transaction_id: str) -> _Counts:
        counts = self._counts.get(transaction_id)
        if counts is None:
            if len(self._counts) >= _COUNTED_MAX:
                del self._counts[next(iter(self._counts))]
            counts = self._counts[transaction_id] = _Counts()
        return counts

    def of(self, status: RequestStatus) -> list[ProgressEntry]:
        """Return the stretches of a request's way; none if it has no serial numbers."""
        total = status.serialCount
        if not total:
            return []
        counts = self._counts.get(status.transactionId) or _Counts()
        ends = {entry.status: entry.at for entry in status.history}
        received = status.receivedAt
        looked_at = ends.get("STVA") or ends.get("STIV")
        validated = total if looked_at else counts.validated
        entries = [
            ProgressEntry("received", total, total, at=received),
            self._stretch("validated", validated, total, began=received, ended=looked_at),
        ]
        if "STIV" in ends:
            return entries
        loaded = ends.get("STLD")
        stored = total if loaded else 0
        entries.append(self._stretch("stored", stored, total, began=received, ended=loaded))
        markets = {market.system: market for market in reversed(status.markets)}
        for system, market in sorted(markets.items()):
            if market.status is MarketStatus.REJECTED:
                continue
            done = {MarketStatus.DISTRIBUTED: total, MarketStatus.WAITING: counts.sent.get(system)}
            began_ms = counts.sending_since_ms.get(system)
            entry = self._stretch(
                "distributed",
                done.get(market.status) or 0,
                total,
                began=received if began_ms is None else utc(began_ms),
                ended=market.at,
            )
            entry.system = system
            entries.append(entry)
        return entries

    def _stretch(
        self, stage: str, count: int, total: int, *, began: str, ended: str | None
    ) -> ProgressEntry:
        until = self._clock.now() if ended is None else datetime.fromisoformat(ended)
        took_s = (until - datetime.fromisoformat(began)).total_seconds()
        rate = round(count / took_s, 1) if count and took_s > 0 else None
        return ProgressEntry(stage, count, total, rate, ended)
