"""What the user asks of a run, and what that makes of a preset. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from emvs.errors import UsageError
from emvs.infra.launch.durations import parse_duration_s
from emvs.infra.launch.markets_choice import parse_markets
from emvs.markets import MARKETS, Dialect
from loadtests.scenarios.mix import decommission_share
from loadtests.scenarios.packs import SHARDS_MIN
from loadtests.scenarios.presets import CURVES, Preset, find_preset
from loadtests.scenarios.recalls import RECALLS_PER_MARKET_MAX

RATE_MAX: Final = 100_000.0
DURATION_S_MAX: Final = 7 * 86_400
LANES_DEFAULT: Final = 128
"""Requests one process has under way at most (our choice: 128 at 30 ms are 4,000 a second)."""
PROCESSES_MAX: Final = 64
_SHARES: Final = ("alerts", "intermarket", "manual", "duplicates", "bulk", "recall_share")
_MARKET: Final = re.compile(r"([A-Za-z]{2})(?::(soap|rest))?(?:=([0-9.]+))?")


@dataclass(frozen=True, slots=True)
class MarketWish:
    """A market of the run: over which dialect, with which share of the traffic."""

    code: str
    dialect: Dialect
    share: float


@dataclass(frozen=True, slots=True)
class RunOptions:
    """All of it. None: what the preset says."""

    preset: Preset
    markets: tuple[MarketWish, ...]
    duration_s: float
    rate: float | None = None
    seed: int | None = None
    packs: int | None = None
    processes: int = 1
    lanes: int = LANES_DEFAULT
    model: str = "open"
    client: str = "wire"
    plain: bool = False
    sites: tuple[int, int, int] = (6, 2, 2)
    """Pharmacies, hospitals and wholesalers of each market."""
    timeout_s: float = 10.0
    data: Path | None = None
    """Data directory of systems that run; None: fresh ones for this run."""
    out: Path | None = None
    thresholds: dict[str, float] = field(default_factory=dict)


def make_options(
    preset_name: str,
    *,
    duration: str | None = None,
    rate: float | None = None,
    curve: str | None = None,
    markets: str | None = None,
    model: str = "open",
    client: str = "wire",
    processes: int | None = None,
    lanes: int = LANES_DEFAULT,
    cpus: int = 2,
    recalls: int | None = None,
    **dials: float | None,
) -> RunOptions:
    """Return the options. Raises UsageError with a sentence for whatever cannot be."""
    preset = find_preset(preset_name)
    if curve is not None and curve not in CURVES:
        raise UsageError(f"--curve {curve}: there are {', '.join(CURVES)}")
    for name, share in dials.items():
        if share is not None and not 0.0 <= share <= 1.0:
            raise UsageError(
                f"--{name.replace('_', '-')} {share:g}: a share is from 0 to 1 (3 % is 0.03)"
            )
    if rate is not None and not 0.0 < rate <= RATE_MAX:
        raise UsageError(f"--rate {rate:g}: from above 0 to {RATE_MAX:g} transactions a second")
    if model not in {"open", "closed"}:
        raise UsageError(f"--model {model}: open or closed")
    if client not in {"wire", "fasthttp"}:
        raise UsageError(f"--client {client}: wire or fasthttp")
    if not 1 <= lanes <= 10_000:
        raise UsageError(f"--lanes {lanes}: from 1 to 10000")
    changes: dict[str, object] = {n: dials[n] for n in _SHARES if dials.get(n) is not None}
    if curve is not None:
        changes["curve"] = curve
    if recalls is not None:
        changes["recalls"] = recalls
    preset = replace(preset, **changes)  # type: ignore[arg-type] # names are checked above
    duration_s = _seconds(preset.duration if duration is None else duration)
    if processes is None:
        processes = max(1, cpus // 2)
    if not 1 <= processes <= PROCESSES_MAX:
        raise UsageError(f"--processes {processes}: from 1 to {PROCESSES_MAX}")
    wishes = _wishes(preset, markets)
    if not 0 <= preset.recalls <= (most := RECALLS_PER_MARKET_MAX * len(wishes)):
        raise UsageError(f"--recalls {preset.recalls}: from 0 to {most} with these markets")
    return RunOptions(
        preset=preset,
        markets=wishes,
        duration_s=float(duration_s),
        rate=rate,
        model=model,
        client=client,
        processes=processes,
        lanes=lanes,
    )


def _seconds(text: str) -> int:
    try:
        seconds = parse_duration_s(text)
    except UsageError:
        seconds = 0
    if not 0 < seconds <= DURATION_S_MAX:
        raise UsageError(f"length {text!r}: write it like 30s, 5m or 1h, at most 7d")
    return seconds


def _wishes(preset: Preset, text: str | None) -> tuple[MarketWish, ...]:
    """Return the markets: the preset's, or those of `DE=0.6,IE:rest=0.4`."""
    if text is None:
        return tuple(
            MarketWish(code, MARKETS[code].dialect, share) for code, share in preset.markets.items()
        )
    found: list[tuple[str, Dialect, float]] = []
    for part in text.split(","):
        match = _MARKET.fullmatch(part.strip())
        if match is None:
            raise UsageError(f"{part.strip()!r} is no market; write DE, DE:rest or DE:rest=0.6")
        code, dialect, share = match[1].upper(), match[2], match[3]
        own = parse_markets(code)[0].dialects[0]
        found.append((code, Dialect(dialect) if dialect else own, float(share or 1.0)))
    total = sum(share for _, _, share in found)
    if total <= 0 or len({code for code, _, _ in found}) < len(found):
        raise UsageError(f"{text!r}: each market once, and shares above 0")
    return tuple(MarketWish(code, dialect, share / total) for code, dialect, share in found)


def packs_needed(options: RunOptions, *, transactions: float, bulk_peak: float) -> int:
    """Return how many packs a run of so many transactions may use up in all its markets.

    Each decommissioning takes one and each bulk as many as it has; shelves hold some. A tenth on
    top is for chance.
    """
    preset = options.preset
    bulk = min(0.95, preset.bulk * bulk_peak) * (preset.roles[1] + preset.roles[2])
    used = transactions * (decommission_share(preset.role_shares) + bulk)
    if preset.recalls:
        # What is recalled does not go back to the shelf; each batch holds its part of the scans.
        recalled = transactions * preset.recall_share
        per_market = -(-preset.recalls // len(options.markets))
        used = max(used + recalled, recalled * SHARDS_MIN / per_market)
    shelves = sum(options.sites) * len(options.markets) * options.processes * 60
    return round(used * 1.1) + shelves + 1_000


def systems_wanted(options: RunOptions) -> str:
    """Return the markets to start, as `emvs up --markets` wants them."""
    markets = [f"{wish.code}:{wish.dialect}" for wish in options.markets]
    neighbour = neighbour_of(options)
    return ",".join([*markets, *([neighbour] if neighbour else [])])


def neighbour_of(options: RunOptions, running: Sequence[str] = ()) -> str | None:
    """Return the market whose packs are asked about abroad; None if nobody asks.

    Of the markets that run any does; where none is left, the one that should be started.
    """
    if options.preset.intermarket <= 0:
        return None
    codes = {wish.code for wish in options.markets}
    candidates = [
        code for code in (options.preset.neighbour, "LT", "IE", "CZ") if code not in codes
    ]
    there = [code for code in (*candidates, *running) if code in running and code not in codes]
    return (there or candidates)[0]
