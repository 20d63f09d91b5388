"""Expiry dates: what is one, when it has passed, and when two are the same."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.expiry import ExpiryMatching, expires_at, expiry_matches, last_day, parse_expiry

EXACT, MONTH_END, YEAR_MONTH = ExpiryMatching


@pytest.mark.parametrize(
    ("yymmdd", "last"),
    [
        ("271231", date(2027, 12, 31)),
        ("271200", date(2027, 12, 31)),
        ("270200", date(2027, 2, 28)),
        ("280200", date(2028, 2, 29)),
        ("280229", date(2028, 2, 29)),
        ("000229", date(2000, 2, 29)),
        ("000100", date(2000, 1, 31)),
        ("991231", date(2099, 12, 31)),
    ],
)
def test_valid_dates(yymmdd: str, last: date) -> None:
    expiry = parse_expiry(yymmdd)
    assert expiry is not None
    assert f"{expiry.year % 100:02d}{expiry.month:02d}{expiry.day:02d}" == yymmdd
    assert expiry.last_day == last_day(yymmdd) == last


@pytest.mark.parametrize(
    "yymmdd",
    [
        "270229",
        "270230",
        "270431",
        "271301",
        "270001",
        "271232",
        "270000",
        "",
        "2712",
        "2712311",
        "27123a",
        "27-2-1",
        " 71231",
        "\u0662\u0667\u0661\u0662\u0663\u0661",
        "\u00b271231",
    ],
)
def test_invalid_dates(yymmdd: str) -> None:
    assert parse_expiry(yymmdd) is None
    with pytest.raises(ValueError, match="not an expiry date"):
        last_day(yymmdd)


def test_every_day_of_the_century_and_every_open_day_is_valid_and_nothing_else() -> None:
    valid = {text for n in range(1_000_000) if parse_expiry(text := f"{n:06d}")}
    start = date(2000, 1, 1)
    days = {f"{start + timedelta(n):%y%m%d}" for n in range((date(2100, 1, 1) - start).days)}
    assert valid == days | {f"{y:02d}{m:02d}00" for y in range(100) for m in range(1, 13)}


@pytest.mark.parametrize(
    ("yymmdd", "zone", "instant"),
    [
        ("270615", "UTC", "2027-06-16T00:00Z"),
        ("270615", "Europe/Dublin", "2027-06-15T23:00Z"),  # Summer time.
        ("271231", "Europe/Dublin", "2028-01-01T00:00Z"),
        ("271200", "Europe/Athens", "2027-12-31T22:00Z"),
        ("280200", "Europe/Berlin", "2028-02-29T23:00Z"),
        ("991231", "Europe/Berlin", "2099-12-31T23:00Z"),
        ("270327", "Atlantic/Azores", "2027-03-28T01:00Z"),  # That midnight doesn't exist.
    ],
)
def test_a_pack_expires_at_the_markets_midnight(yymmdd: str, zone: str, instant: str) -> None:
    expected = datetime.fromisoformat(instant)
    assert datetime.fromtimestamp(expires_at(yymmdd, ZoneInfo(zone)), UTC) == expected


@pytest.mark.parametrize(
    ("sent", "stored", "matchings"),
    [
        ("271231", "271231", {EXACT, MONTH_END, YEAR_MONTH}),
        ("271200", "271200", {EXACT, MONTH_END, YEAR_MONTH}),
        ("271200", "271231", {MONTH_END, YEAR_MONTH}),
        ("271231", "271200", {MONTH_END, YEAR_MONTH}),
        ("280229", "280200", {MONTH_END, YEAR_MONTH}),
        ("280228", "280200", {YEAR_MONTH}),
        ("271230", "271231", {YEAR_MONTH}),
        ("271130", "271231", set()),
        ("271100", "271200", set()),
        ("261231", "271231", set()),
        ("271232", "271200", set()),
        ("2712", "271200", set()),
        ("", "271200", set()),
    ],
)
def test_matching(sent: str, stored: str, matchings: set[ExpiryMatching]) -> None:
    assert {one for one in ExpiryMatching if expiry_matches(sent, stored, one)} == matchings


@given(
    st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.dates(date(2000, 1, 1), date(2099, 12, 31))
)
def test_a_more_tolerant_matching_accepts_what_a_stricter_one_does(one: date, other: date) -> None:
    sent, stored = f"{one:%y%m%d}", f"{other:%y%m}00"
    results = [
        expiry_matches(sent, stored, matching) for matching in (EXACT, MONTH_END, YEAR_MONTH)
    ]
    assert results == sorted(results)
    assert results == [expiry_matches(stored, sent, m) for m in (EXACT, MONTH_END, YEAR_MONTH)]
