"""Queries on repackaging links, on who trades which product, and on who is to hear of a recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.link_rules import BatchKey, Link
from hub.paging import Page
from hub.store.connections import Connection, Queryable, Row, changed_count


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A link as its organisation sees it."""

    number: int
    link: Link
    transaction_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Event:
    """A recall or withdrawal: one request of its owner, and the markets it holds in."""

    request_number: int
    message_type: str
    received_at_ms: int
    reason: str
    at_ms: int
    markets: list[str]


_ARRAYS = "$1::text[], $2::text[]"
_LINK = "source_product_code, source_batch_id, target_product_code, target_batch_id"


def _columns(keys: Sequence[BatchKey]) -> tuple[list[str], list[str]]:
    return [key.product_code for key in keys], [key.batch_id for key in keys]


def _link(row: Row) -> Link:
    return Link(
        BatchKey(row["source_product_code"], row["source_batch_id"]),
        BatchKey(row["target_product_code"], row["target_batch_id"]),
    )


async def checked_out(
    database: Queryable, organisation_id: str, keys: Sequence[BatchKey]
) -> frozenset[BatchKey]:
    """Return those of the batches of which an organisation has packs checked out in some market,
    or where a check-out (`PSURP`) waits for one."""
    rows = await database.fetch(
        "select distinct product_code, batch_id from"  # noqa: S608 - constants.
        " (select product_code, batch_id, bool_or(message_type = 'PSURP' and status = 'Waiting')"
        " or coalesce(sum(case message_type when 'PSURP' then (outcomes->>'DECOMMISSIONED')::int"
        " else -(outcomes->>'REACTIVATED')::int end), 0) > 0 as is_out"
        f" from unnest({_ARRAYS}) as wanted (product_code, batch_id)"
        " join request using (product_code, batch_id)"
        " join delivery on request_number = request.number"
        " where organisation_id = $3 and message_type in ('PSURP', 'PSUUR')"
        " group by product_code, batch_id, system) as line where is_out",
        *_columns(keys),
        organisation_id,
    )
    return frozenset(BatchKey(row["product_code"], row["batch_id"]) for row in rows)


async def existing_links(
    database: Queryable, organisation_id: str, sources: Sequence[BatchKey]
) -> frozenset[Link]:
    """Return an organisation's links from these batches to any of the same."""
    rows = await database.fetch(
        f"with wanted as (select * from unnest({_ARRAYS}) as listed (code, batch))"  # noqa: S608
        f" select {_LINK} from wanted join batch_link on source_product_code = code"
        " and source_batch_id = batch where organisation_id = $3"
        " and (target_product_code, target_batch_id) in (select code, batch from wanted)",
        *_columns(sources),
        organisation_id,
    )
    return frozenset(map(_link, rows))


async def insert_links(
    connection: Connection,
    organisation_id: str,
    links: Sequence[Link],
    *,
    request_number: int,
    at_ms: int,
) -> list[Link]:
    """Store links; return those that did not exist."""
    rows = await connection.fetch(
        f"insert into batch_link (organisation_id, {_LINK}, request_number, at_ms)"  # noqa: S608
        f" select $5, listed.*, $6, $7 from unnest({_ARRAYS}, $3::text[], $4::text[]) as listed"
        f" on conflict do nothing returning {_LINK}",
        *_columns([link.source for link in links]),
        *_columns([link.target for link in links]),
        organisation_id,
        request_number,
        at_ms,
    )
    return [_link(row) for row in rows]


async def list_links(
    database: Queryable,
    organisation_id: str,
    page: Page,
    *,
    filters: Mapping[str, str | None],
) -> list[LinkRow]:
    """Return a page of an organisation's links. `filters` has the four columns of a link; None
    filters nothing."""
    number = "batch_link.number"
    rows = await database.fetch(
        f"select {number}, {_LINK}, transaction_id, at_ms"  # noqa: S608 - constants.
        " from batch_link join request on request.number = request_number"
        f" where batch_link.organisation_id = $1 and {page.beyond(number, '$2')}"
        " and ($4::text is null or source_product_code = $4)"
        " and ($5::text is null or source_batch_id = $5)"
        " and ($6::text is null or target_product_code = $6)"
        " and ($7::text is null or target_batch_id = $7)"
        f" {page.by(number)} limit $3",
        organisation_id,
        page.bound,
        page.limit,
        *(filters.get(name) for name in _LINK.split(", ")),
    )
    return [LinkRow(row["number"], _link(row), row["transaction_id"], row["at_ms"]) for row in rows]


