"""Which organisations may ask for product data. In memory; stored when it changes.

That an organisation has or has not the "extended product dataset" is known from a report's column;
who sets it, and that it is needed for every such call, is our choice.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import asyncpg

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class ProductRights:
    """Organisations by id."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._organisations: set[str] = set()

    async def load(self) -> None:
        """Read all rights from the database."""
        rows = await self._pool.fetch("select organisation from product_data_right")
        self._organisations = {row[0] for row in rows}

    def has(self, organisation: str) -> bool:
        """Whether this organisation may ask for product data."""
        return organisation in self._organisations

    async def put(self, organisation: str, now: datetime, *, granted: bool) -> None:
        """Grant the right, or take it away."""
        if granted:
            await self._pool.execute(
                "insert into product_data_right values ($1, $2) on conflict do nothing",
                organisation,
                now,
            )
            self._organisations.add(organisation)
        else:
            await self._pool.execute(
                "delete from product_data_right where organisation = $1", organisation
            )
            self._organisations.discard(organisation)
