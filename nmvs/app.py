"""A national system put together: database, memory, dialects, ports. The composition root.

Everything that runs in the background has its owner here, and ends when the system ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from emvs.alert_messages import AlertReport
from emvs.errors import ConfigurationError
from emvs.infra.database import Database
from emvs.infra.logs import get_logger
from emvs.infra.loop_watch import LoopWatch
from emvs.infra.migrations import migrate
from emvs.infra.web import Site
from emvs.interconnect import ChangesMessage
from nmvs.alert_entries import AlertMaker
from nmvs.alert_forwarding import AlertForwarder
from nmvs.alert_log import AlertLog, AlertView
from nmvs.alert_store import AlertStore
from nmvs.alert_view import report
from nmvs.audit import Audit
from nmvs.bulk.engine import Bulk
from nmvs.bulk.store import BulkStore
from nmvs.bulk.traces import Traces
from nmvs.certificates.loading import load_certificates
from nmvs.config import NmvsConfig
from nmvs.deliveries import Deliveries
from nmvs.delivery_store import DeliveryStore
from nmvs.directory import Directory
from nmvs.early_changes import EarlyChanges
from nmvs.exemptions import Exemptions
from nmvs.hub_gateway import HubGateway
from nmvs.ledger import Ledger
from nmvs.logins.opening import load_logins
from nmvs.operations import Operations
from nmvs.outgoing import ChangeSender
from nmvs.pack_index import PackIndex
from nmvs.participant_store import ParticipantStore
from nmvs.recovery import Recovery
from nmvs.reports.opening import open_documents
from nmvs.rest.signing_keys import SigningKeys
from nmvs.retention import Retention
from nmvs.sightings import Sightings
from nmvs.sites import open_sites, open_waiting_site
from nmvs.start_up import (
    Loading,
    ensure_trail_partitions,
    load_catalogue,
    load_clock,
    load_location_tokens,
    load_pack_keys,
    load_packs,
)
from nmvs.state_deliveries import StateDeliveries
from nmvs.state_delivery_store import StateDeliveryStore
from nmvs.store import Store
from nmvs.synchronisation import Synchronisation

_PARTITION_CHECK_S = 3600.0

_log = get_logger(__name__)


class NationalSystem:
    """One running national system. `async with` starts and stops it."""

    def __init__(self, config: NmvsConfig) -> None:
        self.config = config
        self.market = config.market_row()
        self.rules = config.market_rules()
        self.soap_settings = config.soap_settings()
        self.rest_settings = config.rest_settings()
        self.bulk_settings = config.bulk_settings()
        if config.tls is None and not config.plain:
            raise ConfigurationError("plain: without tls it is the only public port; leave it on")
        self.dialects = config.dialects or (self.market.dialect,)
        self.broken = asyncio.Event()
        self.failure: BaseException | None = None
        self.loop_watch = LoopWatch("nmvs")
        self.loading = Loading()
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
        async with AsyncExitStack() as until_ready:
            await open_waiting_site(self, until_ready)
            await self._open()
            await self._load()
            await self._begin()
            self._sites = await open_sites(self, self._exits, until_ready.aclose)
        self._background(self.loop_watch.run())
        _log.info("listening", action="listening", market=self.market.code, ports=self.ports)

    async def _begin(self) -> None:
        """Build what serves, and start what works beside it."""
        self._build()
        self.documents = await open_documents(self)
        self.recovery.start(self.ledger)
        await self.bulk.load()
        self._background(self.ledger.run())
        self._background(self.bulk.run())
        self._background(self._keep_partitions())
        if self.alert_forwarder is not None:
            self._background(self.alert_forwarder.run())
        if self.change_sender is not None:
            self._background(self.change_sender.run())
        self._background(self.early_changes.run(self._apply_early))
        self._background(self.retention.run())
        self._background(self.certificates.run())
        for runner in self.documents.runners:
            self._background(runner.run())
        self._background(self.sightings.run())

    async def _open(self) -> None:
        """Open the database, and the ledger before anything is read: from then on nobody else
        writes, a killed predecessor included."""
        config = self.config
        self.database = Database(config.dsn, config.schema_name)
        self._exits.push_async_callback(self.database.close)
        await self.database.open()
        await migrate(self.database.pool, "nmvs")
        self.store = Store(self.database)
        self.index = PackIndex(config.packs_max)
        self.recovery = Recovery(self.store, self.index)
        self.ledger = Ledger(
            self.database.connect,
            self.recovery.on_write_failed,
            ownership_s_max=config.ownership_s_max,
        )
        self._exits.push_async_callback(self.ledger.close)
        await self.ledger.open()

    async def _load(self) -> None:
        config = self.config
        stored_market = await self.store.setting("market", config.market)
        if stored_market != config.market:
            raise ConfigurationError(
                f"schema {config.schema_name} holds market {stored_market}, not {config.market}"
            )
        self.clock = await load_clock(self.store)
        self.keys = await load_pack_keys(self.store)
        self.catalogue = await load_catalogue(self.store, self.market)
        await load_packs(self.store, self.index, self.loading)
        self.directory = Directory(
            ParticipantStore(self.database),
            self.market,
            self.rules,
            hash_cost_log2=config.password_hash_cost_log2,
            rate_plans=self.rest_settings.rate_plans,
            default_rate_plan=self.rest_settings.default_rate_plan,
        )
        await self.directory.load()
        self.logins = await load_logins(
            self.database,
            self.clock,
            config.login_rules(),
            admitted=self.directory.admitted,
            hash_cost_log2=config.password_hash_cost_log2,
        )
        self.exemptions = Exemptions(self.store, self.clock, config.non_fmd_product_codes)
        await self.exemptions.load()
        await ensure_trail_partitions(self.store, self.clock.now())
        self.certificates = await load_certificates(
            self.database, self.store, self.clock, config.market, config.certificate_settings()
        )
        self._tokens = await load_location_tokens(self.store)
        self.signing_keys = SigningKeys(
            self.database,
            self.clock,
            life_s=self.rest_settings.signing_key_life_s,
            overlap_s=max(
                self.rest_settings.signing_key_overlap_s, self.rest_settings.token_life_s
            ),
        )
        await self.signing_keys.load()
        self.sightings = Sightings(self.database)
        await self.sightings.load()
        self._exits.push_async_callback(self.sightings.flush)
        self.audit = Audit(
            self.database.pool, self.keys, market=self.market.code, tokens=self._tokens
        )

    def _build(self) -> None:
        config = self.config
        gateway = None
        self.change_sender: ChangeSender | None = None
        if config.hub_url:
            gateway = HubGateway(
                config.hub_url,
                config.interconnect_token,
                self.market.code,
                self.clock,
                answer_s_max=config.intermarket_s_max,
            )
            self._exits.push_async_callback(gateway.close)
            self.change_sender = ChangeSender(
                self.store, self.ledger, gateway, delay_s=self.rules.sync_delay_s
            )
        self._build_alerts()
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
            exemptions=self.exemptions,
            ask_hub=gateway.ask if gateway else None,
            alerts=AlertMaker(self.market, self._tokens),
        )
        self.early_changes = EarlyChanges(
            self.database, self.clock, lambda key: self.index.find(key) >= 0
        )
        self._build_bulk()
        self.deliveries = Deliveries(
            store=self.store,
            written=DeliveryStore(self.database),
            catalogue=self.catalogue,
            keys=self.keys,
            index=self.index,
            clock=self.clock,
            packs_came=self.early_changes.packs_came,
        )
        self.synchronisation = Synchronisation(
            market=self.market.code,
            clock=self.clock,
            keys=self.keys,
            index=self.index,
            directory=self.directory,
            ledger=self.ledger,
            recovery=self.recovery,
            store=self.store,
            early=self.early_changes,
        )
        self.state_deliveries = StateDeliveries(
            operations=self.operations,
            directory=self.directory,
            recovery=self.recovery,
            catalogue=self.catalogue,
            keys=self.keys,
            index=self.index,
            clock=self.clock,
            store=StateDeliveryStore(self.database),
            results=DeliveryStore(self.database),
        )
        self.retention = Retention(
            database=self.database,
            clock=self.clock,
            zone=ZoneInfo(self.market.time_zone),
            catalogue=self.catalogue,
            index=self.index,
            ledger=self.ledger,
            deliveries=self.deliveries.one_at_a_time,
            early=self.early_changes,
        )

    def _build_bulk(self) -> None:
        store = BulkStore(self.database)
        self.bulk = Bulk(
            operations=self.operations,
            recovery=self.recovery,
            directory=self.directory,
            catalogue=self.catalogue,
            store=store,
            traces=Traces(
                store=store,
                keys=self.keys,
                index=self.index,
                catalogue=self.catalogue,
                rules=self.rules,
            ),
            clock=self.clock,
            settings=self.bulk_settings,
        )

    def _build_alerts(self) -> None:
        config = self.config
        alert_store = AlertStore(self.database)
        self.alerts = AlertLog(alert_store, self.clock)
        self.alert_forwarder = None
        if config.hub_url:
            self.alert_forwarder = AlertForwarder(
                hub_url=config.hub_url,
                token=config.interconnect_token,
                store=alert_store,
                log=self.alerts,
                clock=self.clock,
                report_of=self.alert_report,
                bells=(self.ledger.alert_bell, self.alerts.changed_bell),
            )
            self._exits.push_async_callback(self.alert_forwarder.close)

    async def _apply_early(self, message: ChangesMessage) -> object:
        return await self.synchronisation.apply("early", message)

    def alert_report(self, view: AlertView) -> AlertReport:
        """Return what the manufacturer is told of an alert."""
        return report(view, self._tokens, self.dialects[0])

    async def move_clock(self, seconds: int) -> None:
        """Move the clock on, or back; the offset is stored."""
        then = self.clock.now() + timedelta(seconds=seconds)
        await ensure_trail_partitions(self.store, then)
        await self.store.put_setting("clock_offset_s", str(self.clock.offset_s + seconds))
        self.clock.advance(seconds)
        self.retention.ring()
        self.certificates.ring()
        self.documents.ring()
        self.bulk.ring()

    async def _keep_partitions(self) -> None:
        while True:
            await asyncio.sleep(_PARTITION_CHECK_S)
            try:
                await ensure_trail_partitions(self.store, self.clock.now())
            except Recovery.TROUBLE as error:  # The default partition takes entries meanwhile.
                _log.warning("no partition", action="partition_failed", error=repr(error))

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._note_end)

        async def stop() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._exits.push_async_callback(stop)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """What runs in the background runs for ever: if it ends, the process must."""
        if not task.cancelled():
            self.failure = task.exception()
            self.broken.set()

    @property
    def ports(self) -> dict[str, int]:
        """The port of each listener: service, secure, management, interconnect."""
        return {name: site.port for name, site in self._sites.items()}
