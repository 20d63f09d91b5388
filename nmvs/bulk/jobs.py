"""The words of bulk requests: a job, its items, and what came of each.

Items and answers are stored in slices, so that neither half a million of them is in memory at
once nor each of them is a row. The stored forms stand here, next to what they are made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from emvs.alerts import Alert
from emvs.outcomes import Outcome
from emvs.scanner_hints import Hint
from emvs.scheme import Scheme
from emvs.states import Operation, State
from nmvs.catalogue import Catalogue
from nmvs.participants import Participant
from nmvs.requests import Answer, PackRequest

SLICE_COUNT_MAX: Final = 500
"""Items in a slice: what is worked through before another organisation's turn, stored in one go,
and looked up again after a crash (our choice)."""
EQUIPMENT: Final = "equipment"
"""Member of a job's header: client id of the equipment that submitted it."""
_POSITIONS: Final = 1 << 32


class Item(msgspec.Struct, array_like=True, frozen=True, gc=False, kw_only=True):
    """One pack of a job, its identifiers found well-formed unless `defect` says otherwise."""

    operation: Operation | None = None
    """None: the job's own."""
    scheme: Scheme = Scheme.GTIN
    product_code: str = ""
    serial_number: str = ""
    batch_id: str | None = None
    expiry: str | None = None
    manual: bool = False
    client_transaction_id: str | None = None
    reference_transaction_id: str | None = None
    event_at_ms: int | None = None
    defect: str = ""
    """What the dialect found wrong, in its own word; such an item reaches no pack."""
    echo: bytes = b""
    """What else the dialect needs to render the item."""


class Job(NamedTuple):
    """A bulk request that was accepted."""

    job_id: UUID
    kind: str
    """The dialect's name for it, such as "rest-bulk": also the interface in the audit trail."""
    location_number: int
    organisation: str
    operation: Operation | None
    """Of all items that name none themselves."""
    item_count: int
    slice_count: int
    header: dict[str, Any]
    """What the dialect wants to know when it renders the result, and `EQUIPMENT`."""
    accepted_at: datetime
    expires_at: datetime
    done_at: datetime | None = None
    fetched_at: datetime | None = None
    """When the result was first given out."""


class Worked(NamedTuple):
    """An item and what came of it."""

    position: int
    """From 0, in the order of the request."""
    item: Item
    operation: Operation
    answer: Answer | None
    """None if the item is defective."""


class Slices:
    """Takes items one by one and gives them back as stored slices."""

    def __init__(self) -> None:
        self.item_count = 0
        self._closed: list[bytes] = []
        self._open: list[Item] = []

    def add(self, item: Item) -> None:
        """Add an item behind all others."""
        self._open.append(item)
        self.item_count += 1
        if len(self._open) == SLICE_COUNT_MAX:
            self._close()

    def finish(self) -> list[bytes]:
        """Return all slices."""
        if self._open:
            self._close()
        return self._closed

    def _close(self) -> None:
        self._closed.append(_encoder.encode(self._open))
        self._open = []


class _StoredAnswer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An answer without what product and batch are stored with themselves."""

    outcome: Outcome
    at_ms: int
    state: State | None
    effective: State | None
    here: bool
    undo_until_s: int | None
    alert_id: str | None
    hub_code: str
    has_product: bool
    batch_number: int
    intermarket: bool
    hint: Hint | None


_encoder: Final = msgspec.msgpack.Encoder()
_items: Final = msgspec.msgpack.Decoder(list[Item])
_answers: Final = msgspec.msgpack.Decoder(list[_StoredAnswer | None])


def decode_items(stored: bytes) -> list[Item]:
    """Return the items of a stored slice."""
    return _items.decode(stored)


def encode_answers(answers: Iterable[Answer | None]) -> bytes:
    """Return the answers of a slice as they are stored."""
    return _encoder.encode([answer and _stored(answer) for answer in answers])


def _stored(answer: Answer) -> _StoredAnswer:
    alert, batch = answer.alert, answer.batch
    return _StoredAnswer(
        answer.outcome,
        answer.at_ms,
        answer.state,
        answer.effective,
        answer.here,
        answer.undo_until_s,
        alert and alert.alert_id,
        alert.hub_code if alert else "",
        answer.product is not None,
        batch.number if batch else 0,
        answer.intermarket,
        answer.hint,
    )


def worked_items(
    job: Job, slice_number: int, items: bytes, answers: bytes, catalogue: Catalogue
) -> list[Worked]:
    """Return the items of a stored slice with what came of them."""
    first = slice_number * SLICE_COUNT_MAX
    pairs = zip(_items.decode(items), _answers.decode(answers), strict=True)
    return [
        Worked(
            position,
            item,
            operation_of(job, item),
            None if stored is None else _answer(job, position, item, stored, catalogue),
        )
        for position, (item, stored) in enumerate(pairs, first)
    ]


def _answer(
    job: Job, position: int, item: Item, stored: _StoredAnswer, catalogue: Catalogue
) -> Answer:
    # Names and reasons are today's: a withdrawal since then is told, too.
    product = catalogue.products.get(item.product_code) if stored.has_product else None
    batch = catalogue.batches[stored.batch_number]
    return Answer(
        stored.outcome,
        transaction_id_of(job.job_id, position),
        stored.at_ms,
        stored.state,
        stored.effective,
        stored.here,
        stored.undo_until_s,
        Alert(stored.alert_id, stored.hub_code) if stored.alert_id else None,
        product,
        batch,
        stored.intermarket,
        stored.hint,
    )


def operation_of(job: Job, item: Item) -> Operation:
    """Return what is asked about an item's pack."""
    return item.operation or job.operation or Operation.VERIFY


def transaction_id_of(job_id: UUID, position: int) -> str:
    """Return the id under which an item is in the audit trail: the same whenever it is asked.

    It is the job's own, counted on: after a crash it tells whether the item was done.
    """
    number = job_id.int
    low = (number + position + 1) % _POSITIONS
    return f"{number - number % _POSITIONS + low:032x}"


def request_of(
    job: Job, position: int, item: Item, participant: Participant, *, local_only: bool
) -> PackRequest:
    """Return what an item asks of `operations`."""
    return PackRequest(
        operation_of(job, item),
        participant,
        item.scheme,
        item.product_code,
        item.serial_number,
        item.batch_id,
        item.expiry,
        item.manual,
        item.client_transaction_id,
        item.reference_transaction_id,
        job.kind,
        item.event_at_ms,
        transaction_id_of(job.job_id, position),
        local_only,
    )


def in_groups(
    requests: Sequence[tuple[int, PackRequest]], count_max: int
) -> Iterable[list[tuple[int, PackRequest]]]:
    """Yield requests in groups that may be performed at once, in order: no pack twice in one."""
    group: list[tuple[int, PackRequest]] = []
    packs: set[tuple[str, str]] = set()
    for numbered in requests:
        request = numbered[1]
        pack = request.product_code, request.serial_number
        if len(group) == count_max or pack in packs:
            yield group
            group, packs = [], set()
        group.append(numbered)
        packs.add(pack)
    if group:
        yield group
