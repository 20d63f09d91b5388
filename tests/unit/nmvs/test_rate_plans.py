"""A rate plan's bucket: what passes, and how long the rest waits."""

from __future__ import annotations

import msgspec
import pytest

from nmvs.rate_plans import RatePlan, TokenBucket

NOW_MS = 1_900_000_000_000


def test_a_burst_passes_and_then_one_request_for_each_interval() -> None:
    bucket = TokenBucket(RatePlan(requests_per_s=2, burst=3))
    assert [bucket.take(NOW_MS) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(NOW_MS) == pytest.approx(0.5)
    assert bucket.take(NOW_MS + 499) > 0
    assert bucket.take(NOW_MS + 500) == 0
    assert bucket.take(NOW_MS + 500) == pytest.approx(0.5)


def test_a_refused_request_costs_nothing() -> None:
    bucket = TokenBucket(RatePlan(requests_per_s=1, burst=1))
    assert bucket.take(NOW_MS) == 0
    for after_ms in range(0, 1_000, 10):
        assert bucket.take(NOW_MS + after_ms) == pytest.approx(1 - after_ms / 1000)
    assert bucket.take(NOW_MS + 1_000) == 0


def test_what_is_not_used_is_kept_up_to_the_burst() -> None:
    bucket = TokenBucket(RatePlan(requests_per_s=100, burst=2))
    bucket.take(NOW_MS)
    later = NOW_MS + 86_400_000
    assert [bucket.take(later) > 0 for _ in range(3)] == [False, False, True]


def test_a_clock_that_goes_back_fills_nothing() -> None:
    bucket = TokenBucket(RatePlan(requests_per_s=1, burst=1))
    assert bucket.take(NOW_MS) == 0
    assert bucket.take(NOW_MS - 60_000) == pytest.approx(1)
    assert bucket.take(NOW_MS - 59_000) == 0


@pytest.mark.parametrize("requests_per_s", [0, -1, 1e-300, 1e-7, 2_000_000])
def test_a_plan_whose_next_request_has_no_date_is_none(requests_per_s: float) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"requests_per_s": requests_per_s, "burst": 1}, RatePlan)
