"""What may differ from market to market in the life of a pack, with its default and its source.

Where sources leave a point open, the default is marked as our choice. A market's row in
`emvs.markets` or a national system's configuration overrides single settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from emvs.expiry import ExpiryMatching
from emvs.limits import REPEATS_MAX


class AlertWhen(StrEnum):
    """On which requests a refusal is an alert."""

    NEVER = "never"
    INTERMARKET = "intermarket"  # Those that come from another market.
    ALWAYS = "always"


class AlreadyInStateCode(StrEnum):
    """The hub's code for an alert about a pack that is in the requested state already."""

    A7 = "A7"
    A24 = "A24"


class NotFoundCode(StrEnum):
    """The hub's code for an alert about a pack that other markets were asked for in vain."""

    BY_LOOKUP = "by_lookup"  # A2 or A3, as the asking market's own lookup says.
    A24 = "A24"


@dataclass(frozen=True, slots=True)
class MarketRules:
    """Settings of one market."""

    supply_repeat_tolerance: int = 2
    """Repeats of a supply by the same location that are noted without an alert.
    France: the fourth scan overall alerts; Finland: three notices; Greece: one or none."""
    other_repeat_tolerance: int = 0
    """The same for every other decommissioning. Finland alerts at once."""
    undo_window_s: int = 240 * 3600
    """Delegated Regulation (EU) 2016/161, Art. 13(1)(b): ten days, implemented as 240 hours.
    The last second still counts (our choice)."""
    expiry_matching: ExpiryMatching = ExpiryMatching.EXACT
    """How a submitted expiry is held against the stored one. Sources contradict each other."""
    destroy_on_inactive_batch: bool = False
    """Whether packs that are expired, recalled or withdrawn may be marked destroyed. The law
    wants it, the hub operator forbids updates after a recall: refused by default (our choice)."""
    typing_tolerance: int = 2
    """Attempts with wrong identifiers, typed in by one location for one product, that raise no
    alert; the next one does, and all after it until the location finds a pack of that product. No
    time limit; a restart counts anew. Published default; the United Kingdom has 5."""
    undo_elsewhere_alerts: AlertWhen = AlertWhen.NEVER
    """Whether an undo by another location or too late is an alert. The British list says always,
    Finland through intermarket only, the REST-built systems never: never by default (our
    choice)."""
    undo_never_alerts: bool = False
    """Whether an undo of a destroyed or stolen pack is an alert. Not by default (our choice)."""
    stolen_verify_alerts: bool = False
    """Whether a verification of a stolen pack is an alert. Not by default (our choice)."""
    already_in_state_code: AlreadyInStateCode = AlreadyInStateCode.A7
    """The hub's code when a pack is in the requested inactive state already. Estonia says A24,
    later texts A7, which is the default (our choice)."""
    not_found_code: NotFoundCode = NotFoundCode.BY_LOOKUP
    """The hub's code when no other market knows a pack either. One source says A24, the others A2
    and A3 by the national lookup, which is the default (our choice)."""
    sync_delay_s: float = 0.2
    """How long a change of a multi-market pack waits before it goes to the hub (our choice)."""
    wholesaler_may_supply: bool = True
    """Art. 23: wholesalers may supply on behalf of certain institutions where the state says so."""
    pharmacy_may_export: bool = False
    """Our choice: no source tells of a market that allows it."""
    supplier_may_lock: bool = True
    """Whether pharmacies and hospitals may lock packs (our choice)."""
    supplier_may_report_stolen: bool = True
    """Whether pharmacies and hospitals may mark packs stolen (our choice)."""
    supplier_may_free_sample: bool = True
    """Whether pharmacies and hospitals may mark free samples. The law gives them to the
    manufacturer, the national systems offer them to everyone (our choice)."""
    wholesaler_may_free_sample: bool = True
    """The same for wholesalers (our choice)."""
    nmvo_may_lock: bool = False
    """Whether the national organisation may lock packs (our choice); it has no undo."""
    nca_may_verify: bool = True
    """Whether authorities may read the state of a pack; that never raises an alert (our choice)."""

    def __post_init__(self) -> None:
        """Raise ValueError if a figure cannot work."""
        for name in ("supply_repeat_tolerance", "other_repeat_tolerance"):
            if not 0 <= getattr(self, name) <= REPEATS_MAX:
                raise ValueError(f"{name} is from 0 to {REPEATS_MAX}")
        for name in ("typing_tolerance", "undo_window_s", "sync_delay_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is not negative, and finite")
