"""Changes that other markets made to packs of this one: taken over once, or kept as superseded.

The way to a pack is that of `nmvs.operations`: no `await` between finding and applying, then the
ledger. Which of two changes holds is `emvs.synchronisation`'s rule. Every change that arrives
gets one entry in the audit trail, under the transaction id of the operation that made it; that is
also how one that comes twice is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from emvs.errors import BadRequestError, OverloadedError, UnavailableError
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from emvs.interconnect import ChangesMessage, DeliveryResult, StateChange
from emvs.limits import CHANGES_PER_MESSAGE_MAX, STATE_VERSION_LIMIT
from emvs.markets import MARKETS
from emvs.outcomes import Outcome
from emvs.pack import Pack
from emvs.roles import Role
from emvs.states import PACK_STATES, Operation, State
from emvs.synchronisation import View, merge, version_of_state, version_taking_over
from nmvs.directory import Directory
from nmvs.early_changes import EarlyChanges
from nmvs.ledger import Entry, Ledger, PackChange, PackConflictError
from nmvs.pack_index import PackIndex
from nmvs.pack_keys import PackKeys
from nmvs.participants import Participant, number_at_home
from nmvs.recovery import Recovery
from nmvs.store import Store

_ATTEMPTS_MAX: Final = 4
"""How often a change is merged again after somebody else changed the pack."""
_RECOVERY_S_MAX: Final = 2.0
"""How long changes whose group failed by a conflict wait to be merged again (our choice)."""
_CODE_LENGTH_MAX: Final = 40
_TIME_S_LIMIT: Final = 1 << 32
_NUMBER_LIMIT: Final = 1 << 31

_log = get_logger(__name__)


class _Arrival(NamedTuple):
    """A change found well-formed, and what it means here."""

    transaction_id: bytes
    pack_key: bytes
    participant: Participant
    operation: Operation
    view: View


class Synchronisation:
    """Applies the changes that the hub brings."""

    def __init__(
        self,
        *,
        market: str,
        clock: Clock,
        keys: PackKeys,
        index: PackIndex,
        directory: Directory,
        ledger: Ledger,
        recovery: Recovery,
        store: Store,
        early: EarlyChanges,
    ) -> None:
        self._early = early
        self._market = market
        self._clock = clock
        self._keys = keys
        self._index = index
        self._directory = directory
        self._ledger = ledger
        self._recovery = recovery
        self._store = store
        self._one_at_a_time = asyncio.Lock()
        self._counts = dict.fromkeys(Outcome, 0)
        self.unknown_count = 0

    def gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        """Return what `nmvs.metrics` shows."""
        taken, superseded = Outcome.SYNCHRONISED, Outcome.SYNC_SUPERSEDED
        return {
            "sync_taken_over": (
                "Changes of other markets taken over.",
                lambda: self._counts[taken],
            ),
            "sync_superseded": (
                "Changes of other markets that were superseded here.",
                lambda: self._counts[superseded],
            ),
            "sync_unknown": (
                "Changes of other markets to packs unknown here.",
                lambda: self.unknown_count,
            ),
        }

    async def apply(self, delivery_id: str, message: ChangesMessage) -> DeliveryResult:
        """Take over changes, each once however often it comes.

        Raises BadRequestError; UnavailableError and OverloadedError if the hub shall try again:
        what was applied until then stays.
        """
        if len(message.changes) > CHANGES_PER_MESSAGE_MAX:
            raise BadRequestError(f"at most {CHANGES_PER_MESSAGE_MAX} changes in a message")
        for change in message.changes:
            check_change(change)
        async with self._one_at_a_time:
            # While a write is in doubt, the trail cannot tell what has been taken over.
            if not self._recovery.is_serving:
                raise UnavailableError("the national system is recovering")
            try:
                known, unknown = await self._known(message.changes)
                if unknown:
                    await self._early.keep(unknown)
                fresh = await self._new_ones(known)
                await self._merge_all(fresh)
            except Recovery.TROUBLE as error:
                raise UnavailableError(f"the changes are not recorded: {error}") from error
        unknown_count = len(unknown)
        if unknown_count:
            self.unknown_count += unknown_count
            _log.warning(
                "changes of unknown packs",
                action="sync_unknown",
                delivery=delivery_id,
                packs=unknown_count,
            )
        text = f"{unknown_count} of the packs are unknown here" if unknown_count else None
        return DeliveryResult(delivery_id, accepted=True, text=text, loadedCount=len(fresh))

    async def _known(
        self, changes: Sequence[StateChange]
    ) -> tuple[list[_Arrival], list[tuple[bytes, StateChange]]]:
        """Return the changes whose pack is here, and those whose pack is not, with its key."""
        known: list[_Arrival] = []
        unknown: list[tuple[bytes, StateChange]] = []
        for change in changes:
            key = self._keys.key(change.productCode, change.serialNumber)
            if self._index.find(key) < 0:
                unknown.append((key, change))
                continue
            participant = await self._directory.located(
                change.market, change.location, Role(change.role)
            )
            if participant is None:
                _log.warning(
                    "a change by nobody",
                    action="sync_location_unknown",
                    transaction_id=change.transactionId,
                )
                continue
            view = View(
                change.version, change.setAt, change.market, change.location, State[change.state]
            )
            transaction_id = bytes.fromhex(change.transactionId)
            operation = Operation[change.operation]
            known.append(_Arrival(transaction_id, key, participant, operation, view))
        return known, unknown

    async def _new_ones(self, arrivals: Sequence[_Arrival]) -> list[_Arrival]:
        """Return those that are not in the audit trail yet."""
        seen = await self._store.recorded_transactions(
            [arrival.pack_key for arrival in arrivals],
            [arrival.transaction_id for arrival in arrivals],
        )
        by_id = {arrival.transaction_id: arrival for arrival in arrivals}
        return [arrival for arrival in by_id.values() if arrival.transaction_id not in seen]

    async def _merge_all(self, arrivals: Sequence[_Arrival]) -> None:
        left = list(arrivals)
        for _ in range(_ATTEMPTS_MAX):
            if not left:
                return
            left = await self._merge(left)
            if left:
                await self._recovery.wait_until_serving(_RECOVERY_S_MAX)
        if left:
            raise OverloadedError("the packs are being changed elsewhere")

    async def _merge(self, arrivals: Sequence[_Arrival]) -> list[_Arrival]:
        """Merge and record; return those that were in a group with a pack that somebody else had
        changed meanwhile: nothing of such a group is recorded."""
        writes: list[tuple[_Arrival, Outcome, asyncio.Future[None]]] = []
        trouble: BaseException | None = None
        for arrival in arrivals:
            if not self._recovery.is_serving:
                trouble = UnavailableError("the national system is recovering")
            elif self._ledger.groups.is_full:
                trouble = OverloadedError("too many entries wait to be written")
            if trouble is not None:
                break
            entry = self._decide(arrival)
            if entry is not None:
                write = self._ledger.groups.submit(entry)
                writes.append((arrival, Outcome(entry.outcome), write))
        results = await asyncio.gather(*(write for *_, write in writes), return_exceptions=True)
        left = []
        for (arrival, outcome, _), result in zip(writes, results, strict=True):
            if isinstance(result, PackConflictError):
                left.append(arrival)
            elif isinstance(result, BaseException):
                trouble = trouble or result
            else:
                self._counts[outcome] += 1
        if trouble is not None:
            raise trouble
        return left

    def _decide(self, arrival: _Arrival) -> Entry | None:
        """Merge a change with what is known of its pack, and apply the result to the index."""
        row = self._index.find(arrival.pack_key)
        if row < 0:  # Removed a moment ago, as its time of retention is over.
            return None
        state_number, *others = self._index.get(row)
        pack = Pack(State(state_number), *others)
        ours, theirs = self._view(pack), arrival.view
        taken = self._is_released(pack) or (
            not self._is_manufacturers(pack) and merge(ours, theirs) == theirs
        )
        change = self._take_over(row, pack, arrival) if taken and ours != theirs else None
        outcome = Outcome.SYNCHRONISED if taken else Outcome.SYNC_SUPERSEDED
        record: dict[str, object] = {"change": _readable(theirs)}
        loser = ours if taken else theirs
        if ours != theirs and (not taken or ours.version == theirs.version):
            # Two markets changed the pack at the same time: what lost stays visible.
            record["superseded"] = _readable(loser)
            _log.warning(
                "two markets changed a pack",
                action="sync_conflict",
                pack=arrival.pack_key.hex(),
                transaction_id=arrival.transaction_id.hex(),
                **record,
            )
        return Entry(
            arrival.pack_key,
            self._clock.now_ms(),
            arrival.transaction_id.hex(),
            arrival.participant.number,
            arrival.operation,
            outcome,
            pack.state,
            theirs.state if taken else pack.state,
            False,
            "sync",
            None,
            record,
            change,
            None,
        )

    def _take_over(self, row: int, pack: Pack, arrival: _Arrival) -> PackChange:
        view, set_by = arrival.view, arrival.participant.number
        version = version_taking_over(pack.version, view.version)
        self._index.set(row, view.state, set_by, view.set_at_s, 0, version)
        return PackChange(pack.version, version, view.state, set_by, view.set_at_s, 0)

    def _view(self, pack: Pack) -> View:
        version = version_of_state(pack.version)
        participant = self._directory.by_number(pack.set_by)
        if participant is None:
            return View(version, pack.set_at_s, "", pack.set_by, pack.state)
        number = number_at_home(participant, self._market)
        return View(version, pack.set_at_s, participant.market, number, pack.state)

    def _is_manufacturers(self, pack: Pack) -> bool:
        """Whether the manufacturer made the pack inactive in this market, whatever others say.

        Delegated Regulation (EU) 2016/161, Art. 35(2) and 40: it tells each market itself.
        """
        if pack.state is State.ACTIVE:
            return False
        participant = self._directory.by_number(pack.set_by)
        return participant is None or participant.role is Role.OBP or participant.is_central

    def _is_released(self, pack: Pack) -> bool:
        """Whether the last to change the pack here was a manufacturer who made it active again.

        Other markets may not have been told of either, so their versions say nothing about which
        change is newer: what an end user did to the pack holds (our choice).
        """
        if pack.state is not State.ACTIVE:
            return False
        participant = self._directory.by_number(pack.set_by)
        return participant is not None and participant.is_central


def _readable(view: View) -> dict[str, object]:
    return view._asdict() | {"state": State(view.state).name}


def _state_after(operation: Operation) -> State | None:
    return State.ACTIVE if operation.is_undo else operation.target_state


def check_change(change: StateChange) -> None:
    """Raise BadRequestError if the change is none that a national system makes."""
    fits = (
        len(change.transactionId) == 32
        and set(change.transactionId) <= set("0123456789abcdef")
        and 0 < len(change.productCode) <= _CODE_LENGTH_MAX
        and 0 < len(change.serialNumber) <= _CODE_LENGTH_MAX
        and change.productCode.isascii()
        and change.serialNumber.isascii()
        and 0 <= change.version < STATE_VERSION_LIMIT
        and change.operation in Operation.__members__
        and change.state in State.__members__
        and State[change.state] in PACK_STATES
        and 0 <= change.setAt < _TIME_S_LIMIT
        and change.market in MARKETS
        and 0 < change.location < _NUMBER_LIMIT
        and change.role in set(Role) - {Role.OBP}
        and State[change.state] is _state_after(Operation[change.operation])
    )
    if not fits:
        raise BadRequestError(f"change {change.transactionId[:40]!a} is not one of an end user")
