"""What a message about many packs says once it is read: plain values, no XML."""

from __future__ import annotations

from typing import Final, NamedTuple

from emvs.identifiers import check_identifiers
from emvs.scheme import Scheme
from nmvs.bulk.jobs import Item, Slices
from nmvs.soap.catalogue import Endpoint
from nmvs.soap.messages import Call, Frame
from nmvs.soap.mixed_items import KINDS

_SETS: Final = 64

SCHEMES: Final = {scheme.value: scheme for scheme in Scheme}


class CommonData(NamedTuple):
    """What all packs of a bulk have in common."""

    scheme: str
    product_code: str
    batch_id: str
    expiry: str
    reference: str | None
    """Client transaction that an undo refers to."""


class SerialNumbers:
    """The serial numbers of a bulk, in order, and whether one of them is there twice."""

    def __init__(self) -> None:
        self.numbers: list[str] = []
        self.twice: str | None = None
        # In many small sets: one for a hundred thousand would take long to grow and to be freed.
        self._seen: list[set[str]] = [set() for _ in range(_SETS)]

    def add(self, serial_number: str) -> None:
        """Add one behind all others."""
        self.numbers.append(serial_number)
        seen = self._seen[hash(serial_number) % _SETS]
        if serial_number in seen:
            self.twice = self.twice or serial_number
        seen.add(serial_number)


class ItemValues(NamedTuple):
    """An item of a mixed bulk as it was sent."""

    req_type: str
    scheme: str
    product_code: str
    batch_id: str | None
    expiry: str | None
    serial_number: str
    client_transaction_id: str
    language: str
    reference: str | None


class MixedItems:
    """The items of a mixed bulk, in order."""

    def __init__(self) -> None:
        self.slices = Slices()

    def add(self, values: ItemValues) -> None:
        """Add one behind all others; what is wrong with it is noted."""
        kind, scheme = KINDS[values.req_type], SCHEMES[values.scheme]
        defect = check_identifiers(
            scheme,
            values.product_code,
            values.serial_number,
            values.batch_id,
            values.expiry,
            manual=kind.is_manual,
        )
        self.slices.add(
            Item(
                operation=kind.operation,
                scheme=scheme,
                product_code=values.product_code,
                serial_number=values.serial_number,
                batch_id=values.batch_id,
                expiry=values.expiry,
                manual=kind.is_manual,
                client_transaction_id=values.client_transaction_id,
                reference_transaction_id=values.reference,
                defect="" if defect is None else defect.name,
                echo=f"{values.req_type} {values.language}".encode(),
            )
        )


class BulkPacks(NamedTuple):
    """What a bulk asks about."""

    common: CommonData
    serials: SerialNumbers


class BulkCall(NamedTuple):
    """A request about many packs, or about the ticket of one, that fits the schema."""

    endpoint: Endpoint
    frame: Frame
    password: str
    packs: BulkPacks | MixedItems | None = None
    """What is submitted."""
    ticket: str | None = None
    """What a result is asked for by."""


AnyCall = Call | BulkCall
"""What a message may ask for."""
