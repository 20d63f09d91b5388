"""Master data of the market's products as pharmacies and wholesalers download them.

Read in slices of the table, so that any number of products passes through without being in memory
at once. The catalogue in memory says how many there are. No wire format is known here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from emvs.infra.database import Database
from emvs.interconnect import Wholesaler
from nmvs.catalogue import Catalogue

_SLICE_PRODUCTS: Final = 250
"""Read at once: with some wholesalers each, a few milliseconds and a few hundred kilobytes (our
choice)."""
_COLUMNS: Final = (
    "scheme, product_code, name, national_code, holder_id, holder_name, wholesalers::text"
)
_wholesalers: Final = msgspec.json.Decoder(list[Wholesaler])


class ProductMaster(NamedTuple):
    """What is told about one product."""

    scheme: str
    product_code: str
    name: str
    national_code: str | None
    holder_id: str | None
    """Of the marketing authorisation holder."""
    holder_name: str | None
    wholesalers: Sequence[Wholesaler]
    """Those designated by the holder."""


class MasterData:
    """The master data of one national system."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    @property
    def product_count(self) -> int:
        """How many products there are."""
        return len(self._catalogue.products)

    def known(self, asked: Sequence[tuple[str, str]]) -> list[str]:
        """Return those of these (scheme, product code) that are known here, each once, in order
        of the codes."""
        products = self._catalogue.products
        return sorted(
            {
                code
                for scheme, code in asked
                if (product := products.get(code)) is not None and product.scheme == scheme
            }
        )

    async def of_codes(self, codes: Sequence[str]) -> AsyncIterator[list[ProductMaster]]:
        """Yield the products with these codes, in slices."""
        for start in range(0, len(codes), _SLICE_PRODUCTS):
            rows = await self._database.pool.fetch(
                f"select {_COLUMNS} from product where product_code = any($1)"  # noqa: S608 - a constant.
                " order by product_code",
                codes[start : start + _SLICE_PRODUCTS],
            )
            yield [_product(row) for row in rows]

    async def all(
        self, offset: int = 0, count: int | None = None
    ) -> AsyncIterator[list[ProductMaster]]:
        """Yield products in order of their codes, in slices; so many behind the first `offset`,
        None for all of them."""
        after = ""
        if offset:
            after = await self._database.pool.fetchval(
                "select product_code from product order by product_code offset $1 limit 1",
                offset - 1,
            )
            if after is None:
                return
        left = count
        while left is None or left > 0:
            size = _SLICE_PRODUCTS if left is None else min(left, _SLICE_PRODUCTS)
            rows = await self._database.pool.fetch(
                f"select {_COLUMNS} from product where product_code > $1"  # noqa: S608 - a constant.
                " order by product_code limit $2",
                after,
                size,
            )
            if rows:
                yield [_product(row) for row in rows]
            if len(rows) < size:
                return
            after = rows[-1]["product_code"]
            left = None if left is None else left - size


def _product(row: Any) -> ProductMaster:
    wholesalers = _wholesalers.decode(row["wholesalers"])
    members: tuple[Any, ...] = tuple(row)
    return ProductMaster._make((*members[:-1], wholesalers))
