"""For Locust itself: `locust -f loadtests/locustfile.py`, with the web page, headless, distributed.

`emvs up` must run, with the preset's markets: `emvs up --markets LV,LT` for the preset latvia.
Start prepares packs and logins of their own for each run; results go to load-results/ of the
working directory. `emvs load run PRESET` does all of that by itself. See docs/loadtests.md.
"""

from __future__ import annotations

from typing import Any

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadtests.scenarios.presets import PRESETS
from loadtests.scenarios.process import PROCESS
from loadtests.scenarios.users import CommunityPharmacy, Hospital, Manufacturer, Wholesaler

__all__ = ["CommunityPharmacy", "Hospital", "Manufacturer", "Wholesaler"]


def add_options(parser: LocustArgumentParser) -> None:
    """Add ours, which the web page shows too."""
    group = parser.add_argument_group("EMVS")
    add: Any = group.add_argument
    add("--emvs-preset", choices=list(PRESETS), default="latvia", help="Preset of the load.")
    add("--emvs-duration", default="5m", help="Length of the run, such as 30s, 5m, 1h.")
    add("--emvs-rate", default="", help="Transactions per second, in place of the preset's.")
    add("--emvs-alerts", default="", help="Alerts per transaction, in place of the preset's.")
    add("--emvs-markets", default="", help="Markets, in place of the preset's: LV,IE:rest.")
    add("--emvs-data", default=".emvs", env_var="EMVS_DATA", help="Data directory of `emvs up`.")
    add("--emvs-model", choices=["open", "closed"], default="open", help="Who sets the pace.")
    add("--emvs-client", choices=["wire", "fasthttp"], default="wire", help="How to send.")


def attach(environment: Environment, **_: Any) -> None:
    """Connect this process to Locust."""
    PROCESS.attach(environment)


_EVENTS: Any = events  # Without annotations in Locust.
_EVENTS.init_command_line_parser.add_listener(add_options)
_EVENTS.init.add_listener(attach)
