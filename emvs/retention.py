"""How long a pack and its audit trail are kept. No I/O, no clock; zones and instants come in.

Sources: Delegated Regulation (EU) 2016/161, Art. 4(d), 35(1) and 42: a product code and serial
number are unique, and the audit trail is kept, until the later of a year after the expiry date
and five years after the release. The release is unknown to the system, so the first upload of
the batch stands for it (our choice).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from emvs.expiry import last_day

YEARS_AFTER_EXPIRY: Final = 1
YEARS_AFTER_RELEASE: Final = 5


def purge_after(expiry: str, released_at: datetime, zone: tzinfo) -> datetime:
    """Return the first instant at which packs of a batch need not be kept any more.

    `expiry` is YYMMDD, day 00 for the end of the month; `released_at` the release or, if that is
    unknown, the first upload. The year after the expiry date ends at the market's midnight. Where
    29 February has no anniversary, 1 March is it: a day too long is lawful, a day too short is not.
    """
    last_kept_day = _years_later(last_day(expiry), YEARS_AFTER_EXPIRY)
    after_expiry = datetime.combine(last_kept_day + timedelta(days=1), time.min, tzinfo=zone)
    released_at = released_at.astimezone(UTC)
    day = _years_later(released_at.date(), YEARS_AFTER_RELEASE)
    after_release = datetime.combine(day, released_at.timetz())
    return max(after_expiry.astimezone(UTC), after_release)


def released_at_latest(now: datetime) -> datetime:
    """Return the end of the time in which a batch must have been released to be due at `now`.

    What was recorded about packs that are not stored has no expiry date: it is kept for five
    years, so what was recorded before this instant is due (our choice).
    """
    now = now.astimezone(UTC)
    try:
        return now.replace(year=now.year - YEARS_AFTER_RELEASE)
    except ValueError:  # 29 February: what was released on 1 March is due tomorrow.
        return datetime(now.year - YEARS_AFTER_RELEASE, 3, 1, tzinfo=UTC)


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
