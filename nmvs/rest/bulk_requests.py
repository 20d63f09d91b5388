"""From the body of a bulk of pack or a recovery to items, or to the code that refuses it.

A body may have a hundred megabytes, so it is read in steps (see `json_pieces`). A pack that is
malformed is an item with the operation code of its own defect; the others are worked through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from emvs.identifiers import check_identifiers
from emvs.outcomes import Outcome
from emvs.states import Operation
from nmvs.bulk.jobs import Item, Slices
from nmvs.rest.bulk_forms import BulkForm, read_operation, read_transition
from nmvs.rest.codes import FIXED, STATE_INVALID
from nmvs.rest.json_pieces import JsonFormError, JsonPieces
from nmvs.rest.pack_requests import SCHEMES

_SETS: Final = 256
_FREED_AT_ONCE: Final = 5_000
_MEMBERS_MAX: Final = 64
"""Members beside the packs; clients send five at most (our choice)."""
_PACKS_PER_STEP: Final = 25
"""As many as a window of the body holds if they are whole: of empty ones it holds a thousand."""
_INVALID: Final = {
    "productCodeScheme": Outcome.SCHEME_INVALID,
    "productCode": Outcome.PRODUCT_CODE_INVALID,
    "serialNumber": Outcome.SERIAL_INVALID,
    "batchId": Outcome.BATCH_INVALID,
    "expiryDate": Outcome.EXPIRY_INVALID,
}
"""What it means that a member is no text. In the order in which members are judged."""


class BulkReader:
    """Reads one body. Exhaust `steps`, then look at the rest."""

    def __init__(
        self, body: bytes | bytearray, form: BulkForm, *, manual: bool, packs_max: int
    ) -> None:
        """`manual`: whether the request says that the packs were typed in."""
        self._pieces = JsonPieces(body)
        self._form = form
        self._manual = manual
        self._packs_max = packs_max
        # In many small sets: one for half a million would take long to grow and to be freed.
        self._seen: list[set[str]] = [set() for _ in range(_SETS)]
        self.items = Slices()
        self.operation: Operation | None = None
        """Of all packs; None in a recovery."""
        self.refusal: str | None = None
        """Operation code that refuses the whole request."""
        self.twice: Item | None = None
        """The first pack that stands in a bulk twice: whatever else holds, that is refused."""

    def steps(self) -> Iterator[None]:
        """Read; between two steps others should run."""
        try:
            yield from self._read()
        except JsonFormError:
            self.refusal = self._form.body_invalid
        yield from self._forget_seen()

    def _forget_seen(self) -> Iterator[None]:
        freed = 0
        while self._seen:
            freed += len(self._seen.pop())
            if freed > _FREED_AT_ONCE:
                freed = 0
                yield

    def _read(self) -> Iterator[None]:
        members: dict[str, Any] = {}
        for name in self._pieces.member_names():
            if name in members:
                raise JsonFormError("a member stands there twice")
            if len(members) == _MEMBERS_MAX:
                raise JsonFormError("there are too many members")
            if name == "packs" and self._pieces.take("["):
                members[name] = None
                yield from self._read_packs()
                if self.refusal:
                    return
            else:
                members[name] = self._pieces.value().value
        self._pieces.expect_end()
        self._judge(members)

    def _read_packs(self) -> Iterator[None]:
        windows = self._pieces.window_count
        for pack, text in self._pieces.elements():
            if not isinstance(pack, dict):
                raise JsonFormError("a pack is no object")
            if self.items.item_count == self._packs_max:
                self.refusal = self._form.too_many
                return
            self._add(self._item(pack, text.encode()))
            is_step = self.items.item_count % _PACKS_PER_STEP == 0
            if is_step or windows != self._pieces.window_count:
                windows = self._pieces.window_count
                yield

    def _judge(self, members: Mapping[str, Any]) -> None:
        """Look at what holds for the whole request."""
        form, count = self._form, members.get("numberOfPacks")
        if not form.mixed:
            self.operation = read_operation(members.get("state"))
            if self.operation is None:
                self.refusal = form.body_invalid
                return
        if not self.items.item_count or isinstance(count, (bool, str, list, dict)):
            self.refusal = form.body_invalid
        elif count != self.items.item_count:
            self.refusal = form.count_differs

    def _add(self, item: Item) -> None:
        self.items.add(item)
        if self._form.mixed or item.defect or self.twice:
            return
        pack = f"{item.product_code} {item.serial_number}"  # Neither has a blank.
        seen = self._seen[hash(pack) % _SETS]
        if pack in seen:
            self.twice = item
        seen.add(pack)

    def _item(self, pack: Mapping[str, Any], echo: bytes) -> Item:
        scheme_name, product_code, serial_number, batch_id, expiry = texts = [
            pack.get(name) or "" for name in _INVALID
        ]
        for text, outcome in zip(texts, _INVALID.values(), strict=True):
            if text.__class__ is not str:
                return Item(defect=FIXED[outcome], echo=echo)
        scheme = SCHEMES.get(scheme_name) or SCHEMES.get(scheme_name.lower())
        if scheme is None:
            missing = not scheme_name
            outcome = Outcome.SCHEME_MISSING if missing else Outcome.SCHEME_INVALID
            return Item(defect=FIXED[outcome], echo=echo)
        # No pack of a recovery tells how it was read. Only a typed one may go without these two.
        manual = self._manual or (self._form.mixed and not (batch_id and expiry))
        defect = check_identifiers(
            scheme, product_code, serial_number, batch_id, expiry, manual=manual
        )
        if defect is not None:
            return Item(defect=FIXED[defect], echo=echo)
        operation = None
        if self._form.mixed:
            operation = read_transition(pack.get("transitionType"))
            if operation is None:
                return Item(defect=STATE_INVALID, echo=echo)
        return Item(
            operation=operation,
            scheme=scheme,
            product_code=product_code,
            serial_number=serial_number,
            batch_id=batch_id or None,
            expiry=expiry or None,
            manual=manual,
            echo=echo,
        )
