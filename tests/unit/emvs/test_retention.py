"""How long packs are kept: rows, and what holds for all of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.retention import purge_after, released_at_latest

DUBLIN = ZoneInfo("Europe/Dublin")
WARSAW = ZoneInfo("Europe/Warsaw")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expiry", "released", "zone", "due"),
    [
        # Five years after the release, as long as that is later.
        ("270630", "2026-03-10T12:00", DUBLIN, "2031-03-10T12:00"),
        ("300309", "2026-03-10T12:00", DUBLIN, "2031-03-10T12:00"),
        # The expiry date a year on is kept to its end: the market's midnight, summer or winter.
        ("300310", "2026-03-10T12:00", DUBLIN, "2031-03-11T00:00"),
        ("300310", "2026-03-10T12:00", WARSAW, "2031-03-10T23:00"),
        ("300630", "2026-03-10T12:00", DUBLIN, "2031-06-30T23:00"),
        ("301231", "2026-03-10T12:00", DUBLIN, "2032-01-01T00:00"),
        # Day 00 is the end of the month, in a leap year the 29th.
        ("320200", "2026-03-10T12:00", DUBLIN, "2033-03-02T00:00"),
        ("320228", "2026-03-10T12:00", DUBLIN, "2033-03-01T00:00"),
        # 29 February has no anniversary: 1 March is kept too.
        ("320229", "2026-03-10T12:00", DUBLIN, "2033-03-02T00:00"),
        ("280228", "2028-02-29T08:30", DUBLIN, "2033-03-01T08:30"),
        ("310228", "2026-03-10T12:00", DUBLIN, "2032-02-29T00:00"),
        # Expired long before it came, and the last day there is.
        ("200101", "2026-03-10T12:00", DUBLIN, "2031-03-10T12:00"),
        ("991231", "2026-03-10T12:00", DUBLIN, "2101-01-01T00:00"),
    ],
)
def test_packs_are_kept_until(expiry: str, released: str, zone: ZoneInfo, due: str) -> None:
    assert purge_after(expiry, utc(released), zone) == utc(due)


@pytest.mark.parametrize(
    ("now", "latest"),
    [
        ("2031-03-10T12:00", "2026-03-10T12:00"),
        ("2032-02-29T12:00", "2027-03-01T00:00"),
        ("2033-02-28T12:00", "2028-02-28T12:00"),
        ("2033-03-01T00:00", "2028-03-01T00:00"),
    ],
)
def test_what_was_released_until_then_may_be_due(now: str, latest: str) -> None:
    assert released_at_latest(utc(now)) == utc(latest)


TIMES = st.datetimes(datetime(2019, 2, 9), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them naive.
EXPIRIES = st.dates(date(2019, 1, 1), date(2099, 12, 31)).map(lambda day: f"{day:%y%m%d}")


@given(expiry=EXPIRIES, released=TIMES, now=TIMES)
def test_nothing_is_due_early_and_the_bound_for_the_search_leaves_nothing_out(
    expiry: str, released: datetime, now: datetime
) -> None:
    due = purge_after(expiry, released, DUBLIN)
    assert due >= released + timedelta(days=5 * 365)
    if due <= now:
        assert released <= released_at_latest(now)


@given(expiry=EXPIRIES, released=TIMES, later=st.timedeltas(timedelta(0), timedelta(days=900)))
def test_a_later_release_is_never_due_earlier(
    expiry: str, released: datetime, later: timedelta
) -> None:
    assert purge_after(expiry, released + later, DUBLIN) >= purge_after(expiry, released, DUBLIN)
