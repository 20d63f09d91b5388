"""The presets: what `emvs load run NAME` stands for. Data only; every figure can be overridden.

Sizes follow the published weekly volumes (Latvia, Poland, Germany; Belgium is a guess, the whole
system an estimate), peak seconds are 1.8 times the mean of Monday's busiest hour. How much of a
market's traffic comes from pharmacies, hospitals and wholesalers is chosen so that the share of
decommissionings is the published one: 26 % in Latvia, 36 % in Poland, 39 % in Germany.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from emvs.errors import UsageError
from loadtests.scenarios import curves
from loadtests.scenarios.curves import Points
from loadtests.scenarios.mix import Role

ALERTS_2019: Final = 0.03
ALERTS_2021: Final = 0.002
ALERTS_MATURE: Final = 0.0002
"""Alerts per transaction."""
SERIALS_PER_TRANSACTION: Final = 0.066
"""A thousand million serials a year at 35 to 65 million transactions a week, some 15 a second at
the busiest 240 (Germany 2020)."""
REPLAY_FACTOR: Final = 3.0
"""A backlog is drained at three times the usual rate."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One load. Rates are transactions per second."""

    name: str
    text: str
    markets: dict[str, float]
    """Share of each market's traffic; they add up to 1."""
    neighbour: str
    """Market that holds the packs which are asked about abroad."""
    roles: tuple[float, float, float]
    """Shares of pharmacies, hospitals and wholesalers."""
    hour_mean: float
    """Mean of Monday's busiest hour."""
    curve: str = "peak"
    """"peak", "day", "week" or "morning"."""
    rate_factor: float = 1.0
    alerts: float = ALERTS_MATURE
    intermarket: float = 0.002
    """Share of transactions about packs of another market: 1 to 2 % in small markets, below 0.2 %
    in large ones."""
    manual: float = 0.01
    """Share of transactions typed in by hand."""
    duplicates: float = 0.0
    """Share of supplies that are sent once more."""
    bulk: float = 0.05
    """Share of the hospitals' and wholesalers' packs that go many at once."""
    uploads: float = 1.0
    """Uploaded serials over the usual number."""
    recalls: int = 0
    recall_share: float = 0.05
    """Share of new packs that are of a recalled batch, where there are recalls (our choice)."""
    pauses: bool = True
    duration: str = "5m"

    def __post_init__(self) -> None:
        assert abs(sum(self.markets.values()) - 1) < 1e-9, "shares of markets add up to 1"
        assert abs(sum(self.roles) - 1) < 1e-9, "and those of roles"

    @property
    def peak_second(self) -> float:
        """The rate that is held when the curve is "peak"."""
        return self.hour_mean * curves.PEAK_OF_HOUR * self.rate_factor

    @property
    def role_shares(self) -> dict[Role, float]:
        """Shares of the roles, by role."""
        return dict(zip(Role, self.roles, strict=True))


_LATVIA: Final = Preset(
    "latvia", "a small market: 2.1 million transactions a week", {"LV": 1.0}, "LT",
    (0.55, 0.05, 0.40), 14.0, intermarket=0.015,
)  # fmt: skip
_BELGIUM: Final = Preset(
    "belgium", "a medium market: some 12 million a week (a guess)", {"BE": 1.0}, "IE",
    (0.80, 0.06, 0.14), 79.0, intermarket=0.01,
)  # fmt: skip
_POLAND: Final = Preset(
    "poland", "a large market: 45 million a week", {"PL": 1.0}, "CZ",
    (0.84, 0.08, 0.08), 295.0, alerts=0.00015,
)  # fmt: skip
_GERMANY: Final = Preset(
    "germany", "a very large market: 65 million a week", {"DE": 1.0}, "DK",
    (0.83, 0.13, 0.04), 425.0,
)  # fmt: skip
# 16 % of the inhabitants live in markets of the REST-built systems; Greece stands for them.
_EMVS: Final = Preset(
    "emvs", "all of the system: 350 million a week (an estimate), four large markets standing for"
    " all", {"DE": 0.35, "FR": 0.29, "PL": 0.20, "GR": 0.16}, "CZ",
    (0.80, 0.07, 0.13), 2_277.8,
)  # fmt: skip

