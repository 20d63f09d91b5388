"""What holds when the user says nothing. Imports nothing, so that `emvs --help` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Final

DATA: Final = Path(".emvs")
MARKETS: Final = "AT,PL,IE,FI:soap+rest"
"""Two of the SOAP dialect, one of the REST dialect, one that speaks both over the same packs."""
PORT_BASE: Final = 7070
STOCK_COUNT: Final = 2_000
"""Packs that `emvs up` adds beside those that endpoints.json and demo.json name (our choice)."""
DEMO_STOCK_COUNT: Final = 100_000
STOCK_COUNT_MAX: Final = 10_000_000
CALLBACK_RECEIVER_PORT: Final = 7060
"""Of `emvs callback-receiver`."""
