"""Reports on what stands: the daily snapshot with its five tables, and the organisations.

Column names in the snapshot that a public client reads are those of the REST-built national
systems; the others, and the order, are ours. Tables are read in slices in order of their keys, so
a snapshot of a busy day is not of one instant.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import asyncpg

from emvs.scanner_hints import shape_of
from nmvs.reports.csv_tables import Cell, table_head, table_lines
from nmvs.reports.sources import Pool, Sources

_ROWS_AT_ONCE: Final = 1_000

PRODUCT_COLUMNS: Final = (
    "Product Code",
    "Product Code Scheme",
    "Product Name",
    "Common Name",
    "NHRN",
    "Version",
    "Is Multimarket",
    "Markets",
    "Withdrawal Date",
    "Withdrawal Reason",
)
BATCH_COLUMNS: Final = (
    "Product Code",
    "Batch Id",
    "Expiry Date",
    "Min SN Length",
    "Max SN Length",
    "SN Format",
    "Batch Length",
    "Batch Format",
    "Is Multimarket",
    "Markets",
    "Recall Date",
    "Recall Reason",
)
ORGANISATION_COLUMNS: Final = (
    "Organisation",
    "Name",
    "Roles",
    "Number of Locations",
    "Number of REST Clients",
    "Number of SOAP Logins",
    "Has_Extended_Product_Dataset",
    "Rate Limiting Plan",
    "Rate Limiting Policy",
)
LOCATION_COLUMNS: Final = (
    "Location Id",
    "Name",
    "Organisation",
    "Role",
    "Number of REST Clients",
    "Number of SOAP Logins",
)
API_VERSION_COLUMNS: Final = (
    "Client Id",
    "API Version",
    "Requested API Version",
    "User Agent",
    "IP",
    "Last API Request",
)

_MARKETS: Final = (
    "(select array_agg(distinct m order by m) from product_version v, unnest(v.markets) m"
    " where v.product_code = p.product_code)"
)
PRODUCTS_SQL: Final = f"""
select p.product_code, p.scheme, p.name, p.common_name, p.national_code, p.version,
    {_MARKETS} as markets, p.withdrawn_at, p.withdrawal_reason
from product p
where p.product_code > $1 and ($3::text[] is null or p.product_code = any($3))
order by p.product_code limit $2
"""  # noqa: S608 - a constant.
"""Products behind a code, so many, and only these if any are named."""
_BATCHES: Final = """
select b.batch_number, b.product_code, b.batch_id, b.expiry, b.serial_length_min,
    b.serial_length_max, b.serial_kinds, v.markets, b.recalled_at, b.recall_reason
from batch b
left join product_version v
    on v.product_code = b.product_code and v.version = b.product_version
where b.batch_number > $1 order by b.batch_number limit $2
"""
_REST_LOGINS: Final = "equipment"
"""Table of the logins to the REST dialect."""
_LOGIN_COUNTS: Final = f"""
    (select count(*) from {_REST_LOGINS} c where c.location_number = l.location_number) as rest,
    (select count(*) from soap_login s where s.location_number = l.location_number) as soap
"""  # noqa: S608 - a constant.
# Only locations of this market: of others no more than a number is known. An organisation may have
# none: it is new, or a connector, whose logins stand at no location.
_ORGANISATIONS: Final = f"""
select o.organisation_id, o.name,
    case when o.is_connector then 'connector'
        else coalesce(string_agg(distinct l.role, ' ' order by l.role), '') end,
    count(l.location_number),
    coalesce(sum(l.rest), 0)::bigint
        + (select count(*) from {_REST_LOGINS} c where c.organisation_id = o.organisation_id),
    coalesce(sum(l.soap), 0)::bigint
from organisation o
left join (select l.*, {_LOGIN_COUNTS} from location l where market = $1) l
    on l.organisation = o.organisation_id
