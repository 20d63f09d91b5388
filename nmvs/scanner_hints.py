"""Which stored identifiers a wrong one is held against. What is odd, `emvs.scanner_hints` says.

An unknown serial number is held against those of the batch it was read with, a wrong batch
against the one that the pack belongs to. Asked only after a mismatch.
"""

from __future__ import annotations

from emvs.outcomes import Outcome
from emvs.scanner_hints import Hint, hint_of, shape_of
from nmvs.catalogue import Batch, Product
from nmvs.requests import PackRequest


def hint_for(
    outcome: Outcome, request: PackRequest, product: Product | None, pack_batch: Batch | None
) -> Hint | None:
    """Return what speaks for a fault in reading, None if nothing does or nothing is known."""
    if request.batch_id is None:
        return None
    if outcome is Outcome.SERIAL_UNKNOWN and product is not None:
        batch = product.batches.get(request.batch_id)
        return None if batch is None else hint_of(request.serial_number, batch.serial_shape)
    if outcome is Outcome.BATCH_MISMATCH and pack_batch is not None:
        return hint_of(request.batch_id, shape_of([pack_batch.facts.batch_id]))
    return None
