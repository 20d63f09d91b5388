"""What the demo's story talks to: tills in two markets, the manufacturer, the systems' clocks.

Read from `endpoints.json` and the `demo.json` beside it, as `emvs up` writes them.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import msgspec

from emvs.errors import EmvsError, UsageError
from emvs.markets import Dialect
from emvs.scan import Scan, build_scan_text, parse_scan
from emvs.scheme import Scheme
from emvs.transaction_ids import Actor, IdentifierType, make_transaction_id
from pharmacy_client.client import PharmacyClient
from pharmacy_client.profile import Profile

_HTTP_S: Final = 30.0
_RECALL_S_MAX: Final = 30.0
_POLL_S: Final = 0.1


class DemoError(EmvsError):
    """A system of the demo does not do what the story needs."""

    title = "Demo"


class Side:
    """One market of the story, with two pharmacies that speak its dialect."""

    def __init__(
        self, market: str, dialect: Dialect, tills: list[PharmacyClient], world: DemoWorld
    ) -> None:
        self.market = market
        self.dialect = dialect
        self.first, self.second = tills
        self._world = world
        packs = [pack for pack in world.demo["story"] if pack["market"] == market]
        self._packs = iter(packs)
        self.main_pack = self.next_pack()
        recallable = next(e for e in world.demo["recallable"] if e["market"] == market)
        self.recall_product, self.recall_batch = recallable["product_code"], recallable["batch"]
        self.recall_pack: str = recallable["packs"][0]["scan"]
        self.expired_pack = next(
            pack["scan"] for pack in world.demo["expired"] if pack["market"] == market
        )

    def next_pack(self) -> str:
        """Return the scan of a pack that the story has not used."""
        return str(next(self._packs)["scan"])

    async def trail(self) -> list[dict[str, str | None]]:
        """Return the audit trail of the main pack."""
        scan = parse_scan(self.main_pack)
        management = self._world.endpoints["markets"][self.market]["management"]
        answer = await self._world.get(
            f"{management}/trail", product_code=scan.product_code, serial=scan.serial_number
        )
        entries: list[dict[str, str | None]] = answer["entries"]
        return entries


class DemoWorld:
    """The running systems. To be used as `async with`."""

    def __init__(self, endpoints: Path) -> None:
        self._path = endpoints
        self.endpoints = _read(endpoints)
        self.demo = _read(endpoints.parent / "demo.json")
        self._exits = AsyncExitStack()
        self.sides: list[Side] = []
        self._message_number = int(datetime.now(UTC).timestamp() * 1000)

    async def __aenter__(self) -> Self:
        self._http = await self._exits.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_HTTP_S))
        )
        pair: list[str] = next(iter(self.demo["multi_market"]), {"markets": []})["markets"]
        self.sides = [
            await self._side(market, dialect)
            for market, dialect in zip(pair, (Dialect.SOAP, Dialect.REST), strict=False)
        ]
        if len(self.sides) < 2:
            raise UsageError("the story needs a SOAP market and a REST market: see --markets")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    async def _side(self, market: str, dialect: Dialect) -> Side:
        tills = [
            await self._exits.enter_async_context(
                PharmacyClient(
                    Profile.from_endpoints(self._path, market, number=number, dialect=dialect)
                )
            )
            for number in range(2)
        ]
        return Side(market, dialect, tills, self)

    @property
    def multi_market_pack(self) -> str:
        """Scan of a pack that both markets hold."""
        return str(self.demo["multi_market"][0]["scan"])

    @property
    def foreign_pack(self) -> tuple[str, str]:
        """Market and scan of a pack that neither of the two markets holds."""
        ours = {side.market for side in self.sides}
        pack = next(pack for pack in self.demo["foreign"] if pack["market"] not in ours)
        return pack["market"], pack["scan"]

    async def advance_clocks(self, seconds: int) -> None:
        """Move the clock of every system."""
        managements = [self.endpoints["hub"]["management"]]
        managements += [market["management"] for market in self.endpoints["markets"].values()]
        for management in managements:
            async with self._http.post(
                f"{management}/clock", json={"advance_s": seconds}
            ) as response:
                if response.status != 200:
                    raise DemoError(f"{management} did not move its clock: {response.status}")

    async def recall(self, side: Side) -> str:
        """Recall a batch of a side's market as its manufacturer; return the last status."""
        login = next(p["hub"] for p in self.endpoints["participants"] if p["kind"] == "obp")
        headers = {"Authorization": f"Bearer {login['token']}"}
        self._message_number += 1
        transaction_id = make_transaction_id(
            "RCBR",
            IdentifierType.REQUEST,
            Actor.MANUFACTURER,
            organisation_id=login["organisation_id"],
            client_id=login["client_id"],
            now=datetime.now(UTC),
            number=self._message_number % 10**12,
        )
        base = f"{self.endpoints['hub']['url']}/obp/v1"
        message = {
            "transactionId": transaction_id,
            "productCode": side.recall_product,
            "batchId": side.recall_batch,
            "reason": "Demo: tablets of the wrong strength",
            "markets": [side.market],
        }
        async with self._http.post(f"{base}/RCBR", json=message, headers=headers) as response:
            if response.status != 202:
                raise DemoError(f"the hub refused the recall: {await response.text()}")
        async with asyncio.timeout(_RECALL_S_MAX):
            while True:
                status = await self.get(f"{base}/requests/{transaction_id}", headers=headers)
                if status["status"] in {"STDS", "STDF", "STIV"}:
                    return str(status["status"])
                await asyncio.sleep(_POLL_S)

    async def get(
        self, url: str, *, headers: dict[str, str] | None = None, **query: str
    ) -> dict[str, Any]:
        """Return a system's JSON answer."""
        async with self._http.get(url, params=query, headers=headers) as response:
            if response.status != 200:
                raise DemoError(f"{url} answered {response.status}: {await response.text()}")
            answer: dict[str, Any] = await response.json()
            return answer


def altered(
    scan_text: str,
    *,
    product_code: str | None = None,
    serial_number: str | None = None,
    batch_id: str | None = None,
    expiry: str | None = None,
) -> str:
    """Return a scan with one element replaced."""
    scan: Scan = parse_scan(scan_text)
    return build_scan_text(
        scheme=Scheme.GTIN,
        product_code=product_code or scan.product_code,
        serial_number=serial_number or scan.serial_number,
        batch_id=batch_id or scan.batch_id,
        expiry=expiry or scan.expiry,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; is `emvs up` running?") from error
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} is not what `emvs up` writes: {error}") from error
