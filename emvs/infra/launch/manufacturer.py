"""The demo's manufacturer: sends master data and packs to the hub over HTTP like any other.

Every upload is followed to its end; what is not distributed as it should is an error.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from emvs.infra.launch.errors import LaunchError
from emvs.infra.launch.goods import Batch, Product
from emvs.infra.launch.http_calls import CallError, HttpCalls
from emvs.infra.launch.participants import MANUFACTURER
from emvs.obp_messages import MarketPart, PacksMessage, PostalOrganisation, ProductMessage
from emvs.transaction_ids import Actor, IdentifierType, make_transaction_id, reference_length

_CONCURRENT_MAX: Final = 4
_BUSY_S_MAX: Final = 120.0
_BUSY_WAIT_S: Final = 0.5
_POLL_S_MIN: Final = 0.02
_POLL_S_MAX: Final = 0.5
_DISTRIBUTION_S_MAX: Final = 600.0
_DISTRIBUTED: Final = "STDS"
_LOST: Final = ("STIV", "STDF")

_COMPANY: Final = PostalOrganisation(
    id="DEMO-MAH",
    name="Demo Pharma",
    street="Example Street 1",
    street2="",
    city="Sampletown",
    postCode="1010",
    country="AT",
)

Progress = Callable[[int], None]
"""Told how many packs more are done."""


class Manufacturer:
    """A client of the hub with the demo's login."""

    def __init__(
        self,
        calls: HttpCalls,
        hub_url: str,
        token: str,
        *,
        now: datetime,
        held: Collection[str] = (),
    ) -> None:
        """`now` is the hub's time; it goes into transaction ids. Markets in `held` are not waited
        for."""
        self._calls = calls
        self._base = f"{hub_url}/obp/v1"
        self._token = token
        self._now = now
        self._held = held
        # Identifiers must differ from those of earlier starts; a million requests each.
        self._number = secrets.randbelow(10**5) * 10**6
        self._slots = asyncio.Semaphore(_CONCURRENT_MAX)

    async def send_products(self, products: Sequence[Product]) -> None:
        """Return when every market has the products' master data. Raises LaunchError."""
        ids = await asyncio.gather(*(self._send_product(product) for product in products))
        await asyncio.gather(*(self._until_distributed(transaction_id) for transaction_id in ids))

    async def send_batches(
        self, batches: Sequence[Batch], *, uploaded: Progress, distributed: Progress
    ) -> None:
        """Return when every market has loaded all packs. Raises LaunchError."""

        async def send(batch: Batch) -> None:
            async with self._slots:
                transaction_id = await self._send_batch(batch)
            uploaded(len(batch.serial_numbers))
            status = await self._until_distributed(transaction_id)
            for entry in self._awaited(status):
                if entry["loadedCount"] != len(batch.serial_numbers):
                    raise LaunchError(
                        f"{entry['market']} loaded {entry['loadedCount']} of"
                        f" {len(batch.serial_numbers)} packs of batch {batch.batch_id}:"
                        f" {entry['refusedSerials'][:3]}"
                    )
            distributed(len(batch.serial_numbers))

        await asyncio.gather(*(send(batch) for batch in batches))

    async def _send_product(self, product: Product) -> str:
        number = product.product_code[6:13]
        message = ProductMessage(
            transactionId=self._new_id("PMDR"),
            scheme="GTIN",
            productCode=product.product_code,
            name=product.name,
            commonName=product.common_name,
            pharmaceuticalForm="Tablet",
            strength="10 mg",
            packType="Box",
            packSize=30,
            atcCodes=[product.atc_code],
            markets=[
                MarketPart(
                    market=market, nationalCode=number, marketingAuthorisationHolder=_COMPANY
                )
                for market in product.markets
            ],
        )
        return await self._post("PMDR", message)

    async def _send_batch(self, batch: Batch) -> str:
        message = PacksMessage(
            transactionId=self._new_id("PPDC"),
            scheme="GTIN",
            productCode=batch.product.product_code,
            batchId=batch.batch_id,
            expiry=batch.expiry,
            manufacturer=_COMPANY,
            serialNumbers=batch.serial_numbers,
        )
        return await self._post("PPDC", message)

    def _new_id(self, message_type: str) -> str:
        self._number += 1
        assert self._number < 10 ** reference_length(message_type)
        return make_transaction_id(
            message_type,
            IdentifierType.REQUEST,
            Actor.MANUFACTURER,
            organisation_id=MANUFACTURER["organisation_id"],
            client_id=MANUFACTURER["client_id"],
            now=self._now,
            number=self._number,
        )

    async def _post(self, message_type: str, message: ProductMessage | PacksMessage) -> str:
        """Return the transaction id once the hub has acknowledged it; a busy hub is asked again."""
        deadline = time.monotonic() + _BUSY_S_MAX
        while True:
            try:
                await self._calls.post(f"{self._base}/{message_type}", message, token=self._token)
            except CallError as error:
                if error.status != 503 or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_BUSY_WAIT_S)
            else:
                return message.transactionId

    async def _until_distributed(self, transaction_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + _DISTRIBUTION_S_MAX
        wait_s = _POLL_S_MIN
        url = f"{self._base}/requests/{transaction_id}"
        while True:
            status: dict[str, Any] = await self._calls.get(url, token=self._token)
            steps = [entry["status"] for entry in status["history"]]
            if _DISTRIBUTED in steps or (self._held and self._is_where_awaited(status)):
                return status
            if any(step in steps for step in _LOST):
                raise LaunchError(f"the hub did not distribute {transaction_id}: {_why(status)}")
            if time.monotonic() > deadline:
                raise LaunchError(
                    f"{transaction_id} was not distributed within {_DISTRIBUTION_S_MAX:g} s"
                )
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 1.5, _POLL_S_MAX)

    def _awaited(self, status: dict[str, Any]) -> list[dict[str, Any]]:
        return [entry for entry in status["markets"] if entry["market"] not in self._held]

    def _is_where_awaited(self, status: dict[str, Any]) -> bool:
        states = {entry["status"] for entry in self._awaited(status)}
        return bool(status["markets"]) and states <= {"Distributed"}


def _why(status: dict[str, Any]) -> str:
    reasons = [f"{defect['field']}: {defect['text']}" for defect in status["defects"]]
    reasons += [
        f"{entry['market']} {entry['status']} {entry['lastError'] or ''}".strip()
        for entry in status["markets"]
        if entry["status"] != "Distributed"
    ]
    return "; ".join(reasons[:3]) or status["status"]
