"""What the outside reads: `endpoints.json`, a public contract, and `demo.json` for the story.

Pure: settings and batches come in, documents come out. Files are written by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emvs.infra.launch.goods import Batch, product_code
from emvs.infra.launch.participants import MANUFACTURER, participants_of
from emvs.infra.launch.settings import MarketSettings, Settings
from emvs.markets import Dialect

HOST = "127.0.0.1"
CA_FILE = "certificates/ca.pem"
"""Relative to endpoints.json, as all paths in it."""
_UNKNOWN_PRODUCT_NUMBER = 999_999_999
_UNKNOWN_SERIAL = "N9VER9PLADED"
_UNKNOWN_BATCH = "NO-SUCH-LOTS"
"""Both as long as those of a story, so that no fault of the scanner is suspected."""


def hub_url(settings: Settings) -> str:
    """Return where manufacturers and national systems reach the hub."""
    return f"http://{HOST}:{settings.hub_port}"


def hub_management_url(settings: Settings) -> str:
    """Return the hub's management address."""
    return f"http://{HOST}:{settings.hub_management_port}"


def management_url(market: MarketSettings) -> str:
    """Return the management address of a national system."""
    return f"http://{HOST}:{market.management_port}"


def endpoints_document(settings: Settings, batches: Sequence[Batch]) -> dict[str, Any]:
    """Return the content of endpoints.json."""
    return {
        "ca": CA_FILE,
        "hub": {
            "url": hub_url(settings),
            "secure": f"https://{HOST}:{settings.hub_secure_port}",
            "management": hub_management_url(settings),
        },
        "markets": {
            market.code: _addresses(market)
            | {"soap_ports": _soap_ports(settings.soap_ports_of(market))}
            for market in settings.running_markets
        },
        "participants": [
            *(
                _participant(market, registration)
                for market in settings.running_markets
                for registration in participants_of(market)
            ),
            _manufacturer(settings),
        ],
        "packs": _of_purpose(batches, "fresh"),
    }


def demo_document(settings: Settings, batches: Sequence[Batch]) -> dict[str, Any]:
    """Return the content of demo.json: packs set aside for stories, each in the form of `packs`."""
    return {
        "story": _of_purpose(batches, "story"),
        "multi_market": [
            {"markets": list(batch.product.markets), **pack}
            for batch in batches
            if batch.purpose == "multi"
            for pack in batch.packs()
        ],
        "foreign": [
            {"market": batch.product.markets[0], **batch.packs()[-1]}
            for batch in batches
            if batch.purpose == "story" and len(settings.running) > 1
        ],
        "expired": _of_purpose(batches, "expired"),
        "recallable": [
            {
                "market": batch.product.markets[0],
                "product_code": batch.product.product_code,
                "batch": batch.batch_id,
                "packs": [{"market": batch.product.markets[0], **pack} for pack in batch.packs()],
            }
            for batch in batches
            if batch.purpose == "recall"
        ],
        "wrong": {
            "product_code": product_code(_UNKNOWN_PRODUCT_NUMBER),
            "serial": _UNKNOWN_SERIAL,
            "batch": _UNKNOWN_BATCH,
            "expiry": "400131",
        },
    }


def stock_document(batches: Sequence[Batch]) -> dict[str, Any]:
    """Return the content of stock.json: the packs of `--packs`, in the form of `packs`."""
    return {"packs": _of_purpose(batches, "stock")}


def certificate_file(market_code: str, client_login_id: str) -> str:
    """Return the path of a participant's certificate and key, relative to endpoints.json."""
    return f"certificates/{market_code}/{client_login_id}.pem"


def _addresses(market: MarketSettings) -> dict[str, Any]:
    """Return where a market's participants connect: as clients of the real systems do with SOAP,
    the simplest way with REST; and both the other way."""
    plain = _services(market, f"http://{HOST}:{market.service_port}")
    secure = _services(market, f"https://{HOST}:{market.secure_port}")
    return {
        "soap": secure["soap"],
        "rest": plain["rest"],
        "token": plain["token"],
        "management": management_url(market),
        "plain": plain,
        "secure": secure,
    }


def _soap_ports(ports: dict[str, int]) -> dict[str, str] | None:
    return {name: f"https://{HOST}:{port}" for name, port in ports.items()} or None


def _services(market: MarketSettings, base: str) -> dict[str, str | None]:
    speaks_rest = Dialect.REST in market.dialects
    return {
        "soap": base if Dialect.SOAP in market.dialects else None,
        "rest": f"{base}/verification" if speaks_rest else None,
        "token": f"{base}/connect/token" if speaks_rest else None,
    }


def _participant(market: MarketSettings, registration: dict[str, Any]) -> dict[str, Any]:
    soap = registration["soap"]
    if soap is not None:
        file = certificate_file(market.code, soap["client_login_id"])
        shown = {name: value for name, value in soap.items() if name != "initial"}
        soap = {**shown, "certificate": file, "key": None}
    return {"market": market.code, **registration, "soap": soap}


def _manufacturer(settings: Settings) -> dict[str, Any]:
    return {
        "market": None,
        "kind": "obp",
        "name": MANUFACTURER["name"],
        "location": MANUFACTURER["location"],
        "rest": None,
        "soap": None,
        "hub": {
            "organisation_id": MANUFACTURER["organisation_id"],
            "client_id": MANUFACTURER["client_id"],
            "token": settings.manufacturer_token,
        },
    }


def _of_purpose(batches: Sequence[Batch], purpose: str) -> list[dict[str, Any]]:
    return [
        {"market": batch.product.markets[0], **pack}
        for batch in batches
        if batch.purpose == purpose
        for pack in batch.packs()
    ]
