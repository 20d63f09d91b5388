"""Expiry dates as packs carry them: YYMMDD, where day 00 leaves the day open.

The text is kept as it was printed, because `270200` and `270228` are different values to most
comparisons; what it means in days and instants is worked out here. No clock enters: zones and
instants are passed in.
Sources: GS1 General Specifications 3.4.7 and 7.12 (AI 17); the century is always the 21st, as
the IFA coding rules say and nothing older can be on sale.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache

_LENGTH = 6
_CENTURY = 2000
_OPEN_DAY = "00"


class ExpiryMatching(StrEnum):
    """How a market compares the expiry date of a request with the stored one."""

    EXACT = "exact"  # Character by character: Belgium tells users to type the last day themselves.
    MONTH_END = "month_end"  # Day 00 and the last day of that month are one date (SOAP-built).
    YEAR_MONTH = "year_month"  # The day doesn't count (REST-built; inferred, no public text).


@dataclass(frozen=True, slots=True)
class Expiry:
    """A valid expiry date.

    `day` is 0 where the pack names the month alone; `last_day` is the last one on which the pack
    is not yet expired.
    """

    year: int
    month: int
    day: int
    last_day: date


def parse_expiry(yymmdd: str) -> Expiry | None:
    """Return the date that these six digits denote, or None if there is no such day.

    Day 00 is valid in every month; 29 February in leap years only.
    """
    # The length is looked at first so that the cache can't be filled with long texts.
    return _parse_six(yymmdd) if len(yymmdd) == _LENGTH else None


# A market sells packs of a few hundred expiry dates at a time: nearly every request finds its own.
@lru_cache(maxsize=4096)
def _parse_six(yymmdd: str) -> Expiry | None:
    if not (yymmdd.isascii() and yymmdd.isdigit()):
        return None
    year, month, day = _CENTURY + int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:])
    if not 1 <= month <= 12:
        return None
    month_end = monthrange(year, month)[1]
    if day > month_end:
        return None
    return Expiry(year, month, day, last_day=date(year, month, day or month_end))


def last_day(yymmdd: str) -> date:
    """Return the last day on which such a pack is not yet expired. The text must be valid."""
    expiry = parse_expiry(yymmdd)
    if expiry is None:
        raise ValueError(f"{yymmdd!r} is not an expiry date: YYMMDD, where DD may be 00")
    return expiry.last_day


def expires_at(yymmdd: str, zone: tzinfo) -> int:
    """Return the first instant, in seconds since 1970 UTC, at which such a pack is expired.

    That is the market's midnight after its last day. That the day itself still counts is the
    usual reading of such dates; that the market's clock decides is our choice.
    """
    day_after = last_day(yymmdd) + timedelta(days=1)
    return int(datetime.combine(day_after, time.min, tzinfo=zone).timestamp())


def expiry_matches(sent: str, stored: str, matching: ExpiryMatching) -> bool:
    """Tell whether a request's expiry date counts as the stored one.

    Malformed dates are refused before this; here they are equal to nothing but themselves.
    """
    if sent == stored:
        return True
    if matching is ExpiryMatching.EXACT or sent[:4] != stored[:4]:
        return False
    one, other = parse_expiry(sent), parse_expiry(stored)
    if one is None or other is None:
        return False
    if matching is ExpiryMatching.YEAR_MONTH:
        return True
    return _OPEN_DAY in (sent[4:], stored[4:]) and one.last_day == other.last_day
