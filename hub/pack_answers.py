"""What the hub tells about each pack of a request, page by page. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from emvs.errors import BadRequestError, NotFoundError
from emvs.outcomes import Outcome
from emvs.state_messages import STATE_WORDS, MarketAnswer, PackAnswer, PackAnswers
from emvs.states import State
from hub.answers import own_request
from hub.organisations import Client
from hub.store import deliveries
from hub.store.connections import Pool, snapshot
from hub.store.pack_answers import PAGE_COUNT, StoredAnswer, answers_of_pages, serials_of_pages
from hub.uploads import PACKS_OF_BATCH_TYPES

_NUMBER_LENGTH_MAX: Final = 9


async def pack_answers(
    pool: Pool, transaction_id: str, client: Client, query: Mapping[str, str]
) -> PackAnswers:
    """Return a page of what the markets made of each pack; `after` is a number of packs.

    Raises NotFoundError if the client's organisation has no such request, BadRequestError.
    """
    after = _number(query, "after", 0)
    limit = _number(query, "limit", PAGE_COUNT)
    if not 1 <= limit <= PAGE_COUNT:
        raise BadRequestError(f"limit is from 1 to {PAGE_COUNT}")
    async with snapshot(pool) as connection:
        row = await own_request(connection, transaction_id, client)
        if row.message_type not in PACKS_OF_BATCH_TYPES:
            types = ", ".join(sorted(PACKS_OF_BATCH_TYPES))
            raise NotFoundError(f"packs are listed of requests {types}, not of {row.message_type}")
        stop = min(after + limit, row.serial_count)
        span = after // PAGE_COUNT, max(after, stop - 1) // PAGE_COUNT
        serials = await serials_of_pages(connection, row.number, *span)
        found = await answers_of_pages(connection, row.number, *span)
        asked = await deliveries.deliveries_of(connection, row.number)
    markets = {delivery.system: delivery.markets for delivery in asked}
    by_page: dict[int, list[StoredAnswer]] = {page: [] for page in serials}
    for system in markets:  # In the order in which they were asked.
        for answer in found:
            if answer.system == system:
                by_page[answer.page].append(answer)
    packs = [
        PackAnswer(
            position,
            serials[page][place],
            [
                one
                for answer in by_page[page]
                for one in _market_answers(answer, place, markets[answer.system])
            ],
        )
        for position in range(after, stop)
        for page, place in [divmod(position, PAGE_COUNT)]
        if page in serials
    ]
    # Nothing is stored of a message that was not valid, nor before it was looked at.
    forgotten = bool(asked) and after < stop and not serials
    more = bool(packs) and stop < row.serial_count
    return PackAnswers(row.transaction_id, packs, stop if more else None, forgotten)


def _market_answers(answer: StoredAnswer, place: int, markets: list[str]) -> list[MarketAnswer]:
    outcome, state = answer.outcomes[place], answer.states[place]
    if not outcome:
        return []
    word = STATE_WORDS[State(state)] if state else None
    alert_id = answer.alerts.get(str(place))
    return [MarketAnswer(market, Outcome(outcome).name, word, alert_id) for market in markets]


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= _NUMBER_LENGTH_MAX):
        raise BadRequestError(f"{name} is a number")
    return int(text)
