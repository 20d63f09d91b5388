"""What a manufacturer sends while pharmacies scan: batches for upload, recalls. Pure.

Sizes of batches are log-normal: median 12,000 packs, 95 % below 120,000, none above a million, in
messages of at most 250,000 serial numbers (load model calibrated on published volumes).
"""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from emvs.limits import SERIALS_PER_MESSAGE_MAX
from emvs.serial_numbers import generate_serial_numbers
from emvs.transaction_ids import Actor, IdentifierType, make_transaction_id, reference_length
from loadtests.scenarios.curves import rate_at, total
from loadtests.scenarios.plan import Maker, Plan
from loadtests.scenarios.recalls import recall_times

BATCH_MEDIAN: Final = 12_000
_BATCH_P95: Final = 120_000
BATCH_MAX: Final = 1_000_000
_BATCHES_MIN: Final = 10
_BATCH_LEAST_MEAN: Final = 1_000
"""A run too short for ten batches has smaller ones, down to this mean: serial numbers a second are
those of the plan, and a short try of `upload-peak` has uploads (our choice)."""
_SIGMA: Final = math.log(_BATCH_P95 / BATCH_MEDIAN) / 1.6449
BATCH_MEAN: Final = BATCH_MEDIAN * math.exp(_SIGMA**2 / 2)
_SERIALS_PER_RUN_MAX: Final = 5_000_000
"""They are made before the run begins, which takes memory (our choice)."""
_COMPANY: Final = {
    "id": "LOAD-MAH",
    "name": "Load Pharma",
    "street": "Example Street 1",
    "street2": "",
    "city": "Sampletown",
    "postCode": "1010",
    "country": "AT",
}


class Message(NamedTuple):
    """A message to the hub at a planned second."""

    at: float
    message_type: str
    market: str
    serials: int
    transaction_id: str
    document: bytes
    """Its JSON, made before the run: a quarter of a million serial numbers take milliseconds that
    requests of others would wait."""


def batch_size(rng: random.Random, scale: float = 1.0) -> int:
    """Draw the size of a batch."""
    size = round(scale * BATCH_MEDIAN * math.exp(rng.gauss(0.0, _SIGMA)))
    return max(1, min(BATCH_MAX, size))


def _batch_scale(serials: float) -> float:
    """Return the factor on batches of a run with so many serial numbers."""
    return min(1.0, max(serials / _BATCHES_MIN, _BATCH_LEAST_MEAN) / BATCH_MEAN)


def plan_messages(plan: Plan, maker: Maker, *, now: datetime | None = None) -> list[Message]:
    """Return all messages of a run, earliest first; the hub's clock shows `now`."""
    now = now or datetime.now(UTC)
    rng = random.Random(f"{plan.seed}:manufacturer")  # noqa: S311 - made-up batches.
    ids = _Ids(maker, now, rng)
    messages = _uploads(plan, maker, rng, ids)
    for at, market, batch in recall_times(plan):
        body: dict[str, Any] = {
            "transactionId": ids.make("RCBR"),
            "productCode": maker.products[market],
            "batchId": batch,
            "reason": "load test",
            "markets": [market],
        }
        messages.append(_message(at, "RCBR", market, 0, body))
    return sorted(messages, key=lambda message: message.at)


def _message(
    at: float, message_type: str, market: str, serials: int, body: dict[str, Any]
) -> Message:
    document = msgspec.json.encode(body)
    return Message(at, message_type, market, serials, body["transactionId"], document)


class _Ids:
    """Transaction ids that no earlier run has used."""

    def __init__(self, maker: Maker, now: datetime, rng: random.Random) -> None:
        self._maker, self._now = maker, now
        self._number = (int(now.timestamp()) % 10**5) * 10**6 + rng.randrange(10**5)

    def make(self, message_type: str) -> str:
        self._number = (self._number + 1) % 10 ** reference_length(message_type)
        return make_transaction_id(
            message_type,
            IdentifierType.REQUEST,
            Actor.MANUFACTURER,
            organisation_id=self._maker.organisation_id,
            client_id=self._maker.client_id,
            now=self._now,
            number=self._number,
        )


def _uploads(plan: Plan, maker: Maker, rng: random.Random, ids: _Ids) -> list[Message]:
    messages: list[Message] = []
    markets = list(maker.products)
    at, serials_left = 0.0, _SERIALS_PER_RUN_MAX
    scale = _batch_scale(total(plan.uploads, plan.duration_s))
    while at < plan.duration_s and serials_left > 0:
        rate = rate_at(plan.uploads, at) / (BATCH_MEAN * scale)
        gap = rng.expovariate(rate) if rate > 0 else 1.0
        at += min(gap, 1.0)
        if gap > 1.0 or at >= plan.duration_s or rate <= 0:
            continue
        market = markets[len(messages) % len(markets)]
        size = min(batch_size(rng, scale), serials_left)
        serials_left -= size
        batch = f"U{plan.packs[0].run_id}-{len(messages):04}"
        serials = generate_serial_numbers(size, rng=rng)
        for start in range(0, size, SERIALS_PER_MESSAGE_MAX):
            message_type = "PPDM" if start else "PPDC"
            part = serials[start : start + SERIALS_PER_MESSAGE_MAX]
            body: dict[str, Any] = {
                "transactionId": ids.make(message_type),
                "scheme": "GTIN",
                "productCode": maker.products[market],
                "batchId": batch,
                "expiry": plan.packs[0].expiry,
                "manufacturer": _COMPANY,
                "serialNumbers": part,
            }
            messages.append(_message(at, message_type, market, len(part), body))
    return messages
