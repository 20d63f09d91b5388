"""What markets hold of batches, asked for a report; markets that do not answer are told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from emvs.batch_counts import BATCHES_PER_QUESTION_MAX, AskedBatch, BatchCount, BatchQuestion
from emvs.markets import MARKETS
from hub.national_client import NationalClient, NationalSystemError
from hub.reports.store import BatchLine
from hub.serial_digests import SerialDigests

_NOT_CONNECTED: Final = "the national system is not connected"
_Batch = tuple[str, str]
Counts = dict[str, dict[_Batch, BatchCount] | str]
"""National system to its counts, or to the reason why there are none."""


class MarketCounts:
    """Asks all markets of some batches at once."""

    def __init__(
        self, clients: Mapping[str, NationalClient], digests: SerialDigests, *, market_s_max: float
    ) -> None:
        self._clients = clients
        self._digests = digests
        self._market_s_max = market_s_max

    async def of(self, lines: Sequence[BatchLine]) -> Counts:
        """Return what each market holds of the batches in these lines."""
        wanted: dict[str, dict[_Batch, None]] = {}
        for line in lines:
            batches = wanted.setdefault(MARKETS[line.market].system, {})
            batches[line.product_code, line.batch_id] = None
        answers = await asyncio.gather(
            *(self._ask(system, list(batches)) for system, batches in wanted.items())
        )
        return dict(zip(wanted, answers, strict=True))

    async def _ask(self, system: str, batches: list[_Batch]) -> dict[_Batch, BatchCount] | str:
        client = self._clients.get(system)
        if client is None:
            return _NOT_CONNECTED
        found: dict[_Batch, BatchCount] = {}
        for start in range(0, len(batches), BATCHES_PER_QUESTION_MAX):
            asked = [
                AskedBatch(*batch, self._digests.batch_key(*batch).hex())
                for batch in batches[start : start + BATCHES_PER_QUESTION_MAX]
            ]
            try:
                counts = await client.batch_counts(
                    BatchQuestion(asked), timeout_s=self._market_s_max
                )
            except NationalSystemError as error:
                return str(error)
            found |= {(count.productCode, count.batchId): count for count in counts.batches}
        return found


def reason_of(counts: Counts, system: str) -> str | None:
    """Return why a market gave no counts, None if it did."""
    answer = counts[system]
    return answer if isinstance(answer, str) else None


def count_of(counts: Counts, system: str, line: BatchLine) -> BatchCount | None:
    """Return what a market holds of a batch, None if it did not answer."""
    answer = counts[system]
    return None if isinstance(answer, str) else answer[line.product_code, line.batch_id]
