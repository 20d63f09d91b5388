"""Putting together what makes documents, for a system that is being started."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from nmvs.alert_store import AlertStore
from nmvs.reports.documents import Documents
from nmvs.reports.product_rights import ProductRights
from nmvs.reports.sources import Sources

if TYPE_CHECKING:
    from nmvs.app import NationalSystem


async def open_documents(system: NationalSystem) -> Documents:
    """Return the documents of a system whose database and memory are loaded."""
    rights = ProductRights(system.database.pool)
    await rights.load()
    sources = Sources(
        market=system.market.code,
        pool=system.database.pool,
        catalogue=system.catalogue,
        directory=system.directory,
        audit=system.audit,
        alerts=AlertStore(system.database),
        rights=rights,
        client_sightings=system.sightings.client_sightings,
    )
    return Documents(
        sources,
        system.clock,
        system.store,
        system.config.report_settings(),
        ZoneInfo(system.market.time_zone),
    )
