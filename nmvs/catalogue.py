"""Products and batches of one market, all in memory: what a decision needs besides the pack.

Loaded at start, changed only by deliveries from the hub. Batch numbers are the national system's
own, dense from 1, so that the pack index needs four bytes for a batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from emvs.expiry import expires_at
from emvs.markets import MARKETS
from emvs.pack import BatchFacts
from emvs.scanner_hints import Shape
from emvs.scheme import Scheme


@dataclass(slots=True)
class Product:
    """A product in this market."""

    scheme: Scheme
    code: str
    version: int
    name: str
    common_name: str
    national_code: str | None
    withdrawn: bool = False
    withdrawal_reason: str | None = None
    batches: dict[str, Batch] = field(default_factory=dict, repr=False)
    shared_versions: set[int] = field(default_factory=set)
    """Versions whose packs other national systems store as well."""


@dataclass(slots=True)
class Batch:
    """A batch of a product in this market."""

    number: int
    product: Product
    product_version: int
    facts: BatchFacts
    recall_reason: str | None = None
    closed: bool = False
    """Being purged: nothing is added any more."""
    serial_shape: Shape | None = None
    """Of the serial numbers delivered for the batch; None if there are none."""

    def add_serial_shape(self, shape: Shape | None) -> None:
        """Take in the shape of more serial numbers."""
        if shape is not None:
            self.serial_shape = shape.joined(self.serial_shape)


def shared_versions(version: int, markets: Iterable[str]) -> set[int]:
    """Return the version if its markets have more than one national system, else nothing."""
    systems = {MARKETS[market].system for market in markets if market in MARKETS}
    return {version} if len(systems) > 1 else set()


class Catalogue:
    """Products by code, batches by number."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self.products: dict[str, Product] = {}
        self.batches: list[Batch | None] = [None]
        """By batch number; number 0 is no batch."""

    def put_product(self, product: Product) -> Product:
        """Add a product, or take over its newer version; give the one that stays.

        What is withdrawn stays withdrawn.
        """
        known = self.products.setdefault(product.code, product)
        known.shared_versions |= product.shared_versions
        if known is product or product.version < known.version:
            return known
        known.version = product.version
        known.name = product.name
        known.common_name = product.common_name
        known.national_code = product.national_code
        return known

    def next_batch_number(self) -> int:
        """Return the number that the next new batch gets."""
        return len(self.batches)

    def put_batch(
        self,
        product: Product,
        batch_id: str,
        *,
        number: int,
        expiry: str,
        product_version: int,
    ) -> Batch:
        """Add a batch; give the one that is there if it is."""
        known = product.batches.get(batch_id)
        if known is not None:
            return known
        facts = BatchFacts(
            batch_id,
            expiry,
            expires_at(expiry, self._zone),
            recalled=False,
            withdrawn=product.withdrawn,
        )
        batch = Batch(number, product, product_version, facts)
        product.batches[batch_id] = batch
        self.batches.extend([None] * (number + 1 - len(self.batches)))
        self.batches[number] = batch
        return batch

    def close_batch(self, number: int) -> None:
        """Mark a batch, if it is known here, as being purged."""
        batch = self.batches[number] if number < len(self.batches) else None
        if batch is not None:
            batch.closed = True

    def remove_batch(self, number: int) -> None:
        """Forget a batch, no pack of which is in the index any more."""
        batch = self.batches[number] if number < len(self.batches) else None
        if batch is not None:
            self.batches[number] = None
            del batch.product.batches[batch.facts.batch_id]

    @staticmethod
    def recall(batch: Batch, reason: str) -> None:
        """Mark a batch recalled. Final."""
        batch.recall_reason = reason
        batch.facts = batch.facts._replace(recalled=True)

    @staticmethod
    def withdraw(product: Product, reason: str) -> None:
        """Mark a product withdrawn, with all its batches. Final."""
        product.withdrawn, product.withdrawal_reason = True, reason
        for batch in product.batches.values():
            batch.facts = batch.facts._replace(withdrawn=True)
