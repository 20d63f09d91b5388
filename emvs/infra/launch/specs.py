"""The configuration of each system, from the settings. The systems themselves check it."""

from __future__ import annotations

from typing import Final

from emvs.infra.launch.papers import HOST, hub_management_url, hub_url, management_url
from emvs.infra.launch.participants import MANUFACTURER
from emvs.infra.launch.settings import Settings
from emvs.infra.launch.system_process import SystemSpec

_OWN_CLIENT: Final = f"{MANUFACTURER['organisation_id']}/{MANUFACTURER['client_id']}"


def hub_spec(settings: Settings, dsn: str) -> SystemSpec:
    """Return what to start as the hub."""
    markets = settings.running_markets
    return SystemSpec(
        name="hub",
        module="hub",
        address=hub_url(settings),
        management=hub_management_url(settings),
        config=settings.hub_overrides
        | {
            "dsn": dsn,
            "host": HOST,
            "port": settings.hub_port,
            "identity": settings.hub_overrides.get("identity", {})
            | {"tls_port": settings.hub_secure_port, "exempt_client": _OWN_CLIENT},
            "management_host": HOST,
            "management_port": settings.hub_management_port,
            "markets": {
                market.code: {
                    "interconnect_url": f"http://{HOST}:{market.interconnect_port}",
                    "token": market.token,
                }
                for market in markets
            },
            "national_tokens": {market.code: market.token for market in markets},
        },
    )


def national_specs(settings: Settings, dsn: str) -> list[SystemSpec]:
    """Return what to start as national systems."""
    return [
        SystemSpec(
            name=f"nmvs-{market.code.lower()}",
            module="nmvs",
            address=f"http://{HOST}:{market.service_port}",
            management=management_url(market),
            config=market.overrides
            | {
                "market": market.code,
                "dsn": dsn,
                "host": HOST,
                "port": market.service_port,
                "tls": {
                    "port": market.secure_port,
                    "soap_ports": settings.soap_ports_of(market).get("single"),
                },
                "management_host": HOST,
                "management_port": market.management_port,
                "interconnect_port": market.interconnect_port,
                "interconnect_token": market.token,
                "hub_url": hub_url(settings),
                "dialects": list(market.dialects),
            },
        )
        for market in settings.running_markets
    ]
