"""What the hub listens on: the public and the management port, put together.

Which handlers stand behind which port is decided here; their paths are `hub.routes`'.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from emvs.infra.management import add_common_routes
from emvs.infra.web import Site, render_errors, serve_app
from hub.alert_handlers import AlertHandlers
from hub.callback_handlers import CallbackHandlers
from hub.callers import client_of
from hub.descriptions import add_description_routes
from hub.epcis.captures import Captures
from hub.epcis.handlers import EpcisHandlers
from hub.handlers import NationalHandlers, ObpHandlers
from hub.management import ManagementHandlers
from hub.metrics import CallbackCollector, HubCollector
from hub.reports.handlers import ReportHandlers
from hub.routes import add_callback_routes, add_management_routes, add_public_routes
from hub.serials import StreamHandlers
from hub.subscriptions import Subscriptions
from hub.synchronisation import Synchronisation
from hub.xml_twin.answering import answer_in_kind

if TYPE_CHECKING:
    from hub.app import Hub


async def open_sites(hub: Hub, exits: AsyncExitStack) -> dict[str, Site]:
    """Listen on the ports `public` and `management`; `exits` closes them."""
    config = hub.config
    wanted = {
        "management": (_management_app(hub), config.management_host, config.management_port),
        "public": (_public_app(hub), config.host, config.port),
    }
    sites = {}
    for name, (app, host, port) in wanted.items():
        sites[name] = await serve_app(app, host, port)
        exits.push_async_callback(sites[name].close)
    return sites


def _public_app(hub: Hub) -> web.Application:
    pool, clock = hub.database.pool, hub.clock
    organisations, limits = hub.organisations, hub.config.limits
    app = web.Application(middlewares=[answer_in_kind, render_errors, hub.identity.door()])
    hub.identity.add_routes(app.router)
    add_description_routes(app.router)
    ReportHandlers(hub.reports, organisations).add_routes(app.router)
    obp = ObpHandlers(
        pool=pool,
        organisations=organisations,
        reception=hub.reception,
        limits=limits,
        progress=hub.progress,
    )
    national = NationalHandlers(
        intermarket=hub.intermarket,
        synchronisation=Synchronisation(pool=pool, clock=clock, outbox=hub.outbox),
        systems_by_token=hub.systems_by_token,
    )
    alerts = AlertHandlers(hub.alerts, organisations, hub.systems_by_token)
    captures = Captures(
        pool=pool,
        clock=clock,
        reception=hub.reception,
        serials_per_message=limits.serials_per_message_max,
    )
    EpcisHandlers(captures, organisations, body_s_max=limits.body_read_s_max).add_routes(app)
    subscriptions = Subscriptions(
        pool=pool, clock=clock, callbacks=hub.callbacks, config=hub.config.callbacks
    )
    add_callback_routes(
        app,
        CallbackHandlers(
            pool=pool, clock=clock, organisations=organisations, subscriptions=subscriptions
        ),
    )
    streams = StreamHandlers(pool, hub.progress, partial(client_of, organisations))
    add_public_routes(app, obp, national, alerts, streams)
    return app


def _management_app(hub: Hub) -> web.Application:
    app = web.Application(middlewares=[render_errors])
    collector = HubCollector(
        reception=hub.reception,
        loader=hub.loader,
        outbox=hub.outbox,
        couriers=hub.couriers,
        intermarket=hub.intermarket,
    )
    add_common_routes(
        app,
        clock=hub.clock,
        health=hub.health,
        move_clock=hub.move_clock,
        collectors=[collector, CallbackCollector(hub.callbacks)],
    )
    handlers = ManagementHandlers(
        pool=hub.database.pool,
        organisations=hub.organisations,
        couriers=hub.couriers,
        audits=hub.audits,
        alerts=hub.alerts,
        distribution=hub.distribution,
    )
    add_management_routes(app, handlers)
    hub.identity.add_management_routes(app.router)
    return app
