"""Queries on products, batches, recalls and withdrawals."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from emvs.obp_messages import MarketPart, PostalOrganisation, ProductMessage
from hub.facts import BatchFacts, ProductFacts
from hub.store.connections import Connection, Queryable


async def product_facts(database: Queryable, product_code: str) -> ProductFacts | None:
    """Return what is known of a product."""
    rows = await database.fetch(
        "select organisation_id, version, market from product join product_market"
        " using (product_code) where product_code = $1 order by version, position",
        product_code,
    )
    if not rows:
        return None
    markets: dict[int, list[str]] = {}
    for row in rows:
        markets.setdefault(row["version"], []).append(row["market"])
    withdrawn = await database.fetch(
        "select market, status in ('Failed', 'Refused') as unheard"
        " from withdrawal left join delivery on market = any(markets)"
        " and delivery.request_number = withdrawal.request_number where product_code = $1",
        product_code,
    )
    return ProductFacts(
        product_code,
        rows[0]["organisation_id"],
        {version: tuple(listed) for version, listed in markets.items()},
        frozenset(row["market"] for row in withdrawn),
        frozenset(row["market"] for row in withdrawn if row["unheard"]),
    )


async def batch_facts(database: Queryable, product_code: str, batch_id: str) -> BatchFacts | None:
    """Return what is known of a batch."""
    row = await database.fetchrow(
        "select expiry, product_version from batch where product_code = $1 and batch_id = $2",
        product_code,
        batch_id,
    )
    if row is None:
        return None
    recalled = await database.fetch(
        "select market, status in ('Failed', 'Refused') as unheard"
        " from recall left join delivery on market = any(markets)"
        " and delivery.request_number = recall.request_number"
        " where product_code = $1 and batch_id = $2",
        product_code,
        batch_id,
    )
    return BatchFacts(
        batch_id,
        row["expiry"],
        row["product_version"],
        frozenset(recall["market"] for recall in recalled),
        frozenset(recall["market"] for recall in recalled if recall["unheard"]),
    )


async def insert_product_version(
    connection: Connection,
    message: ProductMessage,
    *,
    version: int,
    organisation_id: str,
    request_number: int,
) -> None:
    """Store a version of a product and, if it is the first, the product."""
    await connection.execute(
        "insert into product (product_code, scheme, organisation_id) values ($1, $2, $3)"
        " on conflict do nothing",
        message.productCode,
        message.scheme,
        organisation_id,
    )
    common = {
        "name": message.name,
        "commonName": message.commonName,
        "pharmaceuticalForm": message.pharmaceuticalForm,
        "strength": message.strength,
        "packType": message.packType,
        "packSize": message.packSize,
        "atcCodes": message.atcCodes,
    }
    await connection.execute(
        "insert into product_version (product_code, version, request_number, common_part)"
        " values ($1, $2, $3, $4)",
        message.productCode,
        version,
        request_number,
        msgspec.json.encode(common).decode(),
    )
    await connection.executemany(
        "insert into product_market (product_code, version, position, market, market_part)"
        " values ($1, $2, $3, $4, $5)",
        [
            (message.productCode, version, position, part.market, _encoded(part))
            for position, part in enumerate(message.markets)
        ],
    )


def _encoded(part: MarketPart | PostalOrganisation | None) -> str:
    return msgspec.json.encode(part).decode()


async def insert_batch(
    connection: Connection,
    *,
    product_code: str,
    batch_id: str,
    product_version: int,
    expiry: str,
    manufacturer: PostalOrganisation | None,
    request_number: int,
) -> None:
    """Store a new batch."""
    await connection.execute(
        "insert into batch (product_code, batch_id, product_version, expiry, manufacturer,"
        " request_number) values ($1, $2, $3, $4, $5, $6)",
        product_code,
        batch_id,
        product_version,
        expiry,
        _encoded(manufacturer),
        request_number,
    )


async def insert_recall(
    connection: Connection,
    product_code: str,
    batch_id: str,
    *,
    markets: Sequence[str],
    reason: str,
    request_number: int,
    at_ms: int,
) -> None:
    """Store that a batch is recalled in markets; a repeated recall takes the place of the one
    that was not heard there."""
    await connection.execute(
        "insert into recall (product_code, batch_id, market, reason, request_number, at_ms)"
        " select $1, $2, unnest($3::text[]), $4, $5, $6"
        " on conflict (product_code, batch_id, market) do update set reason = excluded.reason,"
        " request_number = excluded.request_number, at_ms = excluded.at_ms",
        product_code,
        batch_id,
        list(markets),
        reason,
        request_number,
        at_ms,
    )


async def insert_withdrawal(
    connection: Connection,
    product_code: str,
    *,
    markets: Sequence[str],
    reason: str,
    request_number: int,
    at_ms: int,
) -> None:
    """Store that a product is withdrawn from markets; a repeated withdrawal takes the place of
    the one that was not heard there."""
    await connection.execute(
        "insert into withdrawal (product_code, market, reason, request_number, at_ms)"
        " select $1, unnest($2::text[]), $3, $4, $5"
        " on conflict (product_code, market) do update set reason = excluded.reason,"
        " request_number = excluded.request_number, at_ms = excluded.at_ms",
        product_code,
        list(markets),
        reason,
        request_number,
        at_ms,
    )
