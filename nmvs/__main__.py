"""`python -m nmvs --config FILE`: one national system as a process."""

from __future__ import annotations

import sys

from emvs.infra.service import run_service
from nmvs.app import NationalSystem
from nmvs.config import NmvsConfig

_GARBAGE_AFTER_COUNT = 20_000
"""Requests under way have some thousand objects, which Python's own 700 would have it look through
again and again, milliseconds each time and in vain: hardly any is part of a cycle."""


def _describe(system: NationalSystem) -> dict[str, object]:
    return {"market": system.market.code, "dialects": list(system.dialects), **system.ports}


if __name__ == "__main__":
    sys.exit(
        run_service(
            NmvsConfig,
            lambda config: f"nmvs-{config.market.lower()}",
            NationalSystem,
            _describe,
            garbage_after_count=_GARBAGE_AFTER_COUNT,
        )
    )
