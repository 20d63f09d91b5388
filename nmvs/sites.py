"""What a national system listens on: service, interconnect and management port, put together.

Which handlers stand behind which port is decided here; what they do, elsewhere.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from emvs.infra.management import add_common_routes, add_waiting_routes
from emvs.infra.tls import server_context
from emvs.infra.web import Site, render_errors, serve_app, serve_handler
from emvs.markets import Dialect
from emvs.soap_ports import SOAP_PORTS, placed
from nmvs import management
from nmvs.alert_routes import add_hub_routes, add_management_routes
from nmvs.audit_routes import add_audit_routes, add_pack_audit_route
from nmvs.batch_counts import BatchCounting, add_batch_counts_route
from nmvs.certificates.gate import Guarded, certificate_client
from nmvs.certificates.routes import add_routes as add_certificate_routes
from nmvs.config import TlsConfig
from nmvs.exemption_routes import add_routes as add_exemption_routes
from nmvs.identity_routes import add_routes as add_identity_routes
from nmvs.integrity import IntegrityReport, compare_index_with_database
from nmvs.interconnect import create_interconnect_app
from nmvs.ledger_metrics import LedgerCollector
from nmvs.listener import Handler, WireDialect, choose_dialect
from nmvs.logins.enrolment import LoginEnrolment
from nmvs.logins.routes import add_routes as add_login_routes
from nmvs.master_data import MasterData
from nmvs.metrics import NationalSystemCollector
from nmvs.packs_for_tests import MakerOfTestPacks
from nmvs.reports.rights_routes import add_rights_routes
from nmvs.rest.body_memory import BodyMemory
from nmvs.rest.bulk_routes import BulkRoutes
from nmvs.rest.dialect import RestDialect
from nmvs.rest.route_list import all_routes
from nmvs.soap.bulk_calls import BulkCalls
from nmvs.soap.bulk_intake import Intake
from nmvs.soap.data_calls import DataCalls
from nmvs.soap.dialect import SoapDialect
from nmvs.soap.frequency import Frequency
from nmvs.soap.parts import SoapParts
from nmvs.soap.ports import SERVICE_PORTS, only_at_context

if TYPE_CHECKING:
    from nmvs.app import NationalSystem

_SERVER_LIFE: Final = timedelta(days=825)
"""As long as common clients take one; made again at each start."""


async def open_sites(
    system: NationalSystem, exits: AsyncExitStack, make_room: Callable[[], Awaitable[None]]
) -> dict[str, Site]:
    """Open all listeners of a system, the public one last; `exits` closes them, that one first.
    `make_room` frees their ports, once nothing is left to do but to listen: nobody who asks
    meanwhile whether the system is ready must find that nobody listens."""
    config = system.config
    parts = _soap_parts(system)
    handler, secure_handler = _service(system, parts)
    opening: list[tuple[str, Coroutine[Any, Any, Site]]] = [
        (
            "management",
            serve_app(_management(system), config.management_host, config.management_port),
        ),
        ("interconnect", serve_app(_interconnect(system), config.host, config.interconnect_port)),
    ]
    if config.tls is not None:
        opening.append(("secure", _serve_secure(system, secure_handler, config.tls)))
        opening += _serve_services(system, config.tls, parts)
    if config.plain:
        opening.append(("service", serve_handler(handler, config.host, config.port)))
    sites: dict[str, Site] = {}
    try:
        await make_room()
        while opening:
            name, site = opening.pop(0)
            sites[name] = await site
            exits.push_async_callback(sites[name].close)
    finally:
        for _, site in opening:  # A port before them was taken.
            site.close()
    return sites


async def open_waiting_site(system: NationalSystem, exits: AsyncExitStack) -> None:
    """Answer on the management port, if it is known, how far the start has come; `exits` ends
    that."""
    config = system.config
    if not config.management_port:
        return
    app = web.Application(middlewares=[render_errors])
    add_waiting_routes(app, lambda: {**system.loading.members(), "system": "nmvs"})
    site = await serve_app(app, config.management_host, config.management_port)
    exits.push_async_callback(site.close)


async def _serve_secure(system: NationalSystem, handler: Handler, tls: TlsConfig) -> Site:
    asks_client = tls.client_certificates and Dialect.SOAP in system.dialects
    return await serve_handler(
        handler, system.config.host, tls.port, tls=_context(system, tls, asks_client=asks_client)
    )


def _context(system: NationalSystem, tls: TlsConfig, *, asks_client: bool) -> ssl.SSLContext:
    authority = system.certificates.authority
    issued = authority.issue_server(tls.names, system.clock.real_now(), _SERVER_LIFE)
    return server_context(issued, authority.root_pem, asks_client=asks_client)


def _serve_services(
    system: NationalSystem, tls: TlsConfig, parts: SoapParts
) -> list[tuple[str, Coroutine[Any, Any, Site]]]:
    """Return the listeners of the SOAP services, one for each, if they are wanted."""
    if tls.soap_ports is None or Dialect.SOAP not in system.dialects:
        return []
    numbers = placed(tls.soap_ports) if tls.soap_ports else dict.fromkeys(SOAP_PORTS, 0)
    contexts = {asks: _context(system, tls, asks_client=asks) for asks in (False, True)}
    opening = []
    for port in SERVICE_PORTS:
        asks_client = tls.client_certificates and port.asks_certificate
        dialect: WireDialect = SoapDialect(parts, (port.service,))
        if asks_client:
            dialect = Guarded(dialect, system.certificates, first_comes_here=False)
        site = serve_handler(
            only_at_context(dialect.handle, port.service),
            system.config.host,
            numbers[port.name],
            tls=contexts[asks_client],
        )
        opening.append((f"soap_{port.name}", site))
    return opening


def _service(system: NationalSystem, parts: SoapParts) -> tuple[Handler, Handler]:
    """Return what stands behind the port without TLS, and behind the one with it."""
    soap = rest = guarded = None
    if Dialect.SOAP in system.dialects:
        soap = SoapDialect(parts)
        wants_certificates = parts.certificate_client is not None
        guarded = Guarded(soap, system.certificates) if wants_certificates else soap
    if Dialect.REST in system.dialects:
        rest = RestDialect(
            system.operations,
            system.directory,
            system.signing_keys,
            system.sightings,
            system.rest_settings,
            routes=all_routes(
                documents=system.documents,
                bulk=BulkRoutes(
                    system.bulk,
                    system.operations,
                    system.rest_settings,
                    BodyMemory(system.bulk_settings.bodies_bytes_max),
                ),
            ),
        )
    return choose_dialect(soap, rest), choose_dialect(guarded, rest)


def _soap_parts(system: NationalSystem) -> SoapParts:
    settings, tls = system.soap_settings, system.config.tls
    shown = None
    if tls is not None and tls.client_certificates:
        shown = partial(certificate_client, certificates=system.certificates)
    operations = system.operations
    test_packs = MakerOfTestPacks(
        system.database,
        system.catalogue,
        system.deliveries,
        system.clock,
        per_day_max=settings.test_packs_per_day_max,
    )
    master_data = MasterData(system.database, system.catalogue)
    return SoapParts(
        operations=operations,
        logins=system.logins,
        certificates=system.certificates,
        bulk_calls=BulkCalls(system.bulk, operations, settings),
        data_calls=DataCalls(master_data, test_packs, operations, settings),
        intake=Intake(system.bulk, settings),
        settings=settings,
        frequency=None if settings.rate_plan is None else Frequency(settings.rate_plan),
        certificate_client=shown,
    )


def _interconnect(system: NationalSystem) -> web.Application:
    app = create_interconnect_app(
        token=system.config.interconnect_token,
        deliveries=system.deliveries,
        operations=system.operations,
        directory=system.directory,
        recovery=system.recovery,
        synchronisation=system.synchronisation,
        state_deliveries=system.state_deliveries,
    )
    add_hub_routes(app, system.alerts, system.alert_report)
    add_pack_audit_route(app, system.audit)
    add_batch_counts_route(app, BatchCounting(system.database))
    return app


def _management(system: NationalSystem) -> web.Application:
    app = web.Application(middlewares=[render_errors])

    async def health() -> dict[str, Any]:
        return {
            "status": "ok" if system.recovery.is_serving else "recovering",
            "system": "nmvs",
            "market": system.market.code,
            "dialects": list(system.dialects),
            "packs": len(system.index),
            "participants": len(system.directory),
            "waiting": system.ledger.groups.waiting_count,
            "failure": system.recovery.failure,
        }

    async def check() -> IntegrityReport:
        async with system.deliveries.one_at_a_time:  # Nor does retention purge meanwhile.
            return await compare_index_with_database(system.index, system.store, system.ledger)

    add_common_routes(
        app,
        clock=system.clock,
        health=health,
        move_clock=system.move_clock,
        collectors=[
            NationalSystemCollector(system.operations.metrics, _gauges(system)),
            LedgerCollector(system.ledger.groups),
            system.operations.times,
            system.loop_watch,
        ],
    )
    login_enrolment = LoginEnrolment(system.logins)
    management.add_routes(
        app,
        directory=system.directory,
        logins=login_enrolment,
        store=system.store,
        keys=system.keys,
        check=check,
    )
    add_login_routes(app, system.logins, login_enrolment)
    add_identity_routes(app, system.directory.enrolment, system.sightings)
    add_exemption_routes(app, system.exemptions)
    add_certificate_routes(app, system.certificates, system.clock)
    add_management_routes(app, system.alerts)
    add_audit_routes(app, system.audit, system.retention.report)
    rights = system.documents.sources.rights
    add_rights_routes(app, rights, system.clock, system.directory.enrolment)
    return app


def _gauges(system: NationalSystem) -> dict[str, tuple[str, Callable[[], float]]]:
    groups = system.ledger.groups
    forwarder = system.alert_forwarder
    return {
        "packs": ("Packs in the index.", lambda: len(system.index)),
        "index_bytes": ("Memory of the index.", system.index.memory_bytes),
        "ledger_waiting": ("Entries that wait for a commit.", lambda: groups.waiting_count),
        "ledger_entries": ("Entries written.", lambda: groups.entry_count),
        "ledger_groups": ("Groups written.", lambda: groups.group_count),
        "ledger_failures": ("Writes that failed.", lambda: groups.failure_count),
        "packs_loaded": (
            "Packs loaded since the start.",
            lambda: system.deliveries.packs_loaded_count,
        ),
        "throttled": (
            "Requests refused for a rate plan since the start.",
            lambda: system.operations.metrics.throttled_count,
        ),
        "alerts_forwarded": (
            "Alert reports that the hub has taken since the start.",
            lambda: forwarder.forwarded_count if forwarder else 0,
        ),
        **system.synchronisation.gauges(),
        **system.bulk.gauges(),
    }
