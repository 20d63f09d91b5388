"""State updates and verifications on their way: what each market is asked, what it answered.

A state update goes to all markets at once. A verification goes to one market; the packs that it
does not hold go to the product's next market, as since hub release 1.16. Only the last market
raises alerts about packs it does not hold (our choice): they may be another one's.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import compress
from typing import Final, NamedTuple, TypeVar

import msgspec

from emvs.alerts import ALERT_ID
from emvs.markets import MARKETS
from emvs.outcomes import Outcome
from emvs.roles import Role
from emvs.scheme import Scheme
from emvs.state_deliveries import NOT_HELD, OutcomeRun, StatesDelivery, StatesResult
from emvs.state_messages import PacksOfBatch, StateUpdateMessage
from emvs.states import State
from hub.defects import Defects
from hub.facts import Judgement, Sender
from hub.national_client import NationalSystemError
from hub.product_rules import scheme_of
from hub.state_rules import VERIFY, operation_of
from hub.store import deliveries, pack_answers, requests
from hub.store.catalogue import product_facts
from hub.store.connections import Connection, Pool, Queryable
from hub.store.deliveries import NewDelivery
from hub.store.delivery_lines import WaitingDelivery
from hub.store.pack_answers import PAGE_COUNT, StoredAnswer
from hub.store.requests import RequestRow

KIND: Final = "states"
_Listed = TypeVar("_Listed")
_SLICE_COUNT: Final = 8_192
"""Runs or alerts looked at before the event loop runs: some milliseconds."""
_OPEN: Final = bytes(number in {0, *NOT_HELD} for number in range(256))
"""By the number of an outcome: 1 if another market may still hold the pack, else 0."""

_OUTCOME_BYTES: Final = {outcome.name: bytes([outcome]) for outcome in Outcome}
_STATE_BYTES: Final[Mapping[str | None, bytes]] = {
    None: b"\0",
    **{state.name: bytes([state]) for state in State},
}


class Question(NamedTuple):
    """What is sent to a national system in one attempt."""

    pieces: list[bytes]
    pack_count: int


async def load(
    connection: Connection,
    row: RequestRow,
    message: PacksOfBatch,
    judgement: Judgement,
    sender: Sender,
) -> list[NewDelivery]:
    """Store which packs a valid message is about; return what is delivered first."""
    await pack_answers.insert_pages(connection, row.number, message.serialNumbers)
    systems: dict[str, list[str]] = {}
    for market in judgement.markets:
        systems.setdefault(MARKETS[market].system, []).append(market)
    one_by_one = row.message_type == VERIFY
    silent = one_by_one and len(systems) > 1
    body = _body(
        row.message_type, message, sender, silent=silent, requested_at_ms=row.received_at_ms
    )
    found = [NewDelivery(system, markets, KIND, body) for system, markets in systems.items()]
    return found[:1] if one_by_one else found


def _body(
    message_type: str, message: PacksOfBatch, sender: Sender, *, silent: bool, requested_at_ms: int
) -> bytes:
    scheme = scheme_of(message.productCode, message.scheme, Defects(), scheme_required=False)
    assert scheme is not None, "the message is valid"
    role = Role.PARALLEL_DISTRIBUTOR if sender.is_parallel_distributor else Role.OBP
    delivery = StatesDelivery(
        operation=operation_of(message_type, message).name,
        scheme=Scheme(scheme).value,
        productCode=message.productCode or "",
        batchId=message.batchId or "",
        organisation=sender.organisation_id,
        role=role.value,
        reason=message.reason if isinstance(message, StateUpdateMessage) else None,
        silent=silent,
    )
    members = dataclasses.asdict(delivery)
    members["requestedAt"] = requested_at_ms
    del members["serialNumbers"]  # Encoded once, and the same bytes for all markets.
    return msgspec.json.encode(members)


async def question_of(pool: Pool, delivery: WaitingDelivery, body: bytes) -> Question:
    """Return what a delivery asks: of a verification, about packs no earlier market holds."""
    number = _request_number(delivery)
    row = await requests.find_request(pool, number=number)
    serials = await requests.serials_of(pool, number)
    assert row is not None, "requests are never deleted"
    assert serials is not None, "serial numbers stay until the last delivery has ended"
    pack_count = row.serial_count
    if delivery.message_type != VERIFY:
        return _question(body, serials, pack_count)
    open_packs = b"".join(await _open_packs(pool, number, pack_count))
    if 0 in open_packs:
        listed = msgspec.json.decode(serials, type=list[str])
        await asyncio.sleep(0)
        wanted = list(compress(listed, open_packs))
        pack_count, serials = len(wanted), msgspec.json.encode(wanted)
    return _question(body, serials, pack_count)


def _question(body: bytes, serials: bytes, pack_count: int) -> Question:
    return Question([body[:-1] + b',"serialNumbers":', serials, b"}"], pack_count)


async def checked(result: StatesResult, pack_count: int) -> StatesResult:
    """Return an answer that is one to a question about so many packs.

    Lets the event loop run in between. Raises NationalSystemError.
    """
    if not result.accepted:  # Then it says nothing about packs, whatever stands there.
        return dataclasses.replace(result, runs=[], alerts=[])
    fits, count, last = True, 0, -1
    for runs in _slices(result.runs):
        count += sum(run.count for run in runs)
        fits = fits and all(map(_is_run, runs))
        await asyncio.sleep(0)
    fits = fits and count == pack_count >= result.loadedCount
    for alerts in _slices(result.alerts):
        for alert in alerts:
            fits = fits and last < alert.position < pack_count
            fits = fits and ALERT_ID.fullmatch(alert.alertId) is not None
            last = alert.position
        await asyncio.sleep(0)
    if not fits:
        raise NationalSystemError("the answer is not one about the packs that were asked for")
    return result


def _slices(listed: list[_Listed]) -> Iterator[list[_Listed]]:
    for start in range(0, len(listed), _SLICE_COUNT):
        yield listed[start : start + _SLICE_COUNT]


def _is_run(run: OutcomeRun) -> bool:
    return (
        run.count > 0
        and run.outcome in Outcome.__members__
        and (run.state is None or run.state in State.__members__)
    )


async def settle(
    connection: Connection,
    delivery: WaitingDelivery,
    system: str,
    *,
    result: StatesResult | None,
    body: bytes,
    connected: Collection[str],
    now_ms: int,
) -> str | None:
    """Store what a market answered, None if it gave no answer. Of a verification, ask the next
    market about packs that are still open; return its system."""
    number = _request_number(delivery)
    row = await requests.find_request(connection, number=number)
    assert row is not None, "requests are never deleted"
    if result is not None and result.runs:
        counts = Counter[str]()
        for runs in _slices(result.runs):
            for run in runs:
                counts[run.outcome] += run.count
            await asyncio.sleep(0)
        await pack_answers.put_counts(connection, delivery.number, counts)
        open_packs = _all_open(row.serial_count)
        if delivery.message_type == VERIFY:  # Else every market is asked about every pack.
            open_packs = await _open_packs(connection, number, row.serial_count)
        pages = []
        for answer in _pages(result, open_packs, system):
            pages.append(answer)
            await asyncio.sleep(0)
        await pack_answers.insert_answers(connection, number, pages)
    if delivery.message_type != VERIFY:
        return None
    if 1 not in b"".join(await _open_packs(connection, number, row.serial_count)):
        return None
    new = await _next_question(connection, row, body, connected)
    if new is None:
        return None
    await deliveries.insert_deliveries(connection, row.number, [new], now_ms)
    return new.system


async def _next_question(
    connection: Connection, row: RequestRow, body: bytes, connected: Collection[str]
) -> NewDelivery | None:
    assert row.product_code is not None, "the message is valid"
    assert row.product_version is not None, "the message is valid"
    product = await product_facts(connection, row.product_code)
    assert product is not None, "products are never deleted"
    left: dict[str, list[str]] = {}
    for market in product.markets_by_version[row.product_version]:
        if MARKETS[market].system in connected:
            left.setdefault(MARKETS[market].system, []).append(market)
    for asked in await deliveries.deliveries_of(connection, row.number):
        left.pop(asked.system, None)
    if not left:
        return None
    system, markets = next(iter(left.items()))
    members = msgspec.json.decode(body) | {"silent": len(left) > 1}
    return NewDelivery(system, markets, KIND, msgspec.json.encode(members))


async def _open_packs(database: Queryable, number: int, pack_count: int) -> list[bytes]:
    """Return, page by page, a 1 for each pack that no market asked so far holds, else 0."""
    pages = _all_open(pack_count)
    for page, outcomes in await pack_answers.outcomes_of(database, number):
        both = int.from_bytes(pages[page]) & int.from_bytes(outcomes.translate(_OPEN))
        pages[page] = both.to_bytes(len(outcomes))
    return pages


def _all_open(pack_count: int) -> list[bytes]:
    return [
        b"\1" * min(PAGE_COUNT, pack_count - start) for start in range(0, pack_count, PAGE_COUNT)
    ]


def _pages(result: StatesResult, open_packs: list[bytes], system: str) -> Iterator[StoredAnswer]:
    """Yield an answer as it is stored; it is about the packs that were open."""
    outcomes = b"".join(_OUTCOME_BYTES[run.outcome] * run.count for run in result.runs)
    states = b"".join(_STATE_BYTES[run.state] * run.count for run in result.runs)
    alerts = iter(result.alerts)
    alert = next(alerts, None)
    start = 0
    for page, is_open in enumerate(open_packs):
        asked = [place for place, flag in enumerate(is_open) if flag]
        stop = start + len(asked)
        alert_ids: dict[str, str] = {}
        while alert is not None and alert.position < stop:
            alert_ids[str(asked[alert.position - start])] = alert.alertId
            alert = next(alerts, None)
        if asked:
            yield StoredAnswer(
                page,
                system,
                _spread(outcomes[start:stop], asked, len(is_open)),
                _spread(states[start:stop], asked, len(is_open)),
                alert_ids,
            )
        start = stop


def _spread(values: bytes, places: list[int], length: int) -> bytes:
    if len(places) == length:
        return values
    spread = bytearray(length)
    for place, value in zip(places, values, strict=True):
        spread[place] = value
    return bytes(spread)


def _request_number(delivery: WaitingDelivery) -> int:
    assert delivery.request_number is not None, "a manufacturer's request stands behind it"
    return delivery.request_number
