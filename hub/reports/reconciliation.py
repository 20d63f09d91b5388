"""What was sent of a batch against what a market holds: the comparison alone. Pure.

The hub stores no serial numbers (Delegated Regulation (EU) 2016/161, Art. 33): it compares counts
and digests (`emvs.batch_digest`). A pack that a market refused is expected nowhere; one that was
taken twice over, in two messages, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emvs.batch_counts import BatchCount
from emvs.batch_digest import BatchDigest
from emvs.obp_messages import MarketStatus
from hub.reports.store import PacksDelivered


@dataclass(slots=True)
class Reconciled:
    """One batch in one market, in packs."""

    sent: int = 0
    """In valid messages that this market may have."""
    waiting: int = 0
    """On the way."""
    failed: int = 0
    """In messages that the market refused as a whole, or that were given up."""
    refused: int = 0
    """Refused by the market one by one, because they are stored already."""
    loaded: int = 0
    """The market said so when it took them."""
    held: int | None = None
    """It says so now; None if it does not answer."""
    missing: int | None = None
    """Taken, and not there; at least so many."""
    extra: int | None = None
    """There, and never sent; at least so many."""

    @property
    def result(self) -> str:
        """One word for it all."""
        if self.held is None:
            return "NotAnswered"
        if self.missing or self.extra:
            return "Different"
        if self.failed:
            return "NotDistributed"
        return "Waiting" if self.waiting else "Agrees"


def reconcile(uploads: Sequence[PacksDelivered], found: BatchCount | None) -> Reconciled:
    """Return how the uploads of a batch to one market compare with what it holds."""
    line = Reconciled()
    expected = BatchDigest()
    is_digested = True
    for upload in uploads:
        line.sent += upload.serial_count
        if upload.status == MarketStatus.WAITING:
            line.waiting += upload.serial_count
        elif upload.status != MarketStatus.DISTRIBUTED:
            line.failed += upload.serial_count
        else:
            line.loaded += upload.loaded_count
            line.refused += upload.refused_count
            if upload.digest is None or upload.refused_digest is None:
                is_digested = False  # From before there were digests.
            else:
                expected.add(BatchDigest.decoded(upload.digest))
                expected.subtract(BatchDigest.decoded(upload.refused_digest))
    if found is None:
        return line
    line.held = sum(found.states.values())
    if is_digested:
        line.missing, line.extra = expected.difference(BatchDigest.decoded(found.digest))
    else:
        line.missing = max(0, line.loaded - line.held)
        line.extra = max(0, line.held - line.loaded)
    if line.waiting:
        # Packs of a message whose answer is still awaited may be there already.
        line.extra = max(0, line.extra - line.waiting)
    return line