where ($2::text is null or o.organisation_id = $2) and o.organisation_id > $3
group by o.organisation_id order by o.organisation_id limit $4
"""  # noqa: S608 - a constant.
_LOCATIONS: Final = f"""
select l.location_number, l.location, l.name, l.organisation, l.role, {_LOGIN_COUNTS}
from location l where l.market = $1 and l.location_number > $2
order by l.location_number limit $3
"""  # noqa: S608 - a constant.


async def snapshot(sources: Sources) -> AsyncIterator[tuple[str, int]]:
    """Yield the five tables, each with its head: text, and how many lines it has."""
    for name, columns, rows in (
        ("Products", PRODUCT_COLUMNS, _products(sources.pool)),
        ("Batches", BATCH_COLUMNS, _batches(sources.pool)),
        ("Organisations", ORGANISATION_COLUMNS, organisation_rows(sources, None)),
        ("Locations", LOCATION_COLUMNS, _locations(sources)),
        ("API Versions", API_VERSION_COLUMNS, _api_versions(sources)),
    ):
        yield table_head(name, columns), 0
        async for lines in rows:
            yield table_lines(lines), len(lines)


async def organisation_rows(
    sources: Sources, organisation: str | None
) -> AsyncIterator[list[list[Cell]]]:
    """Yield lines about organisations, or about one."""
    after = ""
    while rows := await sources.pool.fetch(
        _ORGANISATIONS, sources.market, organisation, after, _ROWS_AT_ONCE
    ):
        after = rows[-1][0]
        lines: list[list[Cell]] = []
        for organisation_id, *facts in rows:
            plan = sources.rate_plan(organisation_id)
            has_data = sources.rights.has(organisation_id)
            lines.append([organisation_id, *facts, has_data, *plan])
        yield lines


async def _products(pool: Pool) -> AsyncIterator[list[list[Cell]]]:
    after = ""
    while rows := await pool.fetch(PRODUCTS_SQL, after, _ROWS_AT_ONCE, None):
        after = rows[-1]["product_code"]
        lines: list[list[Cell]] = []
        for *facts, markets, withdrawn_at, reason in rows:
            known = markets or ()
            lines.append([*facts, len(known) > 1, " ".join(known), withdrawn_at, reason])
        yield lines


async def _batches(pool: Pool) -> AsyncIterator[list[list[Cell]]]:
    after = 0
    while rows := await pool.fetch(_BATCHES, after, _ROWS_AT_ONCE):
        after = rows[-1]["batch_number"]
        yield [_batch_line(row) for row in rows]


def _batch_line(row: asyncpg.Record) -> list[Cell]:
    batch_id, markets = row["batch_id"], row["markets"] or ()
    shape = shape_of([batch_id])
    return [
        row["product_code"],
        batch_id,
        row["expiry"],
        row["serial_length_min"],
        row["serial_length_max"],
        format_name(row["serial_kinds"]),
        len(batch_id),
        format_name(shape and shape.kinds),
        len(markets) > 1,
        " ".join(sorted(markets)),
        row["recalled_at"],
        row["recall_reason"],
    ]


def format_name(kinds: int | None) -> str:
    """Return what characters identifiers have, from the kinds in them (see
    `emvs.scanner_hints.Shape`). The words are ours."""
    if not kinds:
        return ""
    names = ("digits", "capitals", "small letters", "other characters")
    return ", ".join(name for position, name in enumerate(names) if kinds & 1 << position)


async def _locations(sources: Sources) -> AsyncIterator[list[list[Cell]]]:
    after = 0
    while rows := await sources.pool.fetch(_LOCATIONS, sources.market, after, _ROWS_AT_ONCE):
        after = rows[-1][0]
        yield [list(row)[1:] for row in rows]


async def _api_versions(sources: Sources) -> AsyncIterator[list[list[Cell]]]:
    yield [
        [
            seen.client_id,
            seen.api_version,
            seen.requested_api_version,
            seen.user_agent,
            seen.ip,
            seen.last_request_at,
        ]
        for seen in sources.client_sightings()
    ]
