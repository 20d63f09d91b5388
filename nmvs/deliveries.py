"""What the hub delivers: products, packs, recalls, withdrawals. Applied once, however often sent.

One delivery at a time: the database first, memory after the commit. A delivery that cannot be
accepted is answered so and not repeated; trouble is raised, and the hub tries again. Answers are
DeliveryResults in JSON, as they are stored: one may name a quarter of a million packs, and is
neither built nor read in one go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import msgspec
import numpy as np

from emvs.character_sets import is_set82
from emvs.errors import BadRequestError, UnavailableError
from emvs.expiry import parse_expiry
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from emvs.interconnect import (
    DeliveryResult,
    PacksDelivery,
    ProductDelivery,
    RecallDelivery,
    WithdrawalDelivery,
)
from emvs.limits import SERIALS_PER_MESSAGE_MAX
from emvs.scanner_hints import Shape
from emvs.scheme import Scheme
from emvs.states import State
from nmvs.catalogue import Catalogue, Product, shared_versions
from nmvs.delivery_store import DeliveryStore
from nmvs.pack_index import SLICE_COUNT_MAX, PackIndex, PackIndexFullError
from nmvs.pack_intake import PackIntake
from nmvs.pack_keys import KEY_BYTES, PackKeys
from nmvs.start_up import fill_catalogue
from nmvs.store import Store

_STORED_AT_ONCE: Final = 2_048
"""Packs looked for in memory, and read from the database, between two turns of the event loop."""

_log = get_logger(__name__)


class Deliveries:
    """Applies the hub's deliveries."""

    def __init__(
        self,
        *,
        store: Store,
        written: DeliveryStore,
        catalogue: Catalogue,
        keys: PackKeys,
        index: PackIndex,
        clock: Clock,
        packs_came: asyncio.Event | None = None,
    ) -> None:
        """`packs_came` is set whenever packs have become known."""
        self._packs_came = packs_came or asyncio.Event()
        self._store = store
        self._written = written
        self._catalogue = catalogue
        self._keys = keys
        self._index = index
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._in_doubt = False
        self.packs_loaded_count = 0

    @property
    def one_at_a_time(self) -> asyncio.Lock:
        """Held while a delivery is applied."""
        return self._one_at_a_time

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Take a turn alone. If one ends in trouble its commit may have happened all the same: the
        next begins by reading products and batches again."""
        async with self._one_at_a_time:
            if self._in_doubt:
                await fill_catalogue(self._catalogue, self._store)
                self._in_doubt = False
            try:
                yield
            except BaseException:
                self._in_doubt = True
                raise

    async def product(self, delivery_id: str, message: ProductDelivery) -> str:
        """Store a version of a product."""
        if message.scheme not in Scheme.__members__:
            raise BadRequestError(f"{message.scheme!a} is no product code scheme")
        async with self._turn():
            if known := await self._known(delivery_id):
                return known
            result = _json(DeliveryResult(delivery_id, accepted=True))
            row = (
                message.productCode,
                message.scheme,
                message.version,
                message.name,
                message.commonName,
                message.nationalCode,
                msgspec.json.encode(message.articleFields).decode(),
                message.holderId,
                message.holderName,
                msgspec.json.encode(message.wholesalers).decode(),
            )
            await self._written.put_product(
                delivery_id,
                result,
                self._clock.now(),
                row,
                message.markets,
            )
            self._catalogue.put_product(
                Product(
                    Scheme(message.scheme),
                    message.productCode,
                    message.version,
                    message.name,
                    message.commonName,
                    message.nationalCode,
                    shared_versions=shared_versions(message.version, message.markets),
                )
            )
            return result

    async def recall(self, delivery_id: str, message: RecallDelivery) -> str:
        """Recall a batch. Delegated Regulation (EU) 2016/161, Art. 40(a)."""
        async with self._turn():
            if known := await self._known(delivery_id):
                return known
            product = self._catalogue.products.get(message.productCode)
            batch = product.batches.get(message.batchId) if product else None
            if batch is None:
                return await self._refuse(
                    delivery_id, "NMVS_FE_LOT_03", f"batch {message.batchId} is unknown here"
                )
            if batch.facts.recalled:
                return await self._refuse(
                    delivery_id, "NMVS_FE_LOT_01", f"batch {message.batchId} is recalled already"
                )
            result = _json(DeliveryResult(delivery_id, accepted=True))
            await self._written.put_recall(
                delivery_id,
                result,
                self._clock.now(),
                (message.productCode, message.batchId),
                message.reason,
            )
            self._catalogue.recall(batch, message.reason)
            return result

    async def withdrawal(self, delivery_id: str, message: WithdrawalDelivery) -> str:
        """Withdraw a product from this market. Art. 40(a)."""
        async with self._turn():
            if known := await self._known(delivery_id):
                return known
            product = self._catalogue.products.get(message.productCode)
            if product is None:
                return await self._refuse(delivery_id, "NMVS_NC_PC_01", "the product is unknown")
            if product.withdrawn:
                return await self._refuse(delivery_id, "NMVS_NC_PC_12", "withdrawn already")
            result = _json(DeliveryResult(delivery_id, accepted=True))
            await self._written.put_withdrawal(
                delivery_id, result, self._clock.now(), product.code, message.reason
            )
            self._catalogue.withdraw(product, message.reason)
            return result

    async def packs(self, delivery_id: str, message: PacksDelivery) -> str:
        """Load packs of a batch; those whose serial number is stored already are refused.

        Art. 35(3) and 42: a product code and serial number are stored once.
        """
        if len(message.serialNumbers) > SERIALS_PER_MESSAGE_MAX:
            raise BadRequestError(f"at most {SERIALS_PER_MESSAGE_MAX} serial numbers in a message")
        async with self._turn():
            product = self._catalogue.products.get(message.productCode)
            if known := await self._known(delivery_id):
                await self._index_stored(message)
                return known
            if product is None:
                return await self._refuse(delivery_id, "NMVS_NC_PC_01", "the product is unknown")
            known_batch = product.batches.get(message.batchId)
            if known_batch is not None and known_batch.closed:
                raise UnavailableError(f"batch {message.batchId} is being purged; try again later")
            if refusal := _batch_refusal(product, message):
                return await self._refuse(delivery_id, *refusal)
            try:
                return await self._load(delivery_id, message, product)
            except asyncpg.UniqueViolationError as error:
                # Stored, but not indexed: a commit whose answer was lost.
                await self._index_stored(message)
                raise UnavailableError("some of the packs were stored before; repeat") from error

    async def _load(self, delivery_id: str, message: PacksDelivery, product: Product) -> str:
        intake = PackIntake(self._keys, self._index, message.productCode, message.serialNumbers)
        known_batch = product.batches.get(message.batchId)
        number = known_batch.number if known_batch else self._catalogue.next_batch_number()
        batch_row = (
            product.code,
            message.batchId,
            number,
            message.expiry,
            message.productVersion,
        )
        result = ""

        def outcome() -> tuple[str, Shape | None]:
            nonlocal result
            result = intake.result_json(delivery_id)
            return result, intake.shape

        try:
            await self._written.put_packs(
                delivery_id, self._clock.now(), batch_row, intake.rows(number), outcome
            )
        except PackIndexFullError as error:
            return await self._refuse(delivery_id, "NMVS_TE_TX_03", str(error))
        batch = self._catalogue.put_batch(
            product,
            message.batchId,
            number=number,
            expiry=message.expiry,
            product_version=message.productVersion,
        )
        batch.add_serial_shape(intake.shape)
        for keys in intake.new_keys:
            await self._insert(keys, number)
        self._packs_came.set()
        count = intake.new_count
        self.packs_loaded_count += count
        _log.info("packs loaded", action="packs_loaded", delivery=delivery_id, packs=count)
        return result

    async def _insert(self, keys: bytes, batch_number: int) -> None:
        slice_bytes = SLICE_COUNT_MAX * KEY_BYTES
        for start in range(0, len(keys), slice_bytes):
            part = keys[start : start + slice_bytes]
            self._index.insert_many(part, batch_number, states=State.ACTIVE)
            await asyncio.sleep(0)

    async def _index_stored(self, message: PacksDelivery) -> None:
        """Put into memory what the database has of a delivery whose commit was not seen."""
        for start in range(0, len(message.serialNumbers), _STORED_AT_ONCE):
            some = message.serialNumbers[start : start + _STORED_AT_ONCE]
            well_formed = [text for text in some if is_set82(text)]
            keys = self._keys.keys(message.productCode, well_formed)
            missing = np.flatnonzero(self._index.find_many(keys) < 0) * KEY_BYTES
            if len(missing):
                await self._index_some([keys[at : at + KEY_BYTES] for at in missing])
            await asyncio.sleep(0)

    async def _index_some(self, keys: list[bytes]) -> None:
        stored = await self._store.packs(keys)
        if not stored:
            return
        self._packs_came.set()
        await fill_catalogue(self._catalogue, self._store)
        packs = stored.values()
        self._index.insert_many(
            b"".join(stored),
            np.array([pack.batch_number for pack in packs]),
            states=np.array([pack.state for pack in packs]),
            set_by=np.array([pack.set_by for pack in packs]),
            set_at_s=np.array([pack.set_at_s for pack in packs]),
            repeat_counts=np.array([pack.repeat_count for pack in packs]),
            versions=np.array([pack.version for pack in packs]),
        )

    async def _known(self, delivery_id: str) -> str | None:
        stored = await self._written.delivery_result(delivery_id)
        if stored is not None:  # Perhaps by a commit whose answer was lost.
            await fill_catalogue(self._catalogue, self._store)
        return stored

    async def _refuse(self, delivery_id: str, code: str, text: str) -> str:
        result = _json(DeliveryResult(delivery_id, accepted=False, code=code, text=text))
        await self._written.put_delivery(delivery_id, result, self._clock.now())
        return result


def _batch_refusal(product: Product, message: PacksDelivery) -> tuple[str, str] | None:
    """Return code and text if no pack of the message can be taken."""
    if parse_expiry(message.expiry) is None:
        return "NMVS_FE_LOT_07", f"{message.expiry!r} is no expiry date"
    if not is_set82(message.batchId):
        return "NMVS_FE_LOT_03", f"{message.batchId!r} is no batch identifier"
    if product.withdrawn:
        return "NMVS_NC_PC_12", "the product is withdrawn from this market"
    batch = product.batches.get(message.batchId)
    if batch is None:
        return None
    if batch.facts.recalled:
        return "NMVS_FE_LOT_01", f"batch {message.batchId} is recalled"
    if batch.facts.expiry != message.expiry:
        return "NMVS_FE_LOT_02", f"batch {message.batchId} has expiry {batch.facts.expiry}"
    if batch.product_version != message.productVersion:
        return (
            "NMVS_NC_PC_05",
            f"batch {message.batchId} belongs to version {batch.product_version} of the product",
        )
    return None


def _json(result: DeliveryResult) -> str:
    return msgspec.json.encode(result).decode()
