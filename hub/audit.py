"""A pack's history across markets, for an authority: every market of the product is asked at once.

The hub stores nothing of it (Delegated Regulation (EU) 2016/161, Art. 33: no serial numbers) and
decides nothing. Markets that do not answer in time are named, so that what is missing is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from emvs.errors import BadRequestError, NotFoundError, OverloadedError
from emvs.interconnect import PackAudit
from emvs.limits import AUDIT_READERS_MAX
from emvs.markets import MARKETS
from hub.intermarket import is_plausible
from hub.national_client import NationalClient, NationalSystemError
from hub.store.catalogue import product_facts
from hub.store.connections import Pool


class PackAudits:
    """Reads histories. `budget_s` bounds the time for one."""

    def __init__(
        self, *, pool: Pool, clients: Mapping[str, NationalClient], budget_s: float
    ) -> None:
        self._pool = pool
        self._clients = clients
        self._budget_s = budget_s
        self._readers = asyncio.Semaphore(AUDIT_READERS_MAX)

    async def history(self, product_code: str, serial_number: str) -> dict[str, Any]:
        """Return what every market recorded about a pack, oldest first, and who did not answer.

        Raises BadRequestError, NotFoundError if the product is unknown, OverloadedError.
        """
        if not is_plausible(product_code) or not is_plausible(serial_number):
            raise BadRequestError("product_code and serial have 1 to 40 characters")
        if self._readers.locked():
            raise OverloadedError(f"{AUDIT_READERS_MAX} histories are being read")
        async with self._readers:
            product = await product_facts(self._pool, product_code)
            if product is None:
                raise NotFoundError(f"the product {product_code!a} is unknown")
            systems = dict.fromkeys(MARKETS[market].system for market in product.markets)
            answers = await asyncio.gather(
                *(self._ask(system, product_code, serial_number) for system in systems)
            )
        return _merged(product_code, serial_number, dict(zip(systems, answers, strict=True)))

    async def _ask(self, system: str, product_code: str, serial_number: str) -> PackAudit | str:
        """Return a market's answer, or why there is none."""
        client = self._clients.get(system)
        if client is None:
            return "the national system is not connected"
        try:
            return await client.pack_audit(product_code, serial_number, timeout_s=self._budget_s)
        except NationalSystemError as error:
            return str(error)


def _merged(
    product_code: str, serial_number: str, answers: Mapping[str, PackAudit | str]
) -> dict[str, Any]:
    given = {system: answer for system, answer in answers.items() if isinstance(answer, PackAudit)}
    entries = [
        {"recordedBy": system, **entry}
        for system, answer in given.items()
        for entry in answer.entries
    ]
    return {
        "productCode": product_code,
        "serialNumber": serial_number,
        # Times are written alike everywhere, so that their texts are in the order of time.
        "entries": sorted(entries, key=lambda entry: str(entry.get("at"))),
        "markets": [
            {"market": system, "state": answer.state, "truncated": answer.truncated}
            for system, answer in given.items()
        ],
        "notAnswered": [
            {"market": system, "reason": answer}
            for system, answer in answers.items()
            if isinstance(answer, str)
        ],
    }
