"""What a status has no room for, page by page: all defects of a message, all packs that a market
refused. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

from emvs.errors import BadRequestError, NotFoundError
from emvs.obp_messages import DefectPage, RefusedPage
from hub.answers import own_request
from hub.organisations import Client
from hub.paging import read_number
from hub.store import long_answers as store
from hub.store import requests
from hub.store.connections import Pool, snapshot
from hub.store.long_answers import PAGE_COUNT

_AFTER_MAX: Final = 10**9
_Entry = TypeVar("_Entry")


class _Wanted(NamedTuple):
    """Some entries of a list, and the stored pages that they stand on."""

    after: int
    limit: int

    @property
    def first(self) -> int:
        return self.after // PAGE_COUNT

    @property
    def last(self) -> int:
        return (self.after + self.limit - 1) // PAGE_COUNT

    def of(self, pages: Mapping[int, list[_Entry]]) -> list[_Entry]:
        joined = [one for page in range(self.first, self.last + 1) for one in pages.get(page, [])]
        start = self.after - self.first * PAGE_COUNT
        return joined[start : start + self.limit]


async def defect_page(
    pool: Pool, transaction_id: str, client: Client, query: Mapping[str, str]
) -> DefectPage:
    """Return a page of a message's defects; `after` is a number of defects.

    Raises NotFoundError if the client's organisation has no such request, BadRequestError.
    """
    wanted = _wanted(query)
    async with snapshot(pool) as connection:
        row = await own_request(connection, transaction_id, client)
        remarks = await requests.remarks_on(connection, row.number)
        pages = await store.further_defects(connection, row.number, wanted.first, wanted.last)
    pages[0] = remarks.defects[:PAGE_COUNT]
    found = wanted.of(pages)
    following = _following(wanted, len(found), remarks.defect_count)
    return DefectPage(row.transaction_id, found, remarks.defect_count, following)


async def refused_page(
    pool: Pool, transaction_id: str, client: Client, query: Mapping[str, str]
) -> RefusedPage:
    """Return a page of the packs that `market` refused; `after` is a number of packs.

    Raises NotFoundError if the client's organisation has no such request or it was not for this
    market, BadRequestError.
    """
    wanted = _wanted(query)
    market = query.get("market", "")
    if not market:
        raise BadRequestError("which market's: ?market=...")
    async with snapshot(pool) as connection:
        row = await own_request(connection, transaction_id, client)
        refusing = await store.refusing_market(connection, row.number, market)
        if refusing is None:
            raise NotFoundError(f"the request was not sent to market {market[:10]!a}")
        number = refusing.delivery_number
        pages = await store.refused_packs(connection, number, wanted.first, wanted.last)
    pages.setdefault(0, refusing.first)
    found = wanted.of(pages)
    following = _following(wanted, len(found), refusing.refused_count)
    return RefusedPage(row.transaction_id, market, found, refusing.refused_count, following)


def _wanted(query: Mapping[str, str]) -> _Wanted:
    wanted = _Wanted(read_number(query, "after", 0), read_number(query, "limit", PAGE_COUNT))
    if not 1 <= wanted.limit <= PAGE_COUNT:
        raise BadRequestError(f"limit is from 1 to {PAGE_COUNT}")
    if wanted.after > _AFTER_MAX:
        raise BadRequestError(f"after is at most {_AFTER_MAX}")
    return wanted


def _following(wanted: _Wanted, found_count: int, count: int) -> int | None:
    end = wanted.after + found_count
    return end if found_count and end < count else None
