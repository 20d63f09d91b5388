"""Plans and samples for tests."""

from __future__ import annotations

from typing import Any

from loadtests.scenarios.mix import Operation, Role
from loadtests.scenarios.packs import MarketPacks
from loadtests.scenarios.plan import Plan, Site, SoapLogin
from loadtests.scenarios.samples import Flag, Sample, Verdict

PACKS = MarketPacks("LV", "09527000000008", "000001", "301231", 2, 50)


def make_plan(*, rate: float = 10.0, duration_s: float = 10.0, **changes: Any) -> Plan:
    """A plan of one market with a site of each role."""
    login = SoapLogin("LVLOAD", "USER0001", "Load-Pass-1")
    sites = [
        Site(number, "LV", role, f"LV-{role}", "http://127.0.0.1:1", soap=login)
        for number, role in enumerate(Role)
    ]
    values: dict[str, Any] = {
        "preset": "latvia", "seed": 1, "duration_s": duration_s, "model": "open", "client": "wire",
        "scans": [(0.0, rate)], "goods_in": [(0.0, 0.0)], "bulk": [(0.0, 1.0)],
        "uploads": [(0.0, 0.0)], "market_shares": {"LV": 1.0},
        "role_shares": {Role.PHARMACY: 0.8, Role.HOSPITAL: 0.1, Role.WHOLESALER: 0.1},
        "alerts": 0.0, "intermarket": 0.0, "manual": 0.0, "duplicates": 0.0, "bulk_share": 0.0,
        "recalls": 0, "pauses": True, "lanes": 8, "sites": sites, "packs": [PACKS],
        "foreign": None, "maker": None, "ca": None,
    }  # fmt: skip
    return Plan(**(values | changes))


def sample(**changes: Any) -> Sample:
    """A good supply of pack 0 in the first second, 10 ms from a punctual sending."""
    usual = Sample(
        0.5, 0.001, 0.010, 0, 1, 0, 200, Operation.SUPPLY, 0, Flag.WAITED, Verdict.EXPECTED,
        b"SUCCESS",
    )  # fmt: skip
    return usual._replace(**changes)
