"""`python -m hub --config FILE`: the EU Hub as a process."""

from __future__ import annotations

import sys

from emvs.infra.service import run_service
from hub.app import Hub
from hub.config import HubConfig


def _describe(hub: Hub) -> dict[str, object]:
    return {"url": hub.url, "tls_url": hub.tls_url, "management": hub.management}


if __name__ == "__main__":
    sys.exit(run_service(HubConfig, lambda _: "hub", Hub, _describe))
