"""What manufacturers and parallel distributors do to packs, as the hub delivers it: once.

Each pack goes the way of every request (`nmvs.operations`), so permissions, rules, alerts and the
audit trail are those of everyone else. Its entry in the trail carries the delivery's id, written by
the commit that changes the pack: when a delivery comes again after a crash, the packs that have an
entry are answered from it, and only the others are carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from emvs.errors import BadRequestError, UnavailableError
from emvs.identifiers import check_identifiers
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from emvs.limits import SERIALS_PER_MESSAGE_MAX
from emvs.outcomes import OUTCOMES, Outcome
from emvs.roles import Role
from emvs.scheme import Scheme
from emvs.state_deliveries import DONE, PackAlert, StatesDelivery, StatesResult, runs_of
from emvs.states import Operation, State
from nmvs.catalogue import Batch, Catalogue
from nmvs.delivery_store import DeliveryStore
from nmvs.directory import Directory
from nmvs.operations import Operations
from nmvs.pack_index import SLICE_COUNT_MAX, PackIndex
from nmvs.pack_keys import PackKeys
from nmvs.participants import Participant
from nmvs.recovery import Recovery
from nmvs.requests import Answer, PackRequest
from nmvs.state_delivery_store import BegunDelivery, RecordedPack, StateDeliveryStore

_AT_ONCE: Final = 256
"""Packs asked about at a time: half a group of the ledger stays free for everyone else."""
_TROUBLE: Final = frozenset({Outcome.UNAVAILABLE, Outcome.OVERLOADED})
_SENDERS: Final = frozenset({Role.OBP, Role.PARALLEL_DISTRIBUTOR})
_ORGANISATION_LENGTH: Final = 5
_TIME_MS_MAX: Final = 4_102_444_800_000
_REASON_LENGTH_MAX: Final = 1_000
DIALECT: Final = "hub"
"""In the audit trail."""

_log = get_logger(__name__)


class _Wanted(NamedTuple):
    """A delivery found well-formed."""

    request: PackRequest
    """About no pack yet: the serial number is empty."""
    silent: bool


class _PackResult(NamedTuple):
    outcome: Outcome
    state: State | None
    alert_id: str | None


class StateDeliveries:
    """Carries out the operations that the hub delivers."""

    def __init__(
        self,
        *,
        operations: Operations,
        directory: Directory,
        recovery: Recovery,
        catalogue: Catalogue,
        keys: PackKeys,
        index: PackIndex,
        clock: Clock,
        store: StateDeliveryStore,
        results: DeliveryStore,
    ) -> None:
        self._operations = operations
        self._directory = directory
        self._recovery = recovery
        self._catalogue = catalogue
        self._keys = keys
        self._index = index
        self._clock = clock
        self._store = store
        self._results = results
        self._one_at_a_time = asyncio.Lock()

    async def apply(self, delivery_id: str, message: StatesDelivery) -> StatesResult:
        """Carry out a delivery and return what became of each pack.

        Raises BadRequestError; UnavailableError if the hub shall try again: what was done until
        then stays, and is not done again.
        """
        _check(message)
        await _refuse_duplicates(message.serialNumbers)
        async with self._one_at_a_time:
            try:
                return await self._apply(delivery_id, message)
            except Recovery.TROUBLE as error:
                raise UnavailableError(f"not all packs are recorded yet: {error}") from error

    async def _apply(self, delivery_id: str, message: StatesDelivery) -> StatesResult:
        # While a write is in doubt, the trail cannot tell what has been carried out.
        if not self._recovery.is_serving:
            raise UnavailableError("the national system is recovering")
        if stored := await self._results.delivery_result(delivery_id):
            return msgspec.json.decode(stored, type=StatesResult)
        participant = await self._directory.central(message.organisation, Role(message.role))
        wanted = _wanted(delivery_id, message, participant)
        now = self._clock.now()
        begun_before = await self._store.begin(
            BegunDelivery(
                delivery_id,
                now,
                participant.number,
                wanted.request.operation,
                message.productCode,
                message.batchId,
                len(message.serialNumbers),
                message.reason,
                _time(message.requestedAt),
            )
        )
        result = StatesResult(delivery_id, accepted=True)
        for start in range(0, len(message.serialNumbers), _AT_ONCE):
            some = message.serialNumbers[start : start + _AT_ONCE]
            _add(result, start, await self._carry_out(wanted, some, begun_before=begun_before))
        encoded = msgspec.json.encode(result).decode()
        await self._results.put_delivery(delivery_id, encoded, self._clock.now())
        _log.info(
            "manufacturer's operation done",
            action="states_delivered",
            delivery=delivery_id,
            packs=len(message.serialNumbers),
            done=result.loadedCount,
        )
        return result

    async def _carry_out(
        self, wanted: _Wanted, serial_numbers: Sequence[str], *, begun_before: bool
    ) -> list[_PackResult]:
        """Return what became of some packs, in their order."""
        keys = [
            self._keys.key(wanted.request.product_code, serial_number)
            for serial_number in serial_numbers
        ]
        recorded: dict[bytes, RecordedPack] = {}
        if begun_before:
            delivery_id = wanted.request.client_transaction_id or ""
            recorded = await self._store.recorded(delivery_id, keys)
        left = [
            serial_number
            for key, serial_number in zip(keys, serial_numbers, strict=True)
            if key not in recorded
        ]
        answered = iter(
            await asyncio.gather(*(self._perform(wanted, serial_number) for serial_number in left))
        )
        results = [
            self._from_trail(key, recorded[key]) if key in recorded else next(answered)
            for key in keys
        ]
        trouble = next((found for found in results if found.outcome in _TROUBLE), None)
        if trouble is not None:
            raise UnavailableError(OUTCOMES[trouble.outcome].text)
        return results

    async def _perform(self, wanted: _Wanted, serial_number: str) -> _PackResult:
        request = wanted.request._replace(serial_number=serial_number)
        defect = check_identifiers(
            request.scheme,
            request.product_code,
            serial_number,
            request.batch_id,
            request.expiry,
            manual=True,  # The message has no expiry date.
        )
        if defect is not None:
            return _PackResult(defect, None, None)
        answer = await self._operations.perform(request, from_hub=wanted.silent)
        return _from_answer(answer)

    def _from_trail(self, key: bytes, recorded: RecordedPack) -> _PackResult:
        outcome = Outcome(recorded.outcome)
        row = self._index.find(key)
        batch = None
        if row >= 0 and outcome not in (Outcome.BATCH_MISMATCH, Outcome.EXPIRY_MISMATCH):
            batch = self._catalogue.batches[self._index.get(row)[-1]]
        state = State(recorded.state_after) if recorded.state_after else None
        at_s = int(recorded.at.timestamp())
        return _PackResult(outcome, _effective(state, batch, at_s), recorded.alert_id)


def _from_answer(answer: Answer) -> _PackResult:
    alert_id = answer.alert and answer.alert.alert_id
    state = _effective(answer.state, answer.batch, answer.at_ms // 1000)
    return _PackResult(answer.outcome, state, alert_id)


def _effective(state: State | None, batch: Batch | None, at_s: int) -> State | None:
    """Return the effective state of a pack that was found in its batch, None of any other.

    Recalls and withdrawals come in the same line as the delivery, never between two attempts.
    """
    if state is None or batch is None:
        return None
    return batch.facts.inactive_state(at_s) or state


def _time(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)


def _check(message: StatesDelivery) -> None:
    if not message.serialNumbers:
        raise BadRequestError("the message has no serial numbers")
    if len(message.serialNumbers) > SERIALS_PER_MESSAGE_MAX:
        raise BadRequestError(f"at most {SERIALS_PER_MESSAGE_MAX} serial numbers in a message")
    if message.operation not in Operation.__members__:
        raise BadRequestError(f"{message.operation!a} is no operation")
    if message.scheme not in Scheme.__members__:
        raise BadRequestError(f"{message.scheme!a} is no product code scheme")
    if message.role not in _SENDERS:
        raise BadRequestError(f"{message.role!a} does not send through the hub")
    organisation = message.organisation
    if len(organisation) != _ORGANISATION_LENGTH or not (
        organisation.isascii() and organisation.isalnum()
    ):
        raise BadRequestError(f"{organisation!a} is no organisation")
    if not 0 <= (message.requestedAt or 0) <= _TIME_MS_MAX:
        raise BadRequestError("requestedAt is no time")
    if len(message.reason or "") > _REASON_LENGTH_MAX:
        raise BadRequestError("the reason is too long")
    if "\0" in f"{message.productCode}{message.batchId}{message.reason}":
        raise BadRequestError("the message holds a character that cannot be stored")


async def _refuse_duplicates(serial_numbers: Sequence[str]) -> None:
    seen: set[str] = set()
    for start in range(0, len(serial_numbers), SLICE_COUNT_MAX):
        seen.update(serial_numbers[start : start + SLICE_COUNT_MAX])
        await asyncio.sleep(0)
    if len(seen) < len(serial_numbers):
        raise BadRequestError("a serial number stands in the message twice")


def _wanted(delivery_id: str, message: StatesDelivery, participant: Participant) -> _Wanted:
    request = PackRequest(
        operation=Operation[message.operation],
        participant=participant,
        scheme=Scheme(message.scheme),
        product_code=message.productCode,
        serial_number="",
        batch_id=message.batchId,
        expiry=None,
        client_transaction_id=delivery_id,
        dialect=DIALECT,
        event_at_ms=message.requestedAt,
    )
    return _Wanted(request, message.silent)


def _add(result: StatesResult, start: int, packs: Sequence[_PackResult]) -> None:
    """Add what became of the packs from position `start` on."""
    result.loadedCount += sum(pack.outcome in DONE for pack in packs)
    for run in runs_of((pack.outcome, pack.state) for pack in packs):
        last = result.runs[-1] if result.runs else None
        if last is not None and (last.outcome, last.state) == (run.outcome, run.state):
            last.count += run.count
        else:
            result.runs.append(run)
    result.alerts += [
        PackAlert(position, pack.alert_id)
        for position, pack in enumerate(packs, start)
        if pack.alert_id is not None
    ]
