"""A manufacturer's client, its messages, and a hub with everything connected to it."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import aiohttp
import msgspec

from emvs.transaction_ids import reference_length
from hub.app import Hub
from hub.config import MarketConfig, RetryConfig
from tests.integration.hub.national_wire import WIRE_TOKEN, NationalWire

CLIENT_TOKEN = "token-of-the-manufacturer-1"
CODE = "09506000134376"
DONE = {"STIV", "STDS", "STDF"}
ADDRESS = {
    "name": "Example Pharma",
    "street": "High Street 1",
    "street2": "",
    "city": "Dublin",
    "postCode": "D01",
    "country": "IE",
}


@dataclass
class Obp:
    """A manufacturer's client."""

    url: str
    http: aiohttp.ClientSession
    organisation_id: str = "10001"
    client_id: str = "001"
    token: str = CLIENT_TOKEN
    actor: str = "M"
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def transaction_id(self, message_type: str) -> str:
        """Return a new transaction id."""
        reference = f"{next(self.numbers):0{reference_length(message_type)}d}"
        return (
            f"{message_type}RQ{self.actor}{self.organisation_id}{self.client_id}2026326{reference}"
        )

    async def post(
        self, message_type: str, message: Any, **options: Any
    ) -> tuple[int, dict[str, Any], Any]:
        """Send a message, or a body as it is; return status, answer and headers."""
        body = message if isinstance(message, bytes) else msgspec.json.encode(message)
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        async with self.http.post(
            f"{self.url}/obp/v1/{message_type}", data=io.BytesIO(body), headers=headers, **options
        ) as response:
            return response.status, await response.json(content_type=None), response.headers

    async def send(self, message_type: str, **members: Any) -> str:
        """Send a message that is taken; return its transaction id."""
        message = {"transactionId": self.transaction_id(message_type), **members}
        status, answer, _ = await self.post(message_type, message)
        assert status == 202, answer
        return str(message["transactionId"])

    async def get(self, path: str, **query: str) -> tuple[int, dict[str, Any]]:
        """Ask the hub."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.get(
            f"{self.url}/obp/v1/{path}", params=query, headers=headers
        ) as response:
            return response.status, await response.json()

    async def ended(self, transaction_id: str, *, until: set[str] = DONE) -> dict[str, Any]:
        """Return the status of a request once it has come to an end."""
        async with asyncio.timeout(30):
            while True:
                status, answer = await self.get(f"requests/{transaction_id}")
                assert status == 200, answer
                if answer["status"] in until:
                    return answer
                await asyncio.sleep(0.02)

    async def attempted(self, transaction_id: str, count: int = 1) -> dict[str, Any]:
        """Return the status of a request once its first market was tried so often."""
        async with asyncio.timeout(30):
            while True:
                _, answer = await self.get(f"requests/{transaction_id}")
                if answer["markets"] and answer["markets"][0]["attempts"] >= count:
                    return answer
                await asyncio.sleep(0.02)

    async def product(self, *markets: str, code: str = CODE) -> dict[str, Any]:
        """Send a product and return how it ended."""
        return await self.ended(await self.send("PMDR", **product(*markets, code=code)))

    async def packs(
        self, serial_numbers: list[str], *, kind: str = "PPDC", **members: Any
    ) -> dict[str, Any]:
        """Send packs and return how they ended."""
        message = packs(serial_numbers, **members)
        return await self.ended(await self.send(kind, **message))


def product(*markets: str, code: str = CODE) -> dict[str, Any]:
    """Return master data."""
    return {
        "scheme": "GTIN",
        "productCode": code,
        "name": "Examplol 10 mg tablets",
        "commonName": "examplol",
        "pharmaceuticalForm": "tablet",
        "strength": "10 mg",
        "packType": "blister",
        "packSize": 30,
        "markets": [
            {"market": market, "marketingAuthorisationHolder": ADDRESS} for market in markets
        ],
    }


def packs(serial_numbers: list[str], **members: Any) -> dict[str, Any]:
    """Return packs of a batch."""
    return {
        "productCode": CODE,
        "batchId": "LOT1",
        "expiry": "301231",
        "manufacturer": ADDRESS,
        "serialNumbers": serial_numbers,
        **members,
    }


@dataclass
class Stand:
    """A hub, its national systems, a manufacturer registered with it."""

    hub: Hub
    wires: dict[str, NationalWire]
    obp: Obp
    http: aiohttp.ClientSession

    async def manage(self, method: str, path: str, **message: Any) -> tuple[int, dict[str, Any]]:
        """Talk to the management port."""
        async with self.http.request(
            method, f"{self.hub.management}{path}", json=message or None
        ) as response:
            return response.status, await response.json()


StartStand: TypeAlias = Callable[..., Awaitable[Stand]]
FAST_RETRY = RetryConfig(first_wait_s=0.02, wait_s_max=0.1, attempt_s_max=0.5)


async def register(http: aiohttp.ClientSession, management: str, **changes: str) -> str:
    """Register the manufacturer; return its token."""
    registration = {
        "organisationId": "10001",
        "name": "Example Pharma",
        "kind": "obp",
        "clientId": "001",
        "token": CLIENT_TOKEN,
    } | changes
    async with http.post(f"{management}/organisations", json=registration) as response:
        answer = await response.json()
        assert response.status == 200, answer
        return str(answer["token"])


def hub_settings(dsn: str, schema_name: str, wires: dict[str, NationalWire]) -> dict[str, Any]:
    """Return the configuration of a hub connected to these."""
    return {
        "dsn": dsn,
        "schema": schema_name,
        "markets": {code: MarketConfig(wire.url, WIRE_TOKEN) for code, wire in wires.items()},
        "national_tokens": {code: f"interconnect-token-of-{code}" for code in wires},
        "retry": FAST_RETRY,
        "seed": 1,
    }
