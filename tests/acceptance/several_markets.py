"""A hub and national systems that a test can stop and start again, each on its own ports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from emvs.infra.loopback_ports import free_port
from hub.app import Hub
from hub.config import HubConfig, LimitsConfig, MarketConfig
from nmvs.app import NationalSystem
from nmvs.config import NmvsConfig
from tests.integration.clients import RestTill, SoapTill, WireAnswer
from tests.integration.hub.stand import CODE, FAST_RETRY, Obp, product, register
from tests.integration.running import RunningSystem

AGREE_S_MAX = 20.0
SUPPLIED = "11210200"
UNDONE = "11410100"
ACTIVE = "11110100"
SUPPLIED_ELSEWHERE = "11110200"


def token(market: str) -> str:
    """Return what hub and national system show to each other."""
    return f"interconnect-token-of-{market}"


class Markets:
    """National systems of some markets around one hub; a pharmacy in each, speaking REST."""

    def __init__(
        self,
        dsn: str,
        schema_name: str,
        *codes: str,
        hub_limits: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        """`hub_limits` are settings of the hub, `settings` those of all national systems."""
        self._dsn = dsn
        self._schema_name = schema_name
        self._hub_limits = LimitsConfig(**(hub_limits or {}))
        self._settings = settings
        self.codes = codes
        self._exits = AsyncExitStack()
        # Outside the range of outgoing connections: they are taken again after a stop.
        self._hub_ports = (free_port(), free_port())
        self._hub: Hub | None = None
        self._systems: dict[str, NationalSystem] = {}
        self._ports: dict[str, dict[str, int]] = {}
        self.http: aiohttp.ClientSession
        self.running: dict[str, RunningSystem] = {}
        self.tills: dict[str, RestTill] = {}
        self.soap_tills: dict[str, SoapTill] = {}
        """The same pharmacies, where the other dialect is spoken."""
        self.obp: Obp

    async def start(self) -> None:
        """Start everything."""
        self.http = await self._exits.enter_async_context(aiohttp.ClientSession())
        for code in self.codes:
            await self.start_market(code)
        await self.start_hub()
        assert self._hub is not None
        await register(self.http, self._hub.management)
        self.obp = Obp(self._hub.url, self.http)

    async def stop(self) -> None:
        """Stop everything that runs."""
        await self.stop_hub()
        for code in list(self._systems):
            await self.stop_market(code)
        await self._exits.aclose()

    async def start_hub(self) -> None:
        """Start the hub on its ports."""
        markets = {
            code: MarketConfig(f"http://127.0.0.1:{ports['interconnect']}", token(code))
            for code, ports in self._ports.items()
        }
        config = HubConfig(
            dsn=self._dsn,
            schema=f"{self._schema_name}_hub",
            port=self._hub_ports[0],
            management_port=self._hub_ports[1],
            markets=markets,
            national_tokens={code: token(code) for code in markets},
            retry=FAST_RETRY,
            limits=self._hub_limits,
            seed=1,
        )
        self._hub = await Hub(config).__aenter__()

    async def stop_hub(self) -> None:
        """Stop the hub."""
        if self._hub is not None:
            await self._hub.__aexit__()
            self._hub = None

    def settings(self, code: str) -> dict[str, Any]:
        """Return the settings of a national system."""
        ports = self._ports.get(code, {})
        return {
            "market": code,
            "dsn": self._dsn,
            "schema": f"{self._schema_name}_{code.lower()}",
            "interconnect_token": token(code),
            "hub_url": f"http://127.0.0.1:{self._hub_ports[0]}",
            "dialects": ("rest",),
            "packs_max": 100_000,
            "password_hash_cost_log2": 6,
            "rules": {"sync_delay_s": 0.05, "other_repeat_tolerance": 2},
            "port": ports.get("service") or free_port(),
            "management_port": ports.get("management") or free_port(),
            "interconnect_port": ports.get("interconnect") or free_port(),
            **self._settings,
        }

    async def start_market(self, code: str) -> None:
        """Start a national system, on its ports if it has run before."""
        system = await NationalSystem(NmvsConfig(**self.settings(code))).__aenter__()
        self._systems[code] = system
        await self.listens(code, system.ports)

    async def listens(self, code: str, ports: dict[str, int]) -> None:
        """Note where a national system listens, and log the pharmacy in."""
        self._ports[code] = ports
        running = self.running[code] = RunningSystem(self.http, ports, passwords_expire=False)
        registration = await running.register("pharmacy", 1)
        self.soap_tills[code] = SoapTill(self.http, running.service, registration)
        self.tills[code] = RestTill(self.http, running.service, registration)
        await self.tills[code].log_in()

    @property
    def hub(self) -> Hub:
        """The hub, which runs."""
        assert self._hub is not None
        return self._hub

    async def advance_hub_clock(self, seconds: int) -> None:
        """Move the clock of the hub alone."""
        assert self._hub is not None
        url = f"{self._hub.management}/clock"
        async with self.http.post(url, json={"advance_s": seconds}) as response:
            assert response.status == 200, await response.text()

    async def stop_market(self, code: str) -> None:
        """Stop a national system."""
        await self._systems.pop(code).__aexit__()

    async def upload(self, *serial_numbers: str, markets: tuple[str, ...] = ()) -> None:
        """Upload a product of all markets, or of some, and packs of it."""
        message = product(*(markets or self.codes))
        for part in message["markets"]:
            if part["market"] == "AT":  # Austria wants a national number.
                part["nationalCode"] = "1234567"
        ended = await self.obp.ended(await self.obp.send("PMDR", **message))
        assert ended["status"] == "STDS", ended
        packs = await self.obp.packs(list(serial_numbers))
        assert packs["status"] == "STDS", packs

    async def ask(self, market: str, serial: str, state: str | None = None) -> WireAnswer:
        """Verify a pack, or set its state."""
        return await self.tills[market].ask(CODE, serial, "LOT1", "301231", state)

    async def until(self, market: str, serial: str, code: str) -> None:
        """Wait until a market answers a verification so."""
        answer = ""
        try:
            async with asyncio.timeout(AGREE_S_MAX):
                while (answer := (await self.ask(market, serial)).code) != code:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{market} says {answer} of {serial}, not {code}") from None

    async def settled(self) -> None:
        """Wait until nothing is on its way any more."""
        assert self._hub is not None
        # In the order of the way, so that nothing slips from where is still to be looked at to
        # where has been looked.
        tables = [f"{self._schema_name}_{code.lower()}.outgoing_change" for code in self.codes]
        tables.append(f"{self._schema_name}_hub.delivery where status = 'Waiting'")
        queries = [f"select count(*) from {table}" for table in tables]  # noqa: S608 - our names.
        pool = self._hub.database.pool
        async with asyncio.timeout(AGREE_S_MAX):
            while sum([await pool.fetchval(query) for query in queries]):
                await asyncio.sleep(0.02)

    async def state(self, market: str, serial: str) -> tuple[Any, ...]:
        """Return what a market's database has of a pack, whoever set it named as everywhere."""
        assert self._hub is not None
        schema = f"{self._schema_name}_{market.lower()}"
        query = f"""
            select p.state, p.set_at_s, l.market, case when l.market = $2 then l.location_number
                else split_part(l.location, '-', 2)::int end, p.version / 16
            from {schema}.pack p
            left join {schema}.location l on l.location_number = p.set_by
            where p.serial_number = $1
        """  # noqa: S608 - our names.
        row = await self._hub.database.pool.fetchrow(query, serial, market)
        return tuple(row)

    async def trail(self, market: str, serial: str, dialect: str = "sync") -> list[Any]:
        """Return the entries of a pack's audit trail that came by one way."""
        answer = await self.running[market].ask_management(
            "/trail", product_code=CODE, serial=serial
        )
        return [entry for entry in answer["entries"] if entry["dialect"] == dialect]

    async def assert_agreed(self, *serial_numbers: str) -> None:
        """All markets have the same of these packs, and each the same in memory and on disk."""
        await self.settled()
        for serial in serial_numbers:
            assert len({await self.state(code, serial) for code in self.codes}) == 1, serial
        await self.assert_sound(*self.codes)

    async def assert_sound(self, *codes: str) -> None:
        """Markets have the same in memory and on disk."""
        for code in codes or self._systems:
            check = await self.running[code].ask_management("/check")
            assert check["equal"], (code, check)


@asynccontextmanager
async def started(
    dsn: str, schema_name: str, *codes: str, **settings: Any
) -> AsyncIterator[Markets]:
    """Run markets for the length of a block; `settings` as in `Markets`."""
    markets = Markets(dsn, schema_name, *codes, **settings)
    try:
        await markets.start()
        yield markets
        await markets.assert_sound()
    finally:
        await markets.stop()
