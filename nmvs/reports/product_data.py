"""Product master data as a document: one JSON object a line, the products in order of their codes.

The call is our guess (see `nmvs.rest.product_data_calls`), and so are the members.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

import orjson

from nmvs.reports.csv_tables import utc_text
from nmvs.reports.runner import Piece
from nmvs.reports.sources import Pool
from nmvs.reports.standing import PRODUCTS_SQL

_ROWS_AT_ONCE: Final = 1_000


async def product_lines(pool: Pool, product_codes: Sequence[str] | None) -> AsyncIterator[Piece]:
    """Yield products, each as an element of a JSON array without its brackets."""
    after, separator = "", b""
    wanted = None if product_codes is None else list(product_codes)
    while rows := await pool.fetch(PRODUCTS_SQL, after, _ROWS_AT_ONCE, wanted):
        after = rows[-1]["product_code"]
        elements = [
            orjson.dumps(
                {
                    "productCodeScheme": "ifa" if row["scheme"] == "PPN" else "gs1",
                    "productCode": row["product_code"],
                    "name": row["name"],
                    "commonName": row["common_name"],
                    "nhrn": row["national_code"],
                    "version": row["version"],
                    "markets": row["markets"] or [],
                    "withdrawn": row["withdrawn_at"] is not None,
                    "withdrawnAt": row["withdrawn_at"] and utc_text(row["withdrawn_at"]),
                    "withdrawalReason": row["withdrawal_reason"],
                }
            )
            for row in rows
        ]
        yield Piece(separator + b",".join(elements), len(rows))
        separator = b","