async def parties_linked(
    database: Queryable, product_code: str, batch_id: str | None
) -> dict[str, list[BatchKey]]:
    """Return who made batches from a product, or from one batch of it, and which."""
    rows = await database.fetch(
        "select distinct organisation_id, target_product_code, target_batch_id from batch_link"
        " where source_product_code = $1 and ($2::text is null or source_batch_id = $2)"
        " order by organisation_id, target_product_code, target_batch_id",
        product_code,
        batch_id,
    )
    linked: dict[str, list[BatchKey]] = {}
    for row in rows:
        target = BatchKey(row["target_product_code"], row["target_batch_id"])
        linked.setdefault(row["organisation_id"], []).append(target)
    return linked


async def traders_of(database: Queryable, product_code: str) -> set[str]:
    """Return who trades a product: says so, or has made something from it."""
    rows = await database.fetch(
        "select organisation_id from traded_product where product_code = $1"
        " union select organisation_id from batch_link where source_product_code = $1",
        product_code,
    )
    return {row["organisation_id"] for row in rows}


async def recalls_of(database: Queryable, key: BatchKey) -> list[Event]:
    """Return the recalls of a batch."""
    rows = await database.fetch(
        "select request_number, message_type, received_at_ms, reason, at_ms,"
        " array_agg(market order by market) as markets from recall"
        " join request on request.number = request_number"
        " where recall.product_code = $1 and recall.batch_id = $2"
        " group by 1, 2, 3, 4, 5 order by 1",
        *key,
    )
    return [Event(**dict(row)) for row in rows]


async def withdrawals_of(database: Queryable, product_code: str) -> list[Event]:
    """Return the withdrawals of a product."""
    rows = await database.fetch(
        "select request_number, message_type, received_at_ms, reason, at_ms,"
        " array_agg(market order by market) as markets from withdrawal"
        " join request on request.number = request_number"
        " where withdrawal.product_code = $1 group by 1, 2, 3, 4, 5 order by 1",
        product_code,
    )
    return [Event(**dict(row)) for row in rows]


async def add_traded_product(
    connection: Connection, organisation_id: str, product_code: str, count_max: int
) -> bool:
    """Note that an organisation trades a product; return False if it trades too many."""
    # One at a time, or two at once would both find room.
    await connection.execute(
        "select from organisation where organisation_id = $1 for no key update", organisation_id
    )
    status = await connection.execute(
        "insert into traded_product (organisation_id, product_code) select $1, $2"
        " where (select count(*) from traded_product where organisation_id = $1) < $3"
        " or exists (select from traded_product where organisation_id = $1 and product_code = $2)"
        " on conflict (product_code, organisation_id) do update"
        " set product_code = excluded.product_code",
        organisation_id,
        product_code,
        count_max,
    )
    return changed_count(status) == 1


async def drop_traded_product(database: Queryable, organisation_id: str, product_code: str) -> bool:
    """Note that an organisation trades a product no longer; return whether it did."""
    status = await database.execute(
        "delete from traded_product where organisation_id = $1 and product_code = $2",
        organisation_id,
        product_code,
    )
    return changed_count(status) == 1


async def list_traded_products(
    database: Queryable, organisation_id: str, *, after: str, count_max: int
) -> list[str]:
    """Return the codes of the products that an organisation says it trades, after a code."""
    rows = await database.fetch(
        "select product_code from traded_product where organisation_id = $1"
        " and product_code > $2 order by product_code limit $3",
        organisation_id,
        after,
        count_max,
    )
    return [row["product_code"] for row in rows]
