"""What a market may set about this dialect.

The defaults are our choice where no source is named.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestSettings:
    """Settings of the REST dialect."""

    token_life_s: int = 32_767
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
