"""Which addresses are called, and when a call is repeated."""

from __future__ import annotations

import pytest

from hub.callback_rules import next_attempt_ms, url_trouble
from hub.config import CallbackConfig

DEFAULTS = CallbackConfig()
MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("url", "trouble"),
    [
        ("http://127.0.0.1:7060/", None),
        ("https://LOCALHOST/emvs?x=1", None),
        ("http://[::1]:7060/", None),
        ("http://example.org/", "not allowed"),
        ("http://127.0.0.1.example.org/", "not allowed"),
        ("http://2130706433/", "not allowed"),
        ("http://0x7f.1/", "not allowed"),
        ("http://169.254.169.254/latest", "not allowed"),
        ("http://127.0.0.1@example.org/", "no login"),
        ("http://me:secret@127.0.0.1/", "no login"),
        ("http://example.org\\@127.0.0.1/", "without blanks"),
        ("http://127.0.0.1/a b", "without blanks"),
        ("http://127.0.0.1/\r\nX: y", "without blanks"),
        ("http://127.0.0.1/ä", "printable ASCII"),
        ("http://127.0.0.1/#x", "fragment"),
        ("http://127.0.0.1:99999/", "no URL"),
        ("http://127.0.0.1:0/", "port 0"),
        ("http://[::1/", "no URL"),
        ("ftp://127.0.0.1/", "http"),
        ("file:///etc/passwd", "http"),
        ("127.0.0.1:7060", "http"),
        ("", "http"),
        ("http://127.0.0.1/" + "a" * 2_000, "characters"),
    ],
)
def test_only_allowed_hosts_are_called(url: str, trouble: str | None) -> None:
    found = url_trouble(url, DEFAULTS.hosts_allowed)
    assert found is None if trouble is None else found is not None and trouble in found


def test_a_setting_opens_other_hosts() -> None:
    assert url_trouble("http://erp.example.org/", ["erp.example.org"]) is None
    assert url_trouble("http://erp.example.org/", ["*"]) is None
    assert url_trouble("http://me@erp.example.org/", ["*"]) is not None
    assert url_trouble("http://[2001:db8::1]/", ["[2001:DB8::1]"]) is None
    assert url_trouble("http://127.0.0.1/", []) is not None


def test_attempts_follow_the_schedule_to_its_end() -> None:
    """1, 5, 15 and 60 minutes, then hourly, the last one a day after the first."""
    at_ms, times = 0, [0]
    for failure_count in range(1, 100):
        next_ms = next_attempt_ms(
            failure_count,
            now_ms=at_ms,
            failing_since_ms=0,
            waits_s=DEFAULTS.retry_waits_s,
            give_up_after_s=DEFAULTS.give_up_after_s,
        )
        if next_ms is None:
            break
        at_ms = next_ms
        times.append(at_ms // MINUTE_MS)
    hourly = list(range(81, 1440, 60))
    assert times == [0, 1, 6, 21, *hourly, 1440]


def test_a_clock_that_jumped_leaves_one_attempt() -> None:
    jumped = 3 * 86_400_000
    kept = {"failing_since_ms": 0, "waits_s": (60.0,), "give_up_after_s": 86_400.0}
    assert next_attempt_ms(2, now_ms=jumped, **kept) is None  # type: ignore[arg-type]
