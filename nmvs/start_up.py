"""Loading a national system's state from its database before it serves."""

from __future__ import annotations

import base64
import secrets
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from emvs.errors import ConfigurationError
from emvs.infra.clock import MovableClock
from emvs.infra.logs import get_logger
from emvs.markets import Market
from emvs.scheme import Scheme
from nmvs.catalogue import Catalogue, Product, shared_versions
from nmvs.location_tokens import SECRET_SETTING, LocationTokens
from nmvs.pack_copy import PackReader, PackRecords, insert_into
from nmvs.pack_index import PackIndex, PackIndexFullError
from nmvs.pack_keys import PackKeys
from nmvs.store import Store, stored_serial_shape

_MONTHS_AHEAD = 2
_PROGRESS_S = 2.0

_log = get_logger(__name__)


async def load_clock(store: Store) -> MovableClock:
    """Return the clock with the offset that testers have given it."""
    return MovableClock(int(await store.setting("clock_offset_s", "0")))


async def load_pack_keys(store: Store) -> PackKeys:
    """Return the keyed hash of this database; its secret is made once."""
    fresh = base64.b64encode(secrets.token_bytes(32)).decode()
    return PackKeys(base64.b64decode(await store.setting("pack_key_secret", fresh)))


async def load_location_tokens(store: Store) -> LocationTokens:
    """Return what makes the tokens that stand for locations; its secret is made once."""
    fresh = base64.b64encode(secrets.token_bytes(32)).decode()
    return LocationTokens(base64.b64decode(await store.setting(SECRET_SETTING, fresh)))


async def load_catalogue(store: Store, market: Market) -> Catalogue:
    """Return all products and batches."""
    catalogue = Catalogue(ZoneInfo(market.time_zone))
    await fill_catalogue(catalogue, store)
    return catalogue


async def fill_catalogue(catalogue: Catalogue, store: Store) -> None:
    """Bring a catalogue to what is stored; what it holds already stays the same object."""
    for row in await store.products():
        product = catalogue.put_product(
            Product(
                Scheme(row["scheme"]),
                row["product_code"],
                row["version"],
                row["name"],
                row["common_name"],
                row["national_code"],
            )
        )
        if row["withdrawn_at"] is not None:
            catalogue.withdraw(product, row["withdrawal_reason"])
    for row in await store.product_versions():
        shared = shared_versions(row["version"], row["markets"])
        catalogue.products[row["product_code"]].shared_versions |= shared
    for row in await store.batches():
        batch = catalogue.put_batch(
            catalogue.products[row["product_code"]],
            row["batch_id"],
            number=row["batch_number"],
            expiry=row["expiry"],
            product_version=row["product_version"],
        )
        if row["recalled_at"] is not None:
            catalogue.recall(batch, row["recall_reason"])
        batch.add_serial_shape(stored_serial_shape(row))


class Loading:
    """How far a start has come, for whoever waits."""

    def __init__(self) -> None:
        self.total = 0
        """About how many packs there are."""
        self.count = 0
        self._told_at_s = time.monotonic()

    def advanced(self, count: int) -> None:
        """Note how many packs are loaded; the log is told now and then."""
        self.count = count
        self.total = max(self.total, count)
        now_s = time.monotonic()
        if now_s - self._told_at_s >= _PROGRESS_S:
            self._told_at_s = now_s
            _log.info("loading", action="cold_start_progress", packs=count, of=self.total)

    def members(self) -> dict[str, object]:
        """Return what the health of a system that loads is told with."""
        return {"status": "loading", "packs": self.count, "packsStored": self.total}


async def load_packs(store: Store, index: PackIndex, loading: Loading) -> None:
    """Fill the index with all packs."""
    started = time.monotonic()
    loading.total = await store.pack_count_estimate()
    index.reserve(loading.total)
    insert = insert_into(index)

    def take(rows: PackRecords) -> None:
        insert(rows)
        loading.advanced(len(index))

    reader = PackReader(take)
    try:
        await store.copy_packs_out(reader.feed)
    except PackIndexFullError as error:
        raise ConfigurationError(
            f"more packs are stored than the index has room for, {index.packs_max}: raise packs_max"
        ) from error
    seconds = time.monotonic() - started
    _log.info("packs loaded", action="cold_start", packs=len(index), seconds=round(seconds, 3))


async def ensure_trail_partitions(store: Store, now: datetime) -> None:
    """Make the audit trail's partitions for this month and the next ones."""
    start = datetime(now.year, now.month, 1, tzinfo=UTC)
    months = []
    for _ in range(_MONTHS_AHEAD + 1):
        end = (start + timedelta(days=32)).replace(day=1)
        months.append((start, end))
        start = end
    if not await store.ensure_trail_partitions(months):
        # The default partition takes entries meanwhile.
        _log.warning("no partition", action="partition_waits")
