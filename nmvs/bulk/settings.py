"""What a market may set about bulk requests, whatever their dialect.

No public source gives figures; the defaults are our choice where none is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SharedWithin(StrEnum):
    """Whose equipment may fetch a result besides the submitter's."""

    LOCATION = "location"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class BulkSettings:
    """Settings of bulk requests."""

    keep_results_s: int = 30 * 86_400
    """Results are kept so long after the submission (inferred: thirty days)."""
    results_after_s: float = 0.0
    """Results are not given out earlier after the submission: for clients whose waiting is to be
    tested with a handful of packs."""
    shared_within: SharedWithin = SharedWithin.ORGANISATION
    intermarket: bool = False
    """Whether packs unknown here are looked for in other markets. A public help page says that
    bulk never is, and that such packs must be scanned singly."""
    eta_s_min: float = 1.0
    eta_s_max: float = 45.0
    """Never told later than that: one public client waits fifty seconds and asks once."""
    packs_at_once: int = 16
    """Packs that share a commit of the ledger, unless single requests join them."""
    busy_share: float = 0.35
    """Share of the time that bulk work takes as long as single requests come in."""
    jobs_waiting_per_organisation_max: int = 100
    items_waiting_max: int = 20_000_000
    """Packs that wait to be worked through, all organisations together."""
    items_per_organisation_max: int = 20_000_000
    """Packs of one organisation that wait or whose results are kept: some four gigabytes."""
    bodies_bytes_max: int = 192 * 1024 * 1024
    """Bulk bodies in memory at once; who would pass it is told to come again in a second."""
