"""Looking at the serial numbers of uploads, behind their backs: no upload waits for its report.

One upload at a time, in steps of milliseconds between which everybody else has a turn.
"""

from __future__ import annotations

import asyncio

import msgspec

from emvs.serial_quality import SerialQuality, assess_in_steps
from hub.store import quality as store
from hub.store.connections import Pool, transaction
from hub.store.requests import serials_of


class Quality:
    """Makes the reports; `bell` rings when an upload was loaded."""

    def __init__(self, *, pool: Pool) -> None:
        self._pool = pool
        self.bell = asyncio.Event()

    async def drain(self) -> None:
        """Look at uploads until none is left."""
        while (number := await store.next_unreported(self._pool)) is not None:
            encoded = await serials_of(self._pool, number)
            report = await assess_beside(encoded) if encoded else None
            async with transaction(self._pool) as connection:
                await store.put_report(connection, number, report)


async def assess_beside(serials: bytes) -> SerialQuality:
    """Return the report on serial numbers in a JSON array, giving others their turns."""
    steps = assess_in_steps(msgspec.json.decode(serials, type=list[str]))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            report: SerialQuality = end.value
            return report
        await asyncio.sleep(0)
