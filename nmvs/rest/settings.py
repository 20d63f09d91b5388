"""What a market may set about this dialect.

The defaults are our choice where no source is named.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from nmvs.rate_plans import RatePlan


class RetryAfter(StrEnum):
    """Form of the header Retry-After on 429; clients have met both."""

    SECONDS = "seconds"
    DATE = "date"
    ALTERNATING = "alternating"


LIFE_S_MAX: Final = 100 * 366 * 86_400
"""A hundred years: a clock that testers move by decades must not end every token (our choice)."""


@dataclass(frozen=True, slots=True)
class RestSettings:
    """Settings of the REST dialect."""

    token_life_s: Annotated[int, msgspec.Meta(ge=1, le=LIFE_S_MAX)] = 32_767
    """A national organisation's mail to its suppliers gives this figure."""
    token_scope: str = "nmvs"  # noqa: S105 - a scope
    """Real value unknown: no client sends or reads one."""
    bulk_packs_max: int = 500_000
    """Packs in one bulk or recovery request. A client library's default, which it says each
    national system dictates."""
    bulk_duplicates_code: str = "62120000"
    """To a bulk that names a pack twice. 52120000 is known as a refusal of submissions, too, and
    may be the one that servers send (inferred)."""
    ams_url: str = "https://ams.example/"
    """Address of the alert management system; an alert's id is put behind it."""
    token_issuer: str = ""
    """What tokens and their published description name as issuer; empty for `nmvs-` and the
    market's code."""
    signing_key_life_s: Annotated[int, msgspec.Meta(ge=3_600)] = 90 * 86_400
    """After so long another key signs the tokens (our choice)."""
    signing_key_overlap_s: Annotated[int, msgspec.Meta(ge=0, le=2_592_000)] = 86_400
    """So long a key that signs no more is published and proves tokens; never shorter than a token's
    life (our choice)."""
    connector_header: str = "connector-location-id"
    """Where a connector names the location it acts for. That there is such a header is certain, its
    spelling is not."""
    rate_plans: dict[str, RatePlan] = field(default_factory=dict)
    """Rate plans by name, beside those that the management port sets. Real figures are unknown."""
    default_rate_plan: str | None = None
    """Plan of organisations that have no other; None: no limit."""
    retry_after: RetryAfter = RetryAfter.SECONDS
    """How a refused client is told when to come back; both forms were seen."""
    default_api_version: str = "3.1"
    """What a client is served that sends no `emvs-api-version`, as most don't (our choice)."""
    filter_by_version: bool = False
    """Whether answers leave out what the client's version does not know; differences between
    versions are additions, which clients ignore (our choice)."""
