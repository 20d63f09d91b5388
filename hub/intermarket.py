"""Finding a pack that the asking market does not hold, and having its own market act on it.

Delegated Regulation (EU) 2016/161, Art. 34(4): the query goes to the hub, which forwards it to
the repositories of the markets the product is intended for. They are asked one after another (our
choice; the real order is not public) within one budget of time, and the first that knows the pack
answers by its own rules. The hub decides nothing about a pack.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from emvs.errors import ForbiddenError, OverloadedError
from emvs.infra.logs import get_logger
from emvs.interconnect import IntermarketAnswer, IntermarketRequest
from emvs.markets import MARKETS
from emvs.outcomes import Outcome
from hub.facts import ProductFacts
from hub.national_client import NationalClient, NationalSystemError
from hub.store.catalogue import batch_facts, product_facts
from hub.store.connections import Pool

_NOT_KNOWN: Final = (
    # In order of how much they tell: a system may not have the product yet.
    Outcome.PRODUCT_UNKNOWN.name,
    Outcome.BATCH_AND_SERIAL_UNKNOWN.name,
    Outcome.SERIAL_UNKNOWN.name,
)
_CODE_LENGTH_MAX: Final = 40

_log = get_logger(__name__)


class Intermarket:
    """Answers intermarket requests."""

    def __init__(
        self,
        *,
        pool: Pool,
        clients: Mapping[str, NationalClient],
        budget_s: float,
        concurrent_max: int,
    ) -> None:
        self._pool = pool
        self._clients = clients
        self._budget_s = budget_s
        self._concurrent_max = concurrent_max
        self._in_flight_count = 0
        self.outcomes: Counter[str] = Counter()

    async def answer(self, request: IntermarketRequest, asking_system: str) -> IntermarketAnswer:
        """Return the answer of the market that knows the pack, or why there is none.

        Raises ForbiddenError if the request speaks for another system, OverloadedError.
        """
        market = MARKETS.get(request.market)
        if market is None or market.system != asking_system:
            raise ForbiddenError(f"the token is that of {asking_system}, not of {request.market!a}")
        if self._in_flight_count >= self._concurrent_max:
            raise OverloadedError(f"{self._concurrent_max} intermarket requests are in flight")
        self._in_flight_count += 1
        try:
            answer = await self._route(request, asking_system)
        finally:
            self._in_flight_count -= 1
        self.outcomes[answer.outcome] += 1
        return answer

    async def _route(self, request: IntermarketRequest, asking_system: str) -> IntermarketAnswer:
        product = None
        if is_plausible(request.productCode):
            product = await product_facts(self._pool, request.productCode)
        if product is None:
            return _own_answer(request, Outcome.PRODUCT_UNKNOWN)
        markets, nobody_knows = await self._markets_of(product, request.batchId)
        systems = list(dict.fromkeys(MARKETS[market].system for market in markets))
        others = [system for system in systems if system != asking_system]
        return await self._ask(request, others, nobody_knows)

    async def _markets_of(
        self, product: ProductFacts, batch_id: str | None
    ) -> tuple[tuple[str, ...], Outcome]:
        """Return the markets that may hold the pack, and what to say if none does."""
        if not is_plausible(batch_id):
            return product.markets, Outcome.SERIAL_UNKNOWN
        assert batch_id is not None
        batch = await batch_facts(self._pool, product.product_code, batch_id)
        if batch is None:
            return product.markets, Outcome.BATCH_AND_SERIAL_UNKNOWN
        return product.markets_by_version[batch.product_version], Outcome.SERIAL_UNKNOWN

    async def _ask(
        self, request: IntermarketRequest, systems: list[str], nobody_knows: Outcome
    ) -> IntermarketAnswer:
        deadline_s = time.monotonic() + self._budget_s
        best: IntermarketAnswer | None = None
        all_answered = True
        for position, system in enumerate(systems):
            # Each gets its share of what is left, so that a silent one does not use up all.
            share_s = (deadline_s - time.monotonic()) / (len(systems) - position)
            answer = await self._ask_one(request, system, share_s)
            if answer is None:
                all_answered = False
            elif answer.outcome not in _NOT_KNOWN:
                return answer
            elif best is None or _NOT_KNOWN.index(answer.outcome) > _NOT_KNOWN.index(best.outcome):
                best = answer
        if not all_answered:
            # The pack may be where nobody answers: an alert would be a false one.
            return _own_answer(request, Outcome.MARKET_UNREACHABLE)
        return best or _own_answer(request, nobody_knows)

    async def _ask_one(
        self, request: IntermarketRequest, system: str, timeout_s: float
    ) -> IntermarketAnswer | None:
        client = self._clients.get(system)
        if client is None or timeout_s <= 0:
            return None
        try:
            return await client.ask(request, timeout_s=timeout_s)
        except NationalSystemError as error:
            _log.warning(
                "market not asked",
                action="intermarket_failed",
                request_id=request.requestId,
                system=system,
                error=str(error),
            )
            return None


def is_plausible(code: str | None) -> bool:
    """Whether a code may be asked for at all."""
    return bool(code) and code is not None and len(code) <= _CODE_LENGTH_MAX and "\0" not in code


def _own_answer(request: IntermarketRequest, outcome: Outcome) -> IntermarketAnswer:
    return IntermarketAnswer(requestId=request.requestId, market=None, outcome=outcome.name)
