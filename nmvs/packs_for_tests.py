"""Fresh packs for tests: of a product that is there for nothing else, for one client each.

They are made when they are asked for, in the way the hub's deliveries come, so that they are packs
like all others; their serial numbers are random, so that nobody was given them before. The hub
does not know them.
"""

from __future__ import annotations

import random
from calendar import monthrange
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import uuid4

import msgspec

from emvs.check_digits import gtin_check_digit
from emvs.errors import AllowanceSpentError, OverloadedError
from emvs.infra.clock import Clock
from emvs.infra.database import Database
from emvs.interconnect import DeliveryResult, PacksDelivery, ProductDelivery
from emvs.scheme import Scheme
from emvs.serial_numbers import generate_serial_numbers
from nmvs.catalogue import Catalogue
from nmvs.deliveries import Deliveries

TEST_PACKS_AT_ONCE_MAX: Final = 100
_FIRST_13: Final = "0952888888888"
"""In GS1's range for examples (our choice)."""
PRODUCT_CODE: Final = _FIRST_13 + gtin_check_digit(_FIRST_13)
_YEARS: Final = 2
_KEPT_DAYS: Final = 7


class PacksForTests(NamedTuple):
    """Active packs of one batch."""

    product_code: str
    batch_id: str
    expiry: str
    """YYMMDD."""
    serial_numbers: list[str]


class MakerOfTestPacks:
    """Makes packs for tests."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        deliveries: Deliveries,
        clock: Clock,
        *,
        per_day_max: int,
    ) -> None:
        """`per_day_max`: packs for one client in a day (UTC)."""
        self._database = database
        self._catalogue = catalogue
        self._deliveries = deliveries
        self._clock = clock
        self._per_day_max = per_day_max

    async def hand_out(self, client_login_id: str, count: int) -> PacksForTests:
        """Return so many packs that nobody else is given; at most `TEST_PACKS_AT_ONCE_MAX`.

        Raises AllowanceSpentError, OverloadedError if the system is full, and what
        `Recovery.TROUBLE` lists.
        """
        assert 1 <= count <= TEST_PACKS_AT_ONCE_MAX, "the schema has it so"
        now = self._clock.now()
        await self._take(client_login_id, count, now)
        await self._provide_product(now)
        batch_id, expiry = f"TEST{now:%y%m}", _expiry(now)
        serials = generate_serial_numbers(count, rng=random.SystemRandom())
        delivery = PacksDelivery(PRODUCT_CODE, 1, batch_id, expiry, serials)
        answer = await self._deliveries.packs(f"test-packs-{uuid4()}", delivery)
        result = msgspec.json.decode(answer, type=DeliveryResult)
        if not result.accepted or result.refusedSerials:
            raise OverloadedError(
                result.text or "serial numbers were there already", retry_after_s=60
            )
        return PacksForTests(PRODUCT_CODE, batch_id, expiry, serials)

    async def _take(self, client_login_id: str, count: int, now: datetime) -> None:
        """Count packs before they are made: whoever breaks off has had them."""
        pool, today = self._database.pool, now.date()
        taken = await pool.fetchval(
            "insert into test_data_grant as g select $1, $2::date, $3::integer where $3 <= $4"
            " on conflict (client_login_id, day) do update set pack_count = g.pack_count + $3"
            " where g.pack_count + $3 <= $4 returning 1",
            client_login_id,
            today,
            count,
            self._per_day_max,
        )
        if taken is None:
            raise AllowanceSpentError(
                f"a client gets {self._per_day_max} packs for tests in a day", retry_after_s=3600
            )
        await pool.execute(
            "delete from test_data_grant where day < $1", today - timedelta(days=_KEPT_DAYS)
        )

    async def _provide_product(self, now: datetime) -> None:
        if PRODUCT_CODE in self._catalogue.products:
            return
        product = ProductDelivery(
            Scheme.GTIN.value,
            PRODUCT_CODE,
            1,
            "Testol 10 mg",
            "testol",
            holderName="Packs for tests",
        )
        await self._deliveries.product(f"test-product-{now:%y%m%d%H%M%S}", product)


def _expiry(now: datetime) -> str:
    year = now.year + _YEARS
    return f"{year % 100:02}{now.month:02}{monthrange(year, now.month)[1]:02}"
