"""Whose report is made next."""

from __future__ import annotations

import pytest

from emvs.report_messages import ReportRequest, ReportStatus
from hub.reports.maker import in_turn
from hub.reports.store import ReportRow


def row(number: int, organisation_id: str) -> ReportRow:
    wanted = ReportRequest(f"R{number}")
    status = ReportStatus.WAITING
    return ReportRow(
        number, f"R{number}", organisation_id, b"", wanted, 0, status, None, 0, False, None
    )


@pytest.mark.parametrize(
    ("turns", "wanted"),
    [
        ({}, [1, 5, 9]),
        ({"A": 1}, [5, 9, 1]),
        ({"A": 1, "B": 2}, [9, 1, 5]),
        ({"A": 4, "B": 2, "C": 3}, [5, 9, 1]),
    ],
)
def test_whose_last_turn_was_the_longest_ago_is_next(
    turns: dict[str, int], wanted: list[int]
) -> None:
    waiting = [row(9, "C"), row(1, "A"), row(5, "B")]
    assert [one.number for one in in_turn(waiting, turns)] == wanted
