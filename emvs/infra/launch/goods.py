"""The demo's products and batches: which there are, made from a seed. Nothing is sent here.

Product codes begin with GS1's prefix 952, "for demonstrations and examples of the GS1 system".
"""

from __future__ import annotations

import random
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from emvs.check_digits import gtin_check_digit
from emvs.infra.launch.settings import MarketSettings
from emvs.markets import MARKETS, Dialect
from emvs.scan import build_scan_text
from emvs.scheme import Scheme
from emvs.serial_numbers import generate_serial_numbers

FRESH_COUNT: Final = 200
"""Packs per market in endpoints.json; part of that file's contract."""
_STORY_COUNT: Final = 40
_RECALLABLE_COUNT: Final = 20
_EXPIRED_COUNT: Final = 10
_MULTI_MARKET_COUNT: Final = 40
_STOCK_MESSAGE_COUNT: Final = 5_000
"""Packs in one message of the stock: enough to be quick, and progress can be seen."""

_SHELF_LIFE_YEARS: Final = 3
_MARKETS: Final = tuple(MARKETS)
_MEDICINES: Final = (
    ("Examplol", "examplol", "N02BE01"),
    ("Demoprin", "demoprin", "B01AC06"),
    ("Testamycin", "testamycin", "J01CA04"),
    ("Sampletin", "sampletin", "C10AA05"),
)


class Product(NamedTuple):
    """A product of the demo's manufacturer."""

    product_code: str
    name: str
    common_name: str
    atc_code: str
    markets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch to be uploaded, and what it is for."""

    purpose: str
    product: Product
    batch_id: str
    expiry: str
    serial_numbers: list[str]

    def packs(self, count: int | None = None) -> list[dict[str, Any]]:
        """Return the batch's first packs as endpoints.json shows a pack, without its market."""
        return [self._pack(serial_number) for serial_number in self.serial_numbers[:count]]

    def _pack(self, serial_number: str) -> dict[str, Any]:
        return {
            "scheme": Scheme.GTIN.value,
            "product_code": self.product.product_code,
            "serial": serial_number,
            "batch": self.batch_id,
            "expiry": self.expiry,
            "scan": build_scan_text(
                scheme=Scheme.GTIN,
                product_code=self.product.product_code,
                serial_number=serial_number,
                batch_id=self.batch_id,
                expiry=self.expiry,
            ),
        }


def product_code(number: int) -> str:
    """Return the demo's GTIN with this number, below a thousand million."""
    first_13 = f"0952{number:09}"
    return first_13 + gtin_check_digit(first_13)


def choose_products(markets: Sequence[MarketSettings]) -> list[Product]:
    """Return one product per market, then one for two markets if there are two.

    The numbers depend on the markets alone, so that another start speaks of the same products.
    """
    products = [_product(100 + _MARKETS.index(market.code), (market.code,)) for market in markets]
    pair = multi_market_pair(markets)
    if pair:
        first, second = (_MARKETS.index(code) for code in pair)
        products.append(_product(10_000 + 100 * first + second, pair))
    return products


def multi_market_pair(markets: Sequence[MarketSettings]) -> tuple[str, ...]:
    """Return two markets of different dialects if there are, else the first two; or nothing."""
    for first in markets:
        for second in markets:
            if (
                first is not second
                and first.dialects[0] is Dialect.SOAP
                and second.dialects == (Dialect.REST,)
            ):
                return first.code, second.code
    return tuple(market.code for market in markets[:2]) if len(markets) > 1 else ()


def _product(number: int, markets: tuple[str, ...]) -> Product:
    name, common_name, atc_code = _MEDICINES[number % len(_MEDICINES)]
    full_name = f"{name} 10 mg tablets ({'+'.join(markets)})"
    return Product(product_code(number), full_name, common_name, atc_code, markets)


def last_day_of_month(today: date, years_later: int) -> str:
    """Return the last day of this month in another year, as YYMMDD."""
    year = today.year + years_later
    return f"{year % 100:02}{today.month:02}{monthrange(year, today.month)[1]:02}"


def make_batches(
    products: Sequence[Product], *, run_id: str, today: date, stock_count: int
) -> list[Batch]:
    """Return the batches of one start, `stock_count` further packs among them.

    The same `run_id` gives the same batches; a batch id holds it, so starts don't collide.
    """
    good = last_day_of_month(today, _SHELF_LIFE_YEARS)
    batches: list[Batch] = []

    def add(purpose: str, product: Product, count: int, *, expiry: str = good, of: int = 0) -> None:
        batch_id = f"{purpose.upper()}-{run_id}" + (f"-{of}" if of else "")
        rng = random.Random(f"{run_id}:{product.product_code}:{batch_id}")  # noqa: S311 - a demo
        serial_numbers = generate_serial_numbers(count, rng=rng)
        batches.append(Batch(purpose, product, batch_id, expiry, serial_numbers))

    single = [product for product in products if len(product.markets) == 1]
    for product in single:
        add("fresh", product, FRESH_COUNT)
        add("story", product, _STORY_COUNT)
        add("recall", product, _RECALLABLE_COUNT)
        add("expired", product, _EXPIRED_COUNT, expiry=last_day_of_month(today, -1))
    for product in products:
        if len(product.markets) > 1:
            add("multi", product, _MULTI_MARKET_COUNT)
    number, left = 0, stock_count
    share = min(_STOCK_MESSAGE_COUNT, -(-stock_count // len(single)))
    while left > 0:
        count = min(left, share)
        add("stock", single[number % len(single)], count, of=number + 1)
        number, left = number + 1, left - count
    return batches
