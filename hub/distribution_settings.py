"""How a market's distribution is slowed down, stopped or put out of order, on purpose. Durable.

Source of the delay `published`: an estimate of the real system's, median two minutes, 95 % within
thirty, log-normal (inferred). The default is none. A state update that overtakes the pack
data it is about meets an unknown serial number, and raises an A3 alert against the sender's own
transaction; queues drained after an outage have done so.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from emvs.errors import BadRequestError, NotFoundError
from emvs.markets import MARKETS
from hub.store.connections import Pool
from hub.store.deliveries import NewDelivery
from hub.store.delivery_lines import WaitingDelivery

_DELAY_S_MAX: Final = 86_400.0
_SWAPPED_MAX: Final = 64
_NORMAL_95: Final = 1.6448536269514722
"""Ninety-five in a hundred of a normal distribution are below so many standard deviations."""
_Seconds = Annotated[float, Meta(ge=0, le=_DELAY_S_MAX)]


class Delay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """How long after its loading a message is told to a market; by the system's clock."""

    median_s: _Seconds
    p95_s: _Seconds


PUBLISHED: Final = Delay(120.0, 1800.0)


class DistributionSetting(msgspec.Struct, frozen=True, rename="camel"):
    """The setting of one national system."""

    paused: bool = False
    delay: Delay | None = None
    swap_next: int = 0
    """So many messages are told in reverse order, once they are there."""
    states_first: int = 0
    """So many state updates are told before packs that wait in front of them."""


class DistributionChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Body of `PATCH /distribution/{market}`: what is left out stays."""

    paused: bool | None = None
    delay: Delay | str | msgspec.UnsetType | None = msgspec.UNSET
    swap_next: Annotated[int, Meta(ge=0, le=_SWAPPED_MAX)] | None = None
    states_first: Annotated[int, Meta(ge=0, le=1000)] | None = None


class Distribution:
    """The settings of all connected national systems."""

    def __init__(self, pool: Pool, bells: Mapping[str, asyncio.Event], random: Random) -> None:
        self._pool = pool
        self._bells = bells
        self._random = random
        self._settings = dict.fromkeys(bells, DistributionSetting())
        self._one_at_a_time = asyncio.Lock()
        """A change is made from what the one before has left."""

    async def load(self) -> None:
        """Read what was set before a restart."""
        for system, text in await self._pool.fetch(
            "select system, setting::text from distribution_setting"
        ):
            if system in self._settings:
                self._settings[system] = msgspec.json.decode(text, type=DistributionSetting)

    def of(self, system: str) -> DistributionSetting:
        """Return the setting of a connected national system."""
        return self._settings[system]

    async def change(self, market: str, change: DistributionChange) -> DistributionSetting:
        """Change a market's setting. Raises NotFoundError or BadRequestError."""
        system = self.system_of(market)
        async with self._one_at_a_time:
            wanted = _changed(self._settings[system], change)
            await self._put(system, wanted)
        self._bells[system].set()
        return wanted

    async def used(self, system: str, *, swapped: bool = False, states_first: int = 0) -> None:
        """Note that a fault has done its work."""
        async with self._one_at_a_time:
            setting = self._settings[system]
            left = msgspec.structs.replace(
                setting,
                swap_next=0 if swapped else setting.swap_next,
                states_first=max(0, setting.states_first - states_first),
            )
            await self._put(system, left)

    async def _put(self, system: str, setting: DistributionSetting) -> None:
        await self._pool.execute(
            "insert into distribution_setting (system, setting) values ($1, $2::text::jsonb)"
            " on conflict (system) do update set setting = excluded.setting",
            system,
            msgspec.json.encode(setting).decode(),
        )
        self._settings[system] = setting

    def system_of(self, market: str) -> str:
        """Return the connected national system of a market. Raises NotFoundError."""
        system = MARKETS[market].system if market in MARKETS else market
        if system not in self._settings:
            raise NotFoundError(f"the national system of {market[:10]!a} is not connected")
        return system

    def delayed(self, deliveries: Iterable[NewDelivery], now_ms: int) -> list[NewDelivery]:
        """Return new deliveries with the time before which each is not told."""
        return [
            replace(new, due_at_ms=now_ms + int(1000 * self._delay_s(new.system)))
            for new in deliveries
        ]

    def _delay_s(self, system: str) -> float:
        setting = self._settings.get(system)
        if setting is None or setting.delay is None:
            return 0.0
        return delay_s(setting.delay, self._random)


def _changed(setting: DistributionSetting, change: DistributionChange) -> DistributionSetting:
    """Return a setting with what a change names. Raises BadRequestError."""
    delay = setting.delay
    if isinstance(change.delay, str):
        if change.delay != "published":
            raise BadRequestError('delay is null, "published" or {"medianS": ..., "p95S": ...}')
        delay = PUBLISHED
    elif change.delay is not msgspec.UNSET:
        assert change.delay is None or isinstance(change.delay, Delay), "decoded so"
        delay = change.delay
    if delay is not None and not 0 < delay.median_s <= delay.p95_s:
        raise BadRequestError("of a delay, the median is above 0 and not above the p95")
    return DistributionSetting(
        setting.paused if change.paused is None else change.paused,
        delay,
        setting.swap_next if change.swap_next is None else change.swap_next,
        setting.states_first if change.states_first is None else change.states_first,
    )


def delay_s(delay: Delay, random: Random) -> float:
    """Return one delay, drawn from the log-normal distribution with this median and p95."""
    sigma = math.log(delay.p95_s / delay.median_s) / _NORMAL_95
    return min(delay.median_s * math.exp(sigma * random.gauss()), _DELAY_S_MAX)


def put_out_of_order(
    waiting: Sequence[WaitingDelivery], setting: DistributionSetting
) -> list[WaitingDelivery] | None:
    """Return the deliveries to make next in the order in which a fault wants them; None if it wants
    to wait for more. Without a fault they stay as they are. Pure."""
    if setting.swap_next > 1:
        if len(waiting) < setting.swap_next:
            return None
        return list(reversed(waiting[: setting.swap_next]))
    if setting.states_first:
        states = [delivery for delivery in waiting if delivery.kind == "states"]
        if not states:
            others = [delivery for delivery in waiting if delivery.kind != "packs"]
            return others or None
        return states[: setting.states_first]
    return list(waiting)
