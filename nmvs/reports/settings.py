"""What a market may set about documents made in the background. The defaults are our choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """Settings of reports, product data and lists of alerts."""

    encoding: Literal["utf-8", "iso-8859-1"] = "utf-8"
    """Both are seen from deployed systems. What ISO 8859-1 has not becomes a question mark."""
    life_days: int = 31
    """Days that a document is kept."""
    query_life_hours: int = 24
    """Hours that the result of an alert query or product data are kept."""
    eta_s: int = 2
    """After so many seconds for each document in line a client is told to come back."""
