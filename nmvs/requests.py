"""What a dialect hands to `operations` and what it gets back: the seam between wire and rules.

No wire format is known here. Both are plain values: a request is made per call, an answer is
rendered and forgotten.
"""

from __future__ import annotations

from typing import NamedTuple

from emvs.alerts import Alert
from emvs.outcomes import Outcome
from emvs.scanner_hints import Hint
from emvs.scheme import Scheme
from emvs.states import Operation, State
from nmvs.catalogue import Batch, Product
from nmvs.participants import Participant


class PackRequest(NamedTuple):
    """One operation on one pack, its identifiers already found well-formed
    (`emvs.identifiers.check_identifiers`)."""

    operation: Operation
    participant: Participant
    scheme: Scheme
    product_code: str
    serial_number: str
    batch_id: str | None
    """None if not submitted."""
    expiry: str | None
    """YYMMDD; None if not submitted."""
    manual: bool = False
    """Typed in by hand."""
    client_transaction_id: str | None = None
    reference_transaction_id: str | None = None
    """Client transaction id of what an undo undoes, where the dialect has one."""
    dialect: str = "rest"
    """Name of the dialect, for the audit trail."""
    event_at_ms: int | None = None
    """When it happened, if the request is a replay; an alert about it carries both times."""
    transaction_id: str | None = None
    """The id that its answer has, where it must be known before; None: a new one is made."""
    local_only: bool = False
    """Whether other markets are not asked for a pack unknown here."""


class Answer(NamedTuple):
    """What came of a request, durable before it is returned."""

    outcome: Outcome
    transaction_id: str
    """32 hexadecimal digits, unique in the national system."""
    at_ms: int
    """When it was decided, in milliseconds since 1970 UTC, by the system's clock."""
    state: State | None = None
    """The pack's own state afterwards; None if no pack was found or shown."""
    effective: State | None = None
    """Its effective state afterwards."""
    here: bool = False
    """Whether the asking location set the state."""
    undo_until_s: int | None = None
    """Until when the asking location may undo, in seconds since 1970; None if it can't or
    has no limit."""
    alert: Alert | None = None
    product: Product | None = None
    batch: Batch | None = None
    """Batch of the pack as stored; None on a mismatch, so that nothing can be guessed."""
    intermarket: bool = False
    """Whether another market answered."""
    hint: Hint | None = None
    """What speaks for a fault in reading, on a mismatch."""
