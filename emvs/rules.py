"""What may differ from market to market in the life of a pack, with its default and its source.

Where sources leave a point open, the default is marked as our choice. A market's row in
`emvs.markets` or a national system's configuration overrides single settings.
"""

from __future__ import annotations

from dataclasses import dataclass

from emvs.expiry import ExpiryMatching


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
    undo_elsewhere_alerts: bool = False
    """Whether an undo by another location or too late is an alert. The British list says yes,
    Finland only through intermarket."""
    sync_delay_s: float = 0.2
    """How long a change of a multi-market pack waits before it goes to the hub (our choice)."""
    wholesaler_may_supply: bool = True
    """Art. 23: wholesalers may supply on behalf of certain institutions where the state says so."""
    pharmacy_may_export: bool = False
    """Our choice: no source tells of a market that allows it."""
