"""What the offline queue keeps: one operation on one pack, and what has become of it.

Plain values and their form on disk; no database enters.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Final, NamedTuple

import msgspec

from emvs.scan import Scan
from emvs.scheme import Scheme
from emvs.states import Operation, State
from pharmacy_client.bulk import BulkItem
from pharmacy_client.results import PackCall, Result


class Standing(StrEnum):
    """How far an entry has come."""

    WAITING = "waiting"
    """Certainly not done yet."""
    SENDING = "sending"
    """Part of a bulk that is on its way or being worked through."""
    DOUBTFUL = "doubtful"
    """Sent, and the answer was lost: the pack has to be looked at before anything is repeated."""
    SETTLED = "settled"
    """The system has answered."""
    GIVEN_UP = "given_up"
    """No answer can be had; somebody has to look at the pack."""


OPEN: Final = (Standing.WAITING, Standing.SENDING, Standing.DOUBTFUL)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an entry: the parts of a result that last."""

    category: str
    return_code: str = ""
    text: str = ""
    state: str | None = None
    alert_id: str | None = None
    alert_code: str | None = None
    alert_link: str | None = None
    colour: str = "amber"
    advice: str = ""
    note: str = ""
    """How it came to this, where it was not by an answer to the operation itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One operation on one pack in the queue."""

    number: int
    """Counts up; the order in which things happened at the till."""
    item_id: str
    """Client transaction id: the `reference` of a later undo."""
    call: PackCall
    happened_at: datetime
    standing: Standing
    attempts: int = 0
    """How often it was sent, or may have been."""
    is_single: bool = False
    """Whether it has to be sent by itself: a bulk would not do."""
    outcome: Outcome | None = None
    settled_at: datetime | None = None


class Again(Enum):
    """How an entry goes again that was certainly not done."""

    IN_BULK = "in bulk"
    SINGLY = "singly"


class Submission(NamedTuple):
    """A bulk on its way. Without a ticket nobody knows whether the system has it."""

    number: int
    submission_id: str
    ticket: str | None
    begun_at_s: float
    entries: tuple[Entry, ...]

    @property
    def items(self) -> list[BulkItem]:
        """What is handed in, or was."""
        return [BulkItem(entry.call, entry.item_id) for entry in self.entries]


class _StoredCall(msgspec.Struct, omit_defaults=True):
    scheme: str
    product_code: str
    serial_number: str
    operation: str
    batch_id: str | None = None
    expiry: str | None = None
    manual: bool = False
    reference: str | None = None


def pack_key(scan: Scan) -> str:
    """Return what tells packs apart: scheme, product code and serial number."""
    return f"{scan.scheme.value}:{scan.product_code}:{scan.serial_number}"


def encode_call(call: PackCall) -> bytes:
    """Return a call as it is stored."""
    scan = call.scan
    return msgspec.json.encode(
        _StoredCall(
            scheme=scan.scheme.value,
            product_code=scan.product_code,
            serial_number=scan.serial_number,
            operation=call.operation.name,
            batch_id=scan.batch_id,
            expiry=scan.expiry,
            manual=call.manual,
            reference=call.reference,
        )
    )


def decode_call(data: bytes) -> PackCall:
    """Return a stored call."""
    stored = msgspec.json.decode(data, type=_StoredCall)
    scan = Scan(
        scheme=Scheme(stored.scheme),
        product_code=stored.product_code,
        serial_number=stored.serial_number,
        batch_id=stored.batch_id,
        expiry=stored.expiry,
    )
    return PackCall(Operation[stored.operation], scan, stored.manual, stored.reference)


def outcome_of(result: Result, note: str = "") -> Outcome:
    """Return what lasts of a result."""
    return Outcome(
        category=result.category.value,
        return_code=result.return_code,
        text=result.text,
        state=_state_name(result.state),
        alert_id=result.alert_id,
        alert_code=result.alert_code,
        alert_link=result.alert_link,
        colour=result.advice.colour.value,
        advice=result.advice.sentence,
        note=note,
    )


def moment(seconds: float) -> datetime:
    """Return a time of the queue's clock."""
    return datetime.fromtimestamp(seconds, UTC)


def _state_name(state: State | None) -> str | None:
    return None if state is None else state.name.lower()
