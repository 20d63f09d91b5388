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

WHOLESALERS_MAX: Final = 100
"""Told of a product, as the published schema has it; a manufacturer may designate more."""
_SLICE_PRODUCTS: Final = 250
_SLICE_BYTES: Final = 64 * 1024
"""Read at once, the latter of wholesalers or but one product: a few milliseconds (our choice,
measured)."""
_SLICE: Final = f"""
select scheme, product_code, name, national_code, holder_id, holder_name, wholesalers
from (
    select *, sum(octet_length(wholesalers)) over (order by product_code rows unbounded preceding)
        as bytes_so_far, row_number() over (order by product_code) as number
    from (
        select scheme, product_code, name, national_code, holder_id, holder_name,
            jsonb_path_query_array(wholesalers, '$[0 to {WHOLESALERS_MAX - 1}]')::text
                as wholesalers
        from product where %s order by product_code limit $2
    ) as slice
) as measured
where bytes_so_far <= {_SLICE_BYTES} or number = 1
order by product_code
"""  # noqa: S608 - of constants.
_OF_CODES: Final = _SLICE % "product_code = any($1::text[])"
_BEHIND: Final = _SLICE % "product_code > $1"
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
    """Those designated by the holder, at most `WHOLESALERS_MAX`."""


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
        left, size = list(codes), _SLICE_PRODUCTS
        while left:
            asked = left[:size]
            rows = await self._database.pool.fetch(_OF_CODES, asked, size)
            if not rows:  # They are gone.
                del left[:size]
                continue
            yield [_product(row) for row in rows]
            told = {row["product_code"] for row in rows}
            left = [code for code in asked if code not in told] + left[size:]
            size = _next_size(len(rows))

    async def all(
        self, offset: int = 0, count: int | None = None
    ) -> AsyncIterator[list[ProductMaster]]:
        """Yield products in order of their codes, in slices; so many behind the first `offset`,
        None for all of them."""
        after: str | None = ""
        if offset:
            after = await self._database.pool.fetchval(
                "select product_code from product order by product_code offset $1 limit 1",
                offset - 1,
            )
        left, size = count, _SLICE_PRODUCTS
        while after is not None and left != 0:
            size = size if left is None else min(size, left)
            rows = await self._database.pool.fetch(_BEHIND, after, size)
            if not rows:
                return
            yield [_product(row) for row in rows]
            after = rows[-1]["product_code"]
            left = None if left is None else left - len(rows)
            size = _next_size(len(rows))


def _next_size(count: int) -> int:
    """Return how many products to ask for after so many came: what is not taken was read in
    vain."""
    return min(2 * count, _SLICE_PRODUCTS)


def _product(row: Any) -> ProductMaster:
    wholesalers = _wholesalers.decode(row["wholesalers"])
    members: tuple[Any, ...] = tuple(row)
    return ProductMaster._make((*members[:-1], wholesalers))
