"""Lengths of time as people type them."""

from __future__ import annotations

import pytest

from emvs.errors import UsageError
from emvs.infra.launch.durations import parse_duration_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("15m", 900), ("241h", 867_600), ("10d", 864_000), (" 1H ", 3600)],
)
def test_a_length_of_time_is_understood(text: str, seconds: int) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "h", "10", "-1h", "1.5h", "1h30m", "0s", "9" * 6 + "d", "\u0661h", "1" * 40 + "s"],
)
def test_anything_else_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_duration_s(text)
    assert repr(text) in str(refused.value)
