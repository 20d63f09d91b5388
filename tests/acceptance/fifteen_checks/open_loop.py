"""Requests at a given rate, whether or not the ones before have been answered."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

from tests.acceptance.goods import Participant

PRESETS = {"small": 25, "medium": 140, "large": 530, "very large": 770}
"""Requests in the peak second of countries like Latvia, Belgium, Poland and Germany (our model)."""
_SUPPLY_SHARE = 0.36
"""Of a pharmacy's requests; the others are verifications (our model)."""


async def measure(
    pharmacy: Participant,
    identity: tuple[str, str, str],
    serials: Sequence[str],
    *,
    rate_per_s: int,
    seconds: int,
) -> list[float]:
    """Return how long each answer took, in seconds from when its request was due.

    Both dialects in turn. Every answer must be a success: packs are supplied once.
    """
    loop = asyncio.get_running_loop()
    code, batch, expiry = identity
    fresh, verified = iter(serials), itertools.cycle(serials[-20:])
    await asyncio.gather(  # Opens connections; pharmacies keep theirs.
        *(
            till.ask(code, next(verified), batch, expiry)
            for till in (pharmacy.rest, pharmacy.soap) * 10
        )
    )
    begin_s = loop.time() + 0.05

    async def ask(number: int) -> float:
        due_s = begin_s + number / rate_per_s
        await asyncio.sleep(due_s - loop.time())
        till = pharmacy.rest if number % 2 else pharmacy.soap
        if int(number * _SUPPLY_SHARE) != int((number + 1) * _SUPPLY_SHARE):
            answer = await till.supply(code, next(fresh), batch, expiry)
        else:
            answer = await till.ask(code, next(verified), batch, expiry)
        assert answer.code in {"NMVS_SUCCESS", "11210200", "11110100"}, answer
        return loop.time() - due_s

    return await asyncio.gather(*(ask(number) for number in range(rate_per_s * seconds)))


def p95_ms(waits_s: Sequence[float]) -> float:
    """Return the time within which 95 % of the answers came."""
    return sorted(waits_s)[int(len(waits_s) * 0.95)] * 1000
