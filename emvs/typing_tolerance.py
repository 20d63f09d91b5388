"""When wrong typing is forgiven: the rule of manual entry, without memory or clock.

The first attempts of a location with wrong identifiers of a product raise no alert, the next one
does, and so do all after it until the location finds a pack of that product. There is no time
limit. Source: the British organisation's guidance on configuration.
"""

from __future__ import annotations

from typing import Final

from emvs.outcomes import Outcome

TYPING_ERRORS: Final = frozenset(
    {
        Outcome.BATCH_AND_SERIAL_UNKNOWN,
        Outcome.SERIAL_UNKNOWN,
        Outcome.BATCH_MISMATCH,
        Outcome.EXPIRY_MISMATCH,
    }
)
"""What a slip of the keyboard can lead to, in a code that is well-formed."""


def is_tolerated(outcome: Outcome, *, attempts_before: int, tolerance: int) -> bool:
    """Return whether a typed request that ended so is forgiven after so many like it."""
    return outcome in TYPING_ERRORS and attempts_before < tolerance
