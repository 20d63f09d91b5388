"""What `pharmacy doctor` finds: one check and its result."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Check(NamedTuple):
    """One check and its result."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""
