"""Everything that can come of a request, in our own words: no wire code stands here.

Each dialect owns one table from `Outcome` to its codes. The numbers are stored in audit trails,
so they never change. Levels and hub codes: European alert rules (five levels, of which only the
fifth is an alert; the hub forwards A2, A3, A7, A24, A52 and A68 to the manufacturer).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple


class Outcome(IntEnum):
    """One result of one request."""

    # Done.
    VERIFIED = 1
    DECOMMISSIONED = 2
    REACTIVATED = 3
    REPEAT_TOLERATED = 4
    ALREADY_ACTIVE = 5
    # A change that came from another market; only in audit trails.
    SYNCHRONISED = 6
    SYNC_SUPERSEDED = 7
    # Refused by the pack's state.
    ALREADY_IN_STATE = 20
    IN_OTHER_STATE = 21
    PACK_EXPIRED = 22
    BATCH_RECALLED = 23
    PRODUCT_WITHDRAWN = 24
    UNDO_IMPOSSIBLE = 25
    UNDO_MISMATCH = 26
    UNDO_ELSEWHERE = 27
    UNDO_TOO_LATE = 28
    UNDO_REFERENCE_WRONG = 29
    # The identifiers are well-formed, but not those of a stored pack.
    PRODUCT_UNKNOWN = 40
    BATCH_AND_SERIAL_UNKNOWN = 41
    SERIAL_UNKNOWN = 42
    BATCH_MISMATCH = 43
    EXPIRY_MISMATCH = 44
    # The pack need not be verified.
    NON_FMD_PRODUCT = 45
    BATCH_EXEMPTED = 46
    # The identifiers are missing or malformed.
    SCHEME_MISSING = 60
    SCHEME_INVALID = 61
    PRODUCT_CODE_MISSING = 62
    PRODUCT_CODE_INVALID = 63
    SERIAL_MISSING = 64
    SERIAL_INVALID = 65
    BATCH_MISSING = 66
    BATCH_INVALID = 67
    EXPIRY_MISSING = 68
    EXPIRY_INVALID = 69
    # A request about many packs names one of them twice.
    SERIAL_TWICE = 70
    # The caller may not.
    NOT_PERMITTED = 80
    LOGIN_WRONG = 81
    LOGIN_LOCKED = 82
    # Nothing was done; the caller may try again.
    UNAVAILABLE = 100
    OVERLOADED = 101
    HUB_UNREACHABLE = 102
    HUB_TIMEOUT = 103
    MARKET_UNREACHABLE = 104


class OutcomeFacts(NamedTuple):
    """What holds for an outcome in every dialect."""

    level: int
    """0 done; 1 technical or login; 2 syntax; 3 unknown or exempted product; 4 not dispensable;
    5 alert."""
    hub_code: str | None
    """Code of the EU Hub, such as "A3"."""
    text: str
    """English display text, one sentence without a full stop."""

    @property
    def raises_alert(self) -> bool:
        """Whether the outcome is a potential falsification that must be investigated."""
        return self.level == 5


_F = OutcomeFacts
OUTCOMES: Final[dict[Outcome, OutcomeFacts]] = {
    Outcome.VERIFIED: _F(0, None, "The pack was verified"),
    Outcome.DECOMMISSIONED: _F(0, None, "The pack was decommissioned"),
    Outcome.REACTIVATED: _F(0, None, "The pack is active again"),
    Outcome.REPEAT_TOLERATED: _F(4, "A10", "This location has done the same to the pack before"),
    Outcome.ALREADY_ACTIVE: _F(4, None, "The pack is active already"),
    Outcome.SYNCHRONISED: _F(0, None, "Another market's change of the pack was taken over"),
    Outcome.SYNC_SUPERSEDED: _F(4, None, "Another market's change had been superseded here"),
    Outcome.ALREADY_IN_STATE: _F(5, "A7", "The pack is already in the requested inactive state"),
    Outcome.IN_OTHER_STATE: _F(5, "A24", "The pack is inactive; its state cannot be changed so"),
    Outcome.PACK_EXPIRED: _F(4, None, "The pack has expired"),
    Outcome.BATCH_RECALLED: _F(4, None, "The batch has been recalled"),
    Outcome.PRODUCT_WITHDRAWN: _F(4, None, "The product has been withdrawn"),
    Outcome.UNDO_IMPOSSIBLE: _F(4, None, "This state of a pack can never be undone"),
    Outcome.UNDO_MISMATCH: _F(5, "A24", "The undo does not fit the state of the pack"),
    Outcome.UNDO_ELSEWHERE: _F(4, None, "Only the location that decommissioned may undo it"),
    Outcome.UNDO_TOO_LATE: _F(4, "A4", "The time allowed for an undo has passed"),
    Outcome.UNDO_REFERENCE_WRONG: _F(4, None, "The reference does not fit this undo"),
    Outcome.PRODUCT_UNKNOWN: _F(3, "A1", "The product code is unknown"),
    Outcome.BATCH_AND_SERIAL_UNKNOWN: _F(5, "A2", "The batch is unknown for the product"),
    Outcome.SERIAL_UNKNOWN: _F(5, "A3", "The serial number is unknown for the product"),
    Outcome.BATCH_MISMATCH: _F(5, "A68", "The serial number belongs to another batch"),
    Outcome.EXPIRY_MISMATCH: _F(5, "A52", "The expiry date differs from the stored one"),
    Outcome.NON_FMD_PRODUCT: _F(3, None, "The product is outside the scope of verification"),
    Outcome.BATCH_EXEMPTED: _F(3, None, "The batch is exempted from verification"),
    Outcome.SCHEME_MISSING: _F(2, None, "A product code scheme is required"),
    Outcome.SCHEME_INVALID: _F(2, None, "The product code scheme is invalid"),
    Outcome.PRODUCT_CODE_MISSING: _F(2, None, "A product code is required"),
    Outcome.PRODUCT_CODE_INVALID: _F(2, None, "The product code is invalid"),
    Outcome.SERIAL_MISSING: _F(2, None, "A serial number is required"),
    Outcome.SERIAL_INVALID: _F(2, None, "The serial number is invalid"),
    Outcome.BATCH_MISSING: _F(2, None, "A batch identifier is required"),
    Outcome.BATCH_INVALID: _F(2, None, "The batch identifier is invalid"),
    Outcome.EXPIRY_MISSING: _F(2, None, "An expiry date is required"),
    Outcome.EXPIRY_INVALID: _F(2, None, "The expiry date is invalid"),
    Outcome.SERIAL_TWICE: _F(2, None, "The same pack is in the request twice"),
    Outcome.NOT_PERMITTED: _F(1, None, "The participant may not do this"),
    Outcome.LOGIN_WRONG: _F(1, None, "Login refused: wrong user or password"),
    Outcome.LOGIN_LOCKED: _F(1, None, "Login refused: the user is locked"),
    Outcome.UNAVAILABLE: _F(
        1, None, "The system is not available; verify the pack before repeating"
    ),
    Outcome.OVERLOADED: _F(1, None, "The system is busy; nothing was done, try again later"),
    Outcome.HUB_UNREACHABLE: _F(1, None, "The EU Hub cannot be reached; verify before repeating"),
    Outcome.HUB_TIMEOUT: _F(1, None, "The EU Hub did not answer in time; verify before repeating"),
    Outcome.MARKET_UNREACHABLE: _F(1, None, "The market that holds the pack is not available"),
}
assert OUTCOMES.keys() == set(Outcome), "every outcome has its facts"

NEVER_ANSWERED: Final = frozenset({Outcome.SYNCHRONISED, Outcome.SYNC_SUPERSEDED})
"""Outcomes that no request has, so that no dialect has a code for them."""

HUB_CODES_FORWARDED: Final = frozenset({"A2", "A3", "A7", "A24", "A52", "A68"})
"""Exactly these go to the manufacturer since hub release 1.8."""
assert {facts.hub_code for facts in OUTCOMES.values() if facts.level == 5} == HUB_CODES_FORWARDED
