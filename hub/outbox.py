"""What waits for each national system, as a count in memory, and the bell that wakes its courier.

The rows are the truth (`hub.store.deliveries`); the counts bound them without a query. A system
that is no longer connected has a count, as its rows wait, but no bell and no courier.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from emvs.errors import OverloadedError
from hub.store.connections import Pool
from hub.store.delivery_lines import waiting_count, waiting_counts

_RETRY_AFTER_S = 30


class Outbox:
    """Counts and bells, by national system."""

    def __init__(self, systems: Iterable[str], *, waiting_max: int) -> None:
        self._waiting_max = waiting_max
        self.bells = {system: asyncio.Event() for system in systems}
        self.waiting = dict.fromkeys(self.bells, 0)
        self.notices_bell = asyncio.Event()
        """Rings after a commit that may have put notices in line (`hub.callbacks`)."""

    async def load(self, pool: Pool) -> None:
        """Count what waits, and ring for it."""
        self.waiting |= await waiting_counts(pool)
        self.ring_all()

    async def recount(self, pool: Pool, system: str) -> None:
        """Count anew what waits for a system: a commit that got no answer was not counted."""
        self.waiting[system] = await waiting_count(pool, system)

    def ring_all(self) -> None:
        """Have every courier look."""
        for bell in self.bells.values():
            bell.set()

    def refuse_if_full(self, systems: Iterable[str], *, share: float = 1.0) -> None:
        """Raise OverloadedError if so much waits for one of these that no more is taken.

        Nothing is queued for a system that is not connected, so it refuses nothing. `share` of the
        bound is the sender's: who may use half of it leaves the rest to others.
        """
        waiting_max = self._waiting_max * share
        for system in systems:
            if system in self.bells and (waiting_count := self.waiting[system]) >= waiting_max:
                raise OverloadedError(
                    f"{waiting_count} messages wait for the national system of {system};"
                    " nothing was stored, try again later",
                    retry_after_s=_RETRY_AFTER_S,
                )

    def added(self, systems: Iterable[str]) -> None:
        """Count one more for each of these, and ring for those that are connected."""
        self.notices_bell.set()
        for system in systems:
            self.waiting[system] = self.waiting.get(system, 0) + 1
            if system in self.bells:
                self.bells[system].set()

    def stranded(self) -> dict[str, int]:
        """Return what waits for systems that are not connected, by system."""
        return {
            system: count
            for system, count in self.waiting.items()
            if count and system not in self.bells
        }

    def is_delivering(self) -> bool:
        """Tell whether something waits for a system that is connected."""
        return any(self.waiting[system] for system in self.bells)

    def settled(self, system: str) -> None:
        """Count one less."""
        self.notices_bell.set()
        self.waiting[system] -= 1
