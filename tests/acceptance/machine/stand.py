"""Two markets and a hub that run, as the machine uses them: requests, clocks, what is stored."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg

from emvs.states import Operation, State
from tests.acceptance.goods import Participant, participant
from tests.acceptance.machine.model import MARKETS, Actor, Identity
from tests.acceptance.machine.wire import REST_STATES, SOAP_NAMES
from tests.acceptance.several_markets import Markets
from tests.integration.clients import WireAnswer

ACTORS = [
    Actor("IE", "pharmacy", 2, "rest"),
    Actor("IE", "hospital", 3, "soap"),
    Actor("IE", "wholesaler", 4, "rest"),
    Actor("IE", "nca", 5, "rest"),
    Actor("PL", "pharmacy", 2, "soap"),
    Actor("PL", "hospital", 3, "rest"),
    Actor("PL", "wholesaler", 4, "soap"),
]


class Stored(NamedTuple):
    """What a market's database has of a pack."""

    state: State
    repeats: int
    set_at_s: int
    set_in: str | None
    """Market of who set it; None if nobody did."""


class Stand:
    """Systems that run through many examples; each example brings products of its own."""

    def __init__(self, dsn: str, schema_name: str) -> None:
        self.markets = Markets(
            dsn,
            schema_name,
            *MARKETS,
            dialects=("soap", "rest"),
            rules={"sync_delay_s": 0.0, "other_repeat_tolerance": 1},
            rest={"token_life_s": 100 * 366 * 86_400},
        )
        self._schema_name = schema_name
        self._people: dict[Actor, Participant] = {}
        self._offset_s = 0

    async def start(self) -> None:
        """Start everything."""
        await self.markets.start()
        for actor in ACTORS:
            running = self.markets.running[actor.market]
            self._people[actor] = await participant(running, actor.kind, actor.number)

    @property
    def now_s(self) -> int:
        """What all clocks show."""
        return int(time.time()) + self._offset_s

    async def advance(self, seconds: int) -> None:
        """Move all clocks."""
        for running in self.markets.running.values():
            await running.advance_clock(seconds)
        await self.markets.advance_hub_clock(seconds)
        self._offset_s += seconds

    async def ask(self, actor: Actor, operation: Operation, asked: Identity) -> WireAnswer:
        """Ask as an actor does, in its dialect."""
        person = self._people[actor]
        identity = (asked.product, asked.serial, asked.batch, asked.expiry)
        if actor.dialect == "soap":
            return await person.soap.ask(*identity, SOAP_NAMES[operation])
        return await person.rest.ask(*identity, REST_STATES[operation])

    @asynccontextmanager
    async def changes_held_back(self) -> AsyncIterator[None]:
        """Nothing is added to the hub's outbox, so no market hears what another does."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(f"lock table {self._schema_name}_hub.delivery in share mode")
            yield

    async def stored(self, market: str, serials: list[str]) -> Mapping[str, Stored]:
        """Return what a market's database has of packs."""
        schema = self._schema(market)
        rows = await self._pool.fetch(
            f"select serial_number, p.state, repeat_count, set_at_s, market from {schema}.pack p"  # noqa: S608 - our names.
            f" left join {schema}.location on location_number = set_by"
            " where serial_number = any($1)",
            serials,
        )
        return {row[0]: Stored(State(row[1]), *tuple(row)[2:]) for row in rows}

    async def entries(self, market: str, product: str, serial: str) -> tuple[int, int]:
        """Return how many entries a pack's audit trail has: of requests, of changes elsewhere."""
        answer = await self.markets.running[market].ask_management(
            "/trail", product_code=product, serial=serial
        )
        heard = sum(entry["dialect"] == "sync" for entry in answer["entries"])
        return len(answer["entries"]) - heard, heard

    def _schema(self, market: str) -> str:
        return f"{self._schema_name}_{market.lower()}"

    @property
    def _pool(self) -> asyncpg.Pool[Any]:
        return self.markets.hub.database.pool
