"""The hub put together: database and workers. The composition root; its ports are `hub.sites`'.

Everything that runs in the background has its owner here, and ends when the hub ends.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any, Final

import aiohttp

from emvs.errors import ConfigurationError
from emvs.infra.clock import MovableClock
from emvs.infra.database import CONNECTION_ERRORS, Database
from emvs.infra.logs import get_logger
from emvs.infra.migrations import migrate
from emvs.infra.web import Site
from hub import callbacks, ownership, retention, stranded
from hub.alerts import Alerts
from hub.audit import PackAudits
from hub.callback_client import open_session
from hub.callbacks import Callbacks
from hub.config import HubConfig
from hub.distribution import Courier
from hub.distribution_settings import Distribution
from hub.identity.opening import Identity
from hub.intermarket import Intermarket
from hub.loading import Loader
from hub.national_client import NationalClient
from hub.outbox import Outbox
from hub.ownership import Ownership
from hub.progress import ProgressBoard
from hub.quality import Quality
from hub.reception import Reception
from hub.reports import maker as reports
from hub.reports.opening import open_reports
from hub.retention import Retention
from hub.serial_digests import SerialDigests
from hub.sites import open_sites
from hub.store.organisations import clock_offset_s, put_clock_offset_s
from hub.stranded import Stranded
from hub.workers import Worker

_CONNECTIONS_MAX: Final = 16
_HEALTH_S_MAX: Final = 2.0

_log = get_logger(__name__)


class Hub:
    """One running hub. `async with` starts and stops it."""

    def __init__(self, config: HubConfig) -> None:
        self.config = config
        self.broken = asyncio.Event()
        """Set when the hub must not go on: `failure` tells why."""
        self.failure: BaseException | None = None
        self._systems = config.systems()
        self.systems_by_token = config.national_systems_by_token()
        """Which national system shows which token."""
        self._exits = AsyncExitStack()
        self._sites: dict[str, Site] = {}

    async def __aenter__(self) -> Hub:
        try:
            await self._load()
            await self._connect()
            self._build()
            await self._exits.enter_async_context(self.callbacks)
            for worker in self._workers:
                self._exits.push_async_callback(worker.stop)
                worker.start()
            await self._listen()
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    @property
    def url(self) -> str:
        """Where manufacturers and national systems connect."""
        return f"http://{self.config.host}:{self._sites['public'].port}"

    @property
    def tls_url(self) -> str | None:
        """Where manufacturers connect with a client certificate; None without a TLS port."""
        port = self.identity.tls_port
        return None if port is None else f"https://{self.config.host}:{port}"

    @property
    def management(self) -> str:
        """Where the person at the stand connects."""
        return f"http://{self.config.management_host}:{self._sites['management'].port}"

    async def _load(self) -> None:
        config = self.config
        self.database = Database(config.dsn, config.schema, connections_max=_CONNECTIONS_MAX)
        self._exits.push_async_callback(self.database.close)
        await self.database.open()
        self._pool = self.database.pool
        self.ownership = Ownership(self.database, wait_s_max=config.limits.ownership_s_max)
        self._exits.push_async_callback(self.ownership.release)
        await self.ownership.hold()
        await migrate(self._pool, "hub")
        self.clock = MovableClock(await clock_offset_s(self._pool))
        self.identity = Identity(self._pool, self.clock, config.identity)
        await self.identity.load()
        self.organisations = self.identity.organisations
        self.digests = await SerialDigests.load(self._pool)
        limits = config.limits
        self.outbox = Outbox(self._systems, waiting_max=limits.deliveries_waiting_per_market_max)
        await self.outbox.load(self._pool)
        self.distribution = Distribution(
            self._pool,
            self.outbox.bells,
            random.Random(_seed(config.seed, "delays")),  # noqa: S311 - not a secret.
        )
        await self.distribution.load()

    async def _connect(self) -> None:
        # Deliveries and intermarket requests have connections of their own: neither waits for
        # the other. A system that asks nobody's cookies gets none.
        self._clients: dict[str, dict[str, NationalClient]] = {}
        for purpose, connections_max in (
            ("deliveries", len(self._systems) or 1),
            ("intermarket", self.config.limits.intermarket_concurrent_max),
        ):
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=connections_max),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            self._exits.push_async_callback(session.close)
            self._clients[purpose] = {
                system: NationalClient(session, market.interconnect_url, market.token)
                for system, market in self._systems.items()
            }

        self._callback_session = open_session(self.config.callbacks.organisations_at_once_max)
        self._exits.push_async_callback(self._callback_session.close)

    def _build(self) -> None:
        config, pool, clock = self.config, self._pool, self.clock
        self.progress = ProgressBoard(clock)
        self.quality = Quality(
            pool=pool,
            digests=self.digests,
            is_busy=lambda: self.loader.is_loading or self.outbox.is_delivering(),
        )
        self.loader = Loader(
            pool=pool,
            clock=clock,
            outbox=self.outbox,
            progress=self.progress,
            quality=self.quality,
            distribution=self.distribution,
        )
        self.reception = Reception(
            pool=pool,
            clock=clock,
            outbox=self.outbox,
            loading_bell=self.loader.bell,
            unchecked_max=config.limits.requests_unchecked_max,
        )
        self.couriers = {
            system: Courier(
                system,
                client,
                pool=pool,
                clock=clock,
                outbox=self.outbox,
                retry=config.retry,
                distribution=self.distribution,
                progress=self.progress,
                # Jitter, not a secret; seeded where a test wants the same waits again.
                random=random.Random(_seed(config.seed, system)),  # noqa: S311
                digests=self.digests,
            )
            for system, client in self._clients["deliveries"].items()
        }
        self.intermarket = Intermarket(
            pool=pool,
            clients=self._clients["intermarket"],
            budget_s=config.limits.intermarket_s_max,
            concurrent_max=config.limits.intermarket_concurrent_max,
        )
        self.alerts = Alerts(pool=pool, clock=clock, clients=self._clients["intermarket"])
        self.callbacks = Callbacks(
            pool=pool,
            clock=clock,
            session=self._callback_session,
            config=config.callbacks,
            bell=self.outbox.notices_bell,
        )
        self.retention = Retention(
            pool=pool, clock=clock, answers_kept_s=config.limits.answers_kept_s
        )
        self.stranded = Stranded(pool=pool, clock=clock, outbox=self.outbox, retry=config.retry)
        self.audits = PackAudits(
            pool=pool,
            clients=self._clients["intermarket"],
            budget_s=config.limits.intermarket_s_max,
        )
        self.reports = open_reports(
            pool=pool,
            clock=clock,
            outbox=self.outbox,
            config=config.reports,
            clients=self._clients["intermarket"],
            digests=self.digests,
            audits=self.audits,
        )
        self._workers = self._make_workers()

    def _make_workers(self) -> list[Worker]:
        owner, kept = self.ownership, self.retention
        return [
            Worker("ownership", self._keep_ownership, owner.bell, period_s=ownership.PERIOD_S),
            Worker("loading", owner.guarded(self.loader.drain), self.loader.bell),
            Worker("quality", owner.guarded(self.quality.drain), self.quality.bell),
            *(
                Worker(f"courier-{system}", owner.guarded(courier.drain), courier.bell)
                for system, courier in self.couriers.items()
            ),
            Worker(
                "callbacks",
                owner.guarded(self.callbacks.drain),
                self.callbacks.bell,
                period_s=callbacks.PERIOD_S,
            ),
            Worker(
                "stranded",
                owner.guarded(self.stranded.drain),
                self.stranded.bell,
                period_s=stranded.PERIOD_S,
            ),
            Worker(
                "reports",
                owner.guarded(self.reports.maker.drain),
                self.reports.maker.bell,
                period_s=reports.PERIOD_S,
            ),
            Worker("retention", owner.guarded(kept.drain), kept.bell, period_s=retention.PERIOD_S),
        ]

    async def _listen(self) -> None:
        self._sites = await open_sites(self, self._exits)
        await self.identity.listen(self._sites["public"], self.config.host)
        _log.info("listening", action="listening", url=self.url, management=self.management)

    async def health(self) -> dict[str, Any]:
        """Return what `GET /health` of the management port says."""
        status = "ok"
        try:
            await self._pool.fetchval("select 1", timeout=_HEALTH_S_MAX)
        except CONNECTION_ERRORS:
            status = "the database is away"
        defects = {worker.name: worker.defect for worker in self._workers if worker.defect}
        if status == "ok" and not self.ownership.is_held:
            status = "another process may serve the schema"
        if defects and status == "ok":
            status = "work fails, see the log"
        return {
            "status": status,
            "system": "hub",
            "markets": sorted(self._systems),
            "clients": len(self.organisations),
            "waiting": dict(self.outbox.waiting),
            "waitingForNotConnected": self.outbox.stranded(),
            "defects": defects,
        }

    async def _keep_ownership(self) -> None:
        try:
            await self.ownership.hold()
        except ConfigurationError as error:
            # Another hub took over while PostgreSQL was away: there must be one.
            self.failure = error
            self.broken.set()
            raise

    async def move_clock(self, seconds: int) -> None:
        """Move the clock forward, and look at whatever may be due then."""
        # Durable first: a clock that went back after a restart would untell what was told.
        await put_clock_offset_s(self._pool, self.clock.offset_s + seconds)
        self.clock.advance(seconds)
        self.outbox.ring_all()  # What was not due may be now.
        self.retention.bell.set()
        self.reports.maker.bell.set()
        self.callbacks.bell.set()
        self.stranded.bell.set()


def _seed(seed: int | None, system: str) -> str | None:
    return None if seed is None else f"{seed}{system}"
