"""What the hub knows of a product and a batch when it judges a message, and the judgement.

Plain values between the store, the rules and the loader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emvs.markets import MARKETS
from emvs.obp_messages import Defect
from hub.defects import Defects


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """A product of the catalogue."""

    product_code: str
    organisation_id: str
    markets_by_version: Mapping[int, tuple[str, ...]]
    """Never empty; the highest number is the latest version."""
    withdrawn: frozenset[str]
    """Markets it is withdrawn from."""
    withdrawal_unheard: frozenset[str] = frozenset()
    """Those of them whose national system refused the withdrawal, or was never reached."""

    @property
    def latest_version(self) -> int:
        """Number of the latest version."""
        return max(self.markets_by_version)

    @property
    def markets(self) -> tuple[str, ...]:
        """Markets of any version, those of the latest first."""
        newest_first = sorted(self.markets_by_version, reverse=True)
        return tuple(
            dict.fromkeys(
                market for version in newest_first for market in self.markets_by_version[version]
            )
        )


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """A batch of the catalogue."""

    batch_id: str
    expiry: str
    product_version: int
    recalled: frozenset[str]
    """Markets it is recalled in."""
    recall_unheard: frozenset[str] = frozenset()
    """Those of them whose national system refused the recall, or was never reached."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a message, and which systems it can be distributed to."""

    organisation_id: str
    systems: frozenset[str]
    """National systems connected to this hub."""
    is_parallel_distributor: bool = False
    holders: frozenset[str] = frozenset()
    """Marketing authorisation holders of its account, case folded; empty: any."""

    def reaches(self, market: str) -> bool:
        """Whether the market's national system is connected."""
        return MARKETS[market].system in self.systems


@dataclass(slots=True)
class Judgement:
    """What the rules say about a message. It is valid if there are no defects."""

    defects: Defects = field(default_factory=Defects)
    warnings: list[Defect] = field(default_factory=list)
    markets: list[str] = field(default_factory=list)
    """Where it goes to if it is valid."""
    rejected: list[Defect] = field(default_factory=list)
    """Markets it does not go to although it is valid, each with the reason."""
    product_version: int | None = None
    expiry: str | None = None
