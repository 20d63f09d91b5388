"""The hub's paths, one line each, nothing else."""

from __future__ import annotations

from aiohttp import web

from hub.alert_handlers import AlertHandlers
from hub.callback_handlers import CallbackHandlers
from hub.handlers import NationalHandlers, ObpHandlers
from hub.management import ManagementHandlers
from hub.serials import StreamHandlers


def add_public_routes(
    app: web.Application,
    obp: ObpHandlers,
    national: NationalHandlers,
    alerts: AlertHandlers,
    streams: StreamHandlers,
) -> None:
    """Add what manufacturers and national systems call."""
    streams.add_routes(app)
    app.router.add_post("/obp/v1/{message_type}", obp.upload)
    app.router.add_get("/obp/v1/{message_type}", obp.not_asked, allow_head=False)
    app.router.add_get("/obp/v1/requests/{transaction_id}/quality", obp.quality)
    app.router.add_get("/obp/v1/requests", obp.recent)
    app.router.add_get("/obp/v1/requests/{transaction_id}", obp.status)
    app.router.add_get("/obp/v1/requests/{transaction_id}/packs", obp.packs)
    app.router.add_get("/obp/v1/requests/{transaction_id}/defects", obp.defects)
    app.router.add_get("/obp/v1/requests/{transaction_id}/refused", obp.refused)
    app.router.add_post("/nmvs/v1/intermarket", national.intermarket)
    app.router.add_get("/obp/v1/alerts", alerts.recent)
    app.router.add_get("/obp/v1/alerts/{alert_id}", alerts.open)
    app.router.add_post("/obp/v1/alerts/{alert_id}/state", alerts.decide)
    app.router.add_post("/nmvs/v1/alerts", alerts.take)
    app.router.add_post("/nmvs/v1/changes", national.changes)


def add_callback_routes(app: web.Application, callbacks: CallbackHandlers) -> None:
    """Add what an organisation asks about callbacks, links and traded products."""
    app.router.add_post("/obp/v1/SBPS", callbacks.subscribe)
    app.router.add_get("/obp/v1/subscriptions", callbacks.subscriptions)
    app.router.add_post("/obp/v1/subscriptions/{subscription_id}/roll", callbacks.roll)
    app.router.add_delete("/obp/v1/subscriptions/{subscription_id}", callbacks.unsubscribe)
    app.router.add_get("/obp/v1/notices", callbacks.notices)
    app.router.add_post("/obp/v1/notices/redeliver", callbacks.redeliver_many)
    app.router.add_get("/obp/v1/notices/{notice_id}", callbacks.notice)
    app.router.add_post("/obp/v1/notices/{notice_id}/redeliver", callbacks.redeliver)
    app.router.add_get("/obp/v1/links", callbacks.links)
    app.router.add_get("/obp/v1/traded-products", callbacks.traded_products)
    app.router.add_put("/obp/v1/traded-products/{product_code}", callbacks.trade)
    app.router.add_delete("/obp/v1/traded-products/{product_code}", callbacks.trade_no_longer)


def add_management_routes(app: web.Application, management: ManagementHandlers) -> None:
    """Add what the person at the stand calls."""
    app.router.add_post("/organisations", management.organisations)
    app.router.add_get("/outbox", management.outbox)
    app.router.add_get("/distribution", management.distributions)
    app.router.add_patch("/distribution/{market}", management.change_distribution)
    app.router.add_get("/alerts", management.alerts)
    app.router.add_get("/audit/pack", management.pack_audit)
