"""What stands behind the ports of the real systems, one for each service. No socket enters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from aiohttp import web

from emvs.soap_ports import SOAP_PORTS
from nmvs.soap.catalogue import SERVICES, Service
from nmvs.soap.interface import Interface
from nmvs.soap.wsdl import list_addresses

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class ServicePort(NamedTuple):
    """A port with one service behind it."""

    name: str
    """In `emvs.soap_ports`."""
    service: Service
    asks_certificate: bool


SERVICE_PORTS: Final = (
    *(
        ServicePort(name, SERVICES[name], asks_certificate=True)
        for name in ("single", "bulk", "mixed", "master", "support")
    ),
    ServicePort("pki", SERVICES["pki"], asks_certificate=False),
    ServicePort("pki_with_certificate", SERVICES["pki"], asks_certificate=True),
)
assert {port.name for port in SERVICE_PORTS} == SOAP_PORTS.keys(), "must be total"


def only_at_context(handler: Handler, service: Service) -> Handler:
    """Return a handler that knows no other context than the service's, in any case of letters."""
    context = f"/{service.context}/".upper()
    interface = Interface(services=(service,))

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path[: len(context)].upper() == context:
            return await handler(request)
        there = list_addresses(scheme=request.scheme, host=request.host, interface=interface)
        text = f"Not found. On this port there is the service {service.name}:\n{there}"
        response = web.Response(status=404, text=text)
        response.force_close()  # The body has not been read.
        return response

    return handle
