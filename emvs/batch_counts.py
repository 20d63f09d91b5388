"""What a market holds of batches, asked by the hub: `POST {base}/hub/v1/batch-counts`.

A BatchQuestion, answered by BatchCounts: numbers and digests, no serial numbers. The real exchange
is not public; this one is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

# ruff: noqa: N815 - these are the names on the wire.

BATCHES_PER_QUESTION_MAX: Final = 200
"""All of them are counted in one reading of the packs (our choice)."""


@dataclass(slots=True)
class AskedBatch:
    """A batch, and the key under which its serial numbers are hashed (`emvs.batch_digest`)."""

    productCode: str
    batchId: str
    key: str
    """Hexadecimal."""


@dataclass(slots=True)
class BatchQuestion:
    """Batches to count."""

    batches: list[AskedBatch]


@dataclass(slots=True)
class BatchCount:
    """What a market holds of one batch."""

    productCode: str
    batchId: str
    isKnown: bool
    states: dict[str, int] = field(default_factory=dict)
    """Name of an `emvs.states.State` that a pack itself can have, to how many have it."""
    digest: bytes = b""
    """`BatchDigest.encoded`; base64 on the wire."""
    isRecalled: bool = False
    isWithdrawn: bool = False


@dataclass(slots=True)
class BatchCounts:
    """The batches of the question in its order."""

    batches: list[BatchCount]
