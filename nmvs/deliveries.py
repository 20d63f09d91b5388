"""What the hub delivers: products, packs, recalls, withdrawals. Applied once, however often sent.

One delivery at a time: the database first, memory after the commit. A delivery that cannot be
accepted is answered so and not repeated; trouble is raised, and the hub tries again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
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
    RefusedSerial,
    WithdrawalDelivery,
)
from emvs.limits import SERIALS_PER_MESSAGE_MAX
from emvs.scanner_hints import Shape, shape_of
from emvs.scheme import Scheme
from emvs.states import State
from nmvs.catalogue import Catalogue, Product, shared_versions
from nmvs.delivery_store import DeliveryStore
from nmvs.pack_copy import new_pack_rows
from nmvs.pack_index import SLICE_COUNT_MAX, PackIndex
from nmvs.pack_keys import KEY_BYTES, PackKeys
from nmvs.start_up import fill_catalogue
from nmvs.store import Store

_KEYS_AT_ONCE: Final = 2_048
"""Keys computed between two turns of the event loop: about a millisecond."""

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

    async def product(self, delivery_id: str, message: ProductDelivery) -> DeliveryResult:
        """Store a version of a product."""
        if message.scheme not in Scheme.__members__:
            raise BadRequestError(f"{message.scheme!a} is no product code scheme")
        async with self._turn():
            if known := await self._known(delivery_id):
                return known
            result = DeliveryResult(delivery_id, accepted=True)
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
                _json(result),
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

    async def recall(self, delivery_id: str, message: RecallDelivery) -> DeliveryResult:
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
            result = DeliveryResult(delivery_id, accepted=True)
            await self._written.put_recall(
                delivery_id,
                _json(result),
                self._clock.now(),
                (message.productCode, message.batchId),
                message.reason,
            )
            self._catalogue.recall(batch, message.reason)
            return result

    async def withdrawal(self, delivery_id: str, message: WithdrawalDelivery) -> DeliveryResult:
        """Withdraw a product from this market. Art. 40(a)."""
        async with self._turn():
            if known := await self._known(delivery_id):
                return known
            product = self._catalogue.products.get(message.productCode)
            if product is None:
                return await self._refuse(delivery_id, "NMVS_NC_PC_01", "the product is unknown")
            if product.withdrawn:
                return await self._refuse(delivery_id, "NMVS_NC_PC_12", "withdrawn already")
            result = DeliveryResult(delivery_id, accepted=True)
            await self._written.put_withdrawal(
                delivery_id, _json(result), self._clock.now(), product.code, message.reason
            )
            self._catalogue.withdraw(product, message.reason)
            return result

    async def packs(self, delivery_id: str, message: PacksDelivery) -> DeliveryResult:
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

    async def _load(
        self, delivery_id: str, message: PacksDelivery, product: Product
    ) -> DeliveryResult:
        fresh, keys, refused = await self._split(message)
        if len(self._index) + len(fresh) > self._index.packs_max:
            return await self._refuse(
                delivery_id,
                "NMVS_TE_TX_03",
                f"the pack index is full: it holds {self._index.packs_max} packs at most",
            )
        shape = await _shape_of(fresh)
        known_batch = product.batches.get(message.batchId)
        number = known_batch.number if known_batch else self._catalogue.next_batch_number()
        result = DeliveryResult(
            delivery_id, accepted=True, loadedCount=len(fresh), refusedSerials=refused
        )
        batch_row = (
            product.code,
            message.batchId,
            number,
            message.expiry,
            message.productVersion,
        )
        await self._written.put_packs(
            delivery_id,
            _json(result),
            self._clock.now(),
            batch_row,
            new_pack_rows(keys, fresh, number),
            serial_shape=shape,
        )
        batch = self._catalogue.put_batch(
            product,
            message.batchId,
            number=number,
            expiry=message.expiry,
            product_version=message.productVersion,
        )
        batch.add_serial_shape(shape)
        await self._insert(keys, number)
        self._packs_came.set()
        self.packs_loaded_count += len(fresh)
        _log.info("packs loaded", action="packs_loaded", delivery=delivery_id, packs=len(fresh))
        return result

    async def _insert(self, keys: bytes, batch_number: int) -> None:
        slice_bytes = SLICE_COUNT_MAX * KEY_BYTES
        for start in range(0, len(keys), slice_bytes):
            part = keys[start : start + slice_bytes]
            self._index.insert_many(part, batch_number, states=State.ACTIVE)
            await asyncio.sleep(0)

    async def _split(self, message: PacksDelivery) -> tuple[list[str], bytes, list[RefusedSerial]]:
        """Return the serial numbers that are new, their keys, and those that are refused."""
        serial_numbers, refused = await _well_formed(message.serialNumbers)
        keys = await self._keys_of(message.productCode, serial_numbers)
        found = np.empty(len(serial_numbers), np.bool_)
        for start in range(0, len(serial_numbers), SLICE_COUNT_MAX):
            part = keys[start * KEY_BYTES : (start + SLICE_COUNT_MAX) * KEY_BYTES]
            found[start : start + SLICE_COUNT_MAX] = self._index.find_many(part) >= 0
            await asyncio.sleep(0)
        if not found.any():
            return serial_numbers, keys, refused
        refused += [
            RefusedSerial(serial_numbers[position], "NMVS_FE_SN_02")
            for position in np.flatnonzero(found)
        ]
        fresh = [serial_numbers[position] for position in np.flatnonzero(~found)]
        return fresh, np.frombuffer(keys, "V16")[~found].tobytes(), refused

    async def _keys_of(self, product_code: str, serial_numbers: Sequence[str]) -> bytes:
        parts: list[bytes] = []
        for start in range(0, len(serial_numbers), _KEYS_AT_ONCE):
            part = serial_numbers[start : start + _KEYS_AT_ONCE]
            parts.append(self._keys.keys(product_code, part))
            await asyncio.sleep(0)
        return b"".join(parts)

    async def _index_stored(self, message: PacksDelivery) -> None:
        """Put into memory what the database has of a delivery whose commit was not seen."""
        serial_numbers, _ = await _well_formed(message.serialNumbers)
        keys = await self._keys_of(message.productCode, serial_numbers)
        missing = [
            keys[start : start + KEY_BYTES]
            for start in range(0, len(keys), KEY_BYTES)
            if self._index.find(keys[start : start + KEY_BYTES]) < 0
        ]
        if not missing:
            return
        self._packs_came.set()
        await fill_catalogue(self._catalogue, self._store)
        for start in range(0, len(missing), SLICE_COUNT_MAX):
            stored = await self._store.packs(missing[start : start + SLICE_COUNT_MAX])
            for key, pack in stored.items():
                if self._index.find(key) < 0:
                    self._index.insert(
                        key,
                        pack.batch_number,
                        state=pack.state,
                        set_by=pack.set_by,
                        set_at_s=pack.set_at_s,
                        repeat_count=pack.repeat_count,
                        version=pack.version,
                    )

    async def _known(self, delivery_id: str) -> DeliveryResult | None:
        stored = await self._written.delivery_result(delivery_id)
        if stored is not None:  # Perhaps by a commit whose answer was lost.
            await fill_catalogue(self._catalogue, self._store)
        return msgspec.json.decode(stored, type=DeliveryResult) if stored else None

    async def _refuse(self, delivery_id: str, code: str, text: str) -> DeliveryResult:
        result = DeliveryResult(delivery_id, accepted=False, code=code, text=text)
        await self._written.put_delivery(delivery_id, _json(result), self._clock.now())
        return result


async def _shape_of(serial_numbers: Sequence[str]) -> Shape | None:
    shape: Shape | None = None
    for start in range(0, len(serial_numbers), _KEYS_AT_ONCE):
        part = shape_of(serial_numbers[start : start + _KEYS_AT_ONCE])
        assert part is not None, "the part is not empty"
        shape = part.joined(shape)
        await asyncio.sleep(0)
    return shape


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


async def _well_formed(serial_numbers: list[str]) -> tuple[list[str], list[RefusedSerial]]:
    """Return each well-formed serial number once, and those that are refused."""
    unique: dict[str, None] = {}
    refused: list[RefusedSerial] = []
    for start in range(0, len(serial_numbers), SLICE_COUNT_MAX):
        part = serial_numbers[start : start + SLICE_COUNT_MAX]
        if all(map(is_set82, part)):
            unique.update(dict.fromkeys(part))
        else:
            unique.update((text, None) for text in part if is_set82(text))
            refused += [_malformed(text) for text in part if not is_set82(text)]
        await asyncio.sleep(0)
    return list(unique), refused


def _malformed(text: str) -> RefusedSerial:
    # The database holds every character but one.
    return RefusedSerial(text.replace("\0", "\N{SYMBOL FOR NULL}"), "NMVS_FE_SN_01")


def _json(result: DeliveryResult) -> str:
    return msgspec.json.encode(result).decode()
