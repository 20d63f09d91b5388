"""Queries on what a status has no room for: further defects, packs that markets refused. In pages
of `PAGE_COUNT`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from emvs.obp_messages import Defect, UnloadedPack
from hub.defects import DEFECTS_LISTED_MAX
from hub.store.connections import Connection, Queryable, changed_count

PAGE_COUNT: Final = DEFECTS_LISTED_MAX


class RefusingMarket(NamedTuple):
    """What a market refused of a request."""

    delivery_number: int
    refused_count: int
    first: list[UnloadedPack]


async def insert_defect_pages(
    connection: Connection, request_number: int, pages: Iterable[bytes]
) -> None:
    """Store the defects of a message from the second page on, each page encoded."""
    await connection.executemany(
        "insert into defect_page (request_number, page, defects) values ($1, $2, $3)",
        [(request_number, page, defects) for page, defects in enumerate(pages, 1)],
    )


async def further_defects(
    database: Queryable, request_number: int, first: int, last: int
) -> dict[int, list[Defect]]:
    """Return some pages of a message's defects, as far as they are stored."""
    rows = await database.fetch(
        "select page, defects from defect_page where request_number = $1"
        " and page between $2 and $3",
        request_number,
        first,
        last,
    )
    return {row["page"]: msgspec.json.decode(row["defects"], type=list[Defect]) for row in rows}


async def insert_refused(
    connection: Connection, delivery_number: int, packs: Sequence[UnloadedPack], page: int
) -> None:
    """Store a page of packs that a national system refused."""
    await connection.execute(
        "insert into refused_page (delivery_number, page, packs) values ($1, $2, $3)",
        delivery_number,
        page,
        msgspec.json.encode(packs),
    )


async def refusing_market(
    database: Queryable, request_number: int, market: str
) -> RefusingMarket | None:
    """Return what a market refused of a request; None if the request was not for it."""
    row = await database.fetchrow(
        "select number, refused_count, refused_serials from delivery"
        " where request_number = $1 and $2 = any(markets)",
        request_number,
        market,
    )
    if row is None:
        return None
    first = msgspec.json.decode(row["refused_serials"], type=list[UnloadedPack])
    return RefusingMarket(row["number"], row["refused_count"], first)


async def refused_packs(
    database: Queryable, delivery_number: int, first: int, last: int
) -> dict[int, list[UnloadedPack]]:
    """Return some pages of packs that a national system refused, as far as they are stored."""
    rows = await database.fetch(
        "select page, packs from refused_page where delivery_number = $1"
        " and page between $2 and $3",
        delivery_number,
        first,
        last,
    )
    return {row["page"]: msgspec.json.decode(row["packs"], type=list[UnloadedPack]) for row in rows}


async def forget_defect_pages(database: Queryable, before_ms: int, count_max: int) -> int:
    """Drop pages of defects of requests older than a time; return how many there were."""
    status = await database.execute(
        "delete from defect_page where (request_number, page) in (select request_number, page"
        " from defect_page join request on number = request_number"
        " where received_at_ms < $1 limit $2)",
        before_ms,
        count_max,
    )
    return changed_count(status)


async def forget_refused_pages(database: Queryable, before_ms: int, count_max: int) -> int:
    """Drop pages of packs refused before a time; return how many there were."""
    status = await database.execute(
        "delete from refused_page where (delivery_number, page) in (select delivery_number, page"
        " from refused_page join delivery on number = delivery_number"
        " where settled_at_ms < $1 limit $2)",
        before_ms,
        count_max,
    )
    return changed_count(status)
