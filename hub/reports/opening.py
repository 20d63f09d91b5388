"""Reports put together for the composition root."""

from __future__ import annotations

from collections.abc import Mapping

from emvs.infra.clock import Clock
from hub.audit import PackAudits
from hub.config import ReportConfig
from hub.national_client import NationalClient
from hub.outbox import Outbox
from hub.reports.maker import ReportMaker
from hub.reports.making import Sources
from hub.reports.market_counts import MarketCounts
from hub.reports.requests import Reports
from hub.serial_digests import SerialDigests
from hub.store.connections import Pool


def open_reports(
    *,
    pool: Pool,
    clock: Clock,
    outbox: Outbox,
    config: ReportConfig,
    clients: Mapping[str, NationalClient],
    digests: SerialDigests,
    audits: PackAudits,
) -> Reports:
    """Return the reports of a hub."""
    counts = MarketCounts(clients, digests, market_s_max=config.market_s_max)
    sources = Sources(pool, counts, audits, digests, config.rows_max)
    maker = ReportMaker(pool=pool, clock=clock, outbox=outbox, config=config, sources=sources)
    return Reports(pool=pool, clock=clock, config=config, maker=maker)
