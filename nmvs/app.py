"""A national system put together: database, memory, dialects, ports. The composition root.

Everything that runs in the background has its owner here, and ends when the system ends.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from emvs.errors import ConfigurationError
from emvs.infra.database import Database
from emvs.infra.logs import get_logger
from emvs.infra.management import add_common_routes
from emvs.infra.migrations import migrate
from emvs.infra.web import Site, render_errors, serve_app, serve_handler
from emvs.markets import Dialect
from nmvs import management
from nmvs.audit import SECRET_SETTING, Audit
from nmvs.audit_routes import add_audit_routes, add_pack_audit_route
from nmvs.config import NmvsConfig
from nmvs.deliveries import Deliveries
from nmvs.directory import Directory
from nmvs.hub_gateway import HubGateway
from nmvs.integrity import IntegrityReport, compare_index_with_database
from nmvs.interconnect import create_interconnect_app
from nmvs.ledger import Ledger
from nmvs.listener import choose_dialect
from nmvs.metrics import NationalSystemCollector
from nmvs.operations import Operations
from nmvs.pack_index import PackIndex
from nmvs.recovery import Recovery
from nmvs.rest.dialect import RestDialect
from nmvs.retention import Retention
from nmvs.soap.dialect import SoapDialect
from nmvs.start_up import (
    ensure_trail_partitions,
    load_catalogue,
    load_clock,
    load_pack_keys,
    load_packs,
    load_signing_key,
)
from nmvs.store import Store

_PARTITION_CHECK_S = 3600.0

_log = get_logger(__name__)


class NationalSystem:
    """One running national system. `async with` starts and stops it."""

    def __init__(self, config: NmvsConfig) -> None:
        self.config = config
        self.market = config.market_row()
        self.rules = config.market_rules()
        self.dialects = config.dialects or (self.market.dialect,)
        self._exits = AsyncExitStack()
        self._sites: dict[str, Site] = {}

    async def __aenter__(self) -> NationalSystem:
        try:
            await self._start()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    async def _start(self) -> None:
        await self._load()
        self._build()
        await self.recovery.start(self.ledger)
        self._background(self.ledger.run())
        self._background(self._keep_partitions())
        self._background(self.retention.run())
        self._exits.push_async_callback(self.ledger.close)
        await self._listen()

    async def _load(self) -> None:
        config = self.config
        self.database = Database(config.dsn, config.schema_name)
        self._exits.push_async_callback(self.database.close)
        await self.database.open()
        await migrate(self.database.pool, "nmvs")
        self.store = Store(self.database)
        stored_market = await self.store.setting("market", config.market)
        if stored_market != config.market:
            raise ConfigurationError(
                f"schema {config.schema_name} holds market {stored_market}, not {config.market}"
            )
        self.clock = await load_clock(self.store)
        self.keys = await load_pack_keys(self.store)
        self.catalogue = await load_catalogue(self.store, self.market)
        self.index = PackIndex(config.packs_max)
        await load_packs(self.store, self.index)
        self.directory = Directory(
            self.store,
            self.market,
            self.rules,
            hash_cost_log2=config.password_hash_cost_log2,
        )
        await self.directory.load()
        await ensure_trail_partitions(self.store, self.clock.now())
        self._signing_key = await load_signing_key(self.store)
        self.audit = Audit(
            self.database.pool,
            self.keys,
            market=self.market.code,
            location_secret=bytes.fromhex(
                await self.store.setting(SECRET_SETTING, secrets.token_hex(32))
            ),
        )

    def _build(self) -> None:
        config = self.config
        self.recovery = Recovery(self.store, self.index)
        self.ledger = Ledger(self.database.connect, self.recovery.on_write_failed)
        gateway = None
        if config.hub_url:
            gateway = HubGateway(
                config.hub_url, config.interconnect_token, self.market.code, self.clock
            )
            self._exits.push_async_callback(gateway.close)
        self.operations = Operations(
            market=self.market,
            rules=self.rules,
            clock=self.clock,
            keys=self.keys,
            index=self.index,
            catalogue=self.catalogue,
            ledger=self.ledger,
            recovery=self.recovery,
            store=self.store,
            ask_hub=gateway.ask if gateway else None,
        )
        self.deliveries = Deliveries(
            store=self.store,
            catalogue=self.catalogue,
            keys=self.keys,
            index=self.index,
            clock=self.clock,
        )
        self.retention = Retention(
            database=self.database,
            clock=self.clock,
            zone=ZoneInfo(self.market.time_zone),
            catalogue=self.catalogue,
            index=self.index,
            ledger=self.ledger,
            deliveries=self.deliveries.one_at_a_time,
        )

    async def _listen(self) -> None:
        config = self.config
        soap = rest = None
        if Dialect.SOAP in self.dialects:
            soap = SoapDialect(self.operations, self.directory)
        if Dialect.REST in self.dialects:
            rest = RestDialect(self.operations, self.directory, self._signing_key)
        interconnect = create_interconnect_app(
            token=config.interconnect_token,
            deliveries=self.deliveries,
            operations=self.operations,
            directory=self.directory,
            recovery=self.recovery,
        )
        add_pack_audit_route(interconnect, self.audit)
        for name, site in (
            ("management", serve_app(self._management(), *self._management_address())),
            ("interconnect", serve_app(interconnect, config.host, config.interconnect_port)),
            ("service", serve_handler(choose_dialect(soap, rest), config.host, config.port)),
        ):
            self._sites[name] = await site
            self._exits.push_async_callback(self._sites[name].close)
        _log.info("listening", action="listening", market=self.market.code, ports=self.ports)

    def _management_address(self) -> tuple[str, int]:
        return self.config.management_host, self.config.management_port

    def _management(self) -> web.Application:
        app = web.Application(middlewares=[render_errors])
        groups = self.ledger.groups
        collector = NationalSystemCollector(
            self.operations.metrics,
            {
                "packs": ("Packs in the index.", lambda: len(self.index)),
                "index_bytes": ("Memory of the index.", self.index.memory_bytes),
                "ledger_waiting": ("Entries that wait for a commit.", lambda: groups.waiting_count),
                "ledger_entries": ("Entries written.", lambda: groups.entry_count),
                "ledger_groups": ("Groups written.", lambda: groups.group_count),
                "ledger_failures": ("Writes that failed.", lambda: groups.failure_count),
                "packs_loaded": (
                    "Packs loaded since the start.",
                    lambda: self.deliveries.packs_loaded_count,
                ),
            },
        )
        add_common_routes(
            app,
            clock=self.clock,
            health=self._health,
            on_clock_moved=self._on_clock_moved,
            collectors=[collector],
        )
        management.add_routes(
            app,
            directory=self.directory,
            store=self.store,
            keys=self.keys,
            check=self._check,
        )
        add_audit_routes(app, self.audit, self.retention.report)
        return app

    async def _health(self) -> dict[str, Any]:
        return {
            "status": "ok" if self.recovery.is_serving else "recovering",
            "system": "nmvs",
            "market": self.market.code,
            "dialects": list(self.dialects),
            "packs": len(self.index),
            "participants": len(self.directory),
            "waiting": self.ledger.groups.waiting_count,
            "failure": self.recovery.failure,
        }

    async def _on_clock_moved(self) -> None:
        await self.store.put_setting("clock_offset_s", str(self.clock.offset_s))
        await ensure_trail_partitions(self.store, self.clock.now())
        self.retention.ring()

    async def _check(self) -> IntegrityReport:
        async with self.deliveries.one_at_a_time:  # Nor does retention purge meanwhile.
            return await compare_index_with_database(
                self.index, self.store, self.database, self.ledger
            )

    async def _keep_partitions(self) -> None:
        while True:
            await asyncio.sleep(_PARTITION_CHECK_S)
            try:
                await ensure_trail_partitions(self.store, self.clock.now())
            except Recovery.TROUBLE as error:  # The default partition takes entries meanwhile.
                _log.warning("no partition", action="partition_failed", error=repr(error))

    def _background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)

        async def stop() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._exits.push_async_callback(stop)

    @property
    def ports(self) -> dict[str, int]:
        """The port of each listener: service, management, interconnect."""
        return {name: site.port for name, site in self._sites.items()}