PRESETS: Final = {
    preset.name: preset
    for preset in (
        _LATVIA,
        _BELGIUM,
        _POLAND,
        _GERMANY,
        _EMVS,
        replace(
            _GERMANY,
            name="go-live-2019",
            text="Germany in its first months: some 150/s in business hours, 3 % alerts",
            hour_mean=198.0,
            alerts=ALERTS_2019,
        ),
        replace(
            _GERMANY,
            name="after-outage-replay",
            text="buffered hours arrive at three times the usual rate, 1 % of supplies twice",
            rate_factor=REPLAY_FACTOR / curves.PEAK_OF_HOUR,
            duplicates=0.01,
            pauses=False,
            alerts=ALERTS_2021,
        ),
        replace(
            _POLAND,
            name="recall-storm",
            text="batches are recalled, among others, while pharmacies hand them out",
            recalls=4,
            rate_factor=1.5,
        ),
        replace(
            _GERMANY,
            name="upload-peak",
            text="uploads before shipping (16 to 18 h UTC), as many as in half of Europe at once",
            rate_factor=1 / curves.PEAK_OF_HOUR,
            uploads=curves.UPLOAD_BUMP * 20,
        ),
        replace(
            _GERMANY,
            name="morning",
            text="7 to 11 h of a Monday with deliveries scanned in; compressed to the duration",
            curve="morning",
        ),
    )
}
"""By name."""


def find_preset(name: str) -> Preset:
    """Return a preset. Raises UsageError with the names there are."""
    preset = PRESETS.get(name)
    if preset is None:
        raise UsageError(f"{name!r} is no preset; there are {', '.join(PRESETS)}")
    return preset


@dataclass(frozen=True, slots=True)
class Streams:
    """What arrives when, as curves over the run."""

    scans: Points
    goods_in: Points
    """Share of the pharmacies' scans that are deliveries scanned in."""
    bulk: Points
    """Factor on the share of packs that go many at once."""
    uploads: Points
    """Serials per second."""
    pace: float = 1.0
    """Factor on pauses between scans."""


_CURVE_HOURS: Final = {"day": (0.0, 24.0), "week": (0.0, 168.0), "morning": (7.0, 11.0)}
CURVES: Final = ("peak", *_CURVE_HOURS, "ramp")
_HOUR_S_UNPACED: Final = 120.0
"""An hour compressed to less has shorter pauses between scans: prescriptions of ten seconds would
blur the curve, and the last of them would end after the run."""
_GOODS_IN_SHARE: Final = 0.5
"""Of the pharmacies' scans within the hours of deliveries (our choice)."""


def make_streams(preset: Preset, *, duration_s: float, rate: float | None = None) -> Streams:
    """Return what arrives in `duration_s` seconds.

    `rate` takes the place of the peak second (or, of a curve, of its busiest hour's mean). A day, a
    week or a morning is compressed to the duration; rates stay, so packs per second do too.
    """
    peak = preset.peak_second if rate is None else rate
    usual = peak * SERIALS_PER_TRANSACTION * preset.uploads
    hours = _CURVE_HOURS.get(preset.curve)
    if hours is None:
        scans = curves.constant(peak)
        if preset.curve == "ramp":
            scans = curves.ramp(peak / 20, peak, duration_s)
        flat = curves.constant
        return Streams(scans, flat(0.0), flat(1.0), flat(usual))
    start, end = hours
    mean = preset.hour_mean * preset.rate_factor if rate is None else rate
    scans = curves.week(mean) if preset.curve == "week" else curves.day(mean, start=start, end=end)
    factor = (end - start) * 3600 / duration_s
    goods_in = curves.windows(curves.GOODS_IN_HOURS, _GOODS_IN_SHARE, start=start, end=end)
    bulk = curves.windows(curves.BULK_HOURS, 6.0, start=start, end=end)
    uploads = curves.windows((curves.UPLOAD_HOURS_UTC,), usual, start=start, end=end)
    scans, goods_in, bulk, uploads = (
        curves.compressed(points, factor) for points in (scans, goods_in, bulk, uploads)
    )
    pace = min(1.0, 3600 / factor / _HOUR_S_UNPACED)
    return Streams(scans, goods_in, bulk, uploads, pace)
