"""Looking at the serial numbers of uploads, behind their backs: no upload waits for it.

One upload at a time, in steps of milliseconds between which everybody else has a turn; while
uploads are looked at or delivered, a turn is long enough for them to use nearly all of the
processor. First the digest is made (`hub.serial_digests`), then the report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from emvs.serial_quality import SerialQuality, assess_in_steps
from hub.serial_digests import SerialDigests
from hub.store import quality as store
from hub.store.connections import Pool, transaction
from hub.store.requests import serials_of

_BUSY_TURN_S: Final = 0.05
"""What others have between two steps while uploads wait for something: a quarter of a million
serial numbers take some ten seconds then instead of one."""


class Quality:
    """Makes the reports; `bell` rings when an upload was loaded."""

    def __init__(self, *, pool: Pool, digests: SerialDigests, is_busy: Callable[[], bool]) -> None:
        self._pool = pool
        self._digests = digests
        self._is_busy = is_busy
        self.bell = asyncio.Event()

    async def drain(self) -> None:
        """Look at uploads until none is left."""
        while (number := await store.next_unreported(self._pool)) is not None:
            encoded = await serials_of(self._pool, number)
            report = await self._report(number, encoded) if encoded else None
            async with transaction(self._pool) as connection:
                await store.put_report(connection, number, report)

    async def _report(self, number: int, encoded: bytes) -> SerialQuality:
        await self._give_turn()  # Before all else: whoever waits for the upload comes first.
        serial_numbers = msgspec.json.decode(encoded, type=list[str])
        await self._digests.keep(self._pool, number, serial_numbers, self._give_turn)
        steps = assess_in_steps(serial_numbers)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                report: SerialQuality = end.value
                return report
            await self._give_turn()

    async def _give_turn(self) -> None:
        await asyncio.sleep(_BUSY_TURN_S if self._is_busy() else 0)
