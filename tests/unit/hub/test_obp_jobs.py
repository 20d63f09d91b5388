"""How a batch is split into messages, and when a job counts as done."""

from __future__ import annotations

import random
from typing import Any

import pytest

from emvs.obp_messages import MarketEntry, MarketStatus, RequestStatus
from hub.obp.jobs import Job, JobEnd, JobMessage, message_type_at, split
from hub.obp.retrying import polling_pauses_s, wait_before_repeat_s


@pytest.mark.parametrize(
    ("count", "per_message", "lengths"),
    [
        (0, 3, []),
        (1, 3, [1]),
        (3, 3, [3]),
        (4, 3, [3, 1]),
        (1_000_000, 250_000, [250_000] * 4),
        (250_001, 250_000, [250_000, 1]),
    ],
)
def test_a_batch_is_split_in_order(count: int, per_message: int, lengths: list[int]) -> None:
    parts = list(split(map(str, range(count)), per_message=per_message))
    assert [len(part) for part in parts] == lengths
    assert [one for part in parts for one in part] == [str(number) for number in range(count)]


def test_only_one_message_of_serial_numbers_is_read_at_a_time() -> None:
    read = 0

    def serial_numbers() -> Any:
        nonlocal read
        for number in range(10):
            read += 1
            yield str(number)

    parts = split(serial_numbers(), per_message=4)
    next(parts)
    assert read == 4


@pytest.mark.parametrize(
    ("kind", "types"),
    [("PPDC", ["PPDC", "PPDM", "PPDM"]), ("PPDM", ["PPDM"] * 3), ("PSUDS", ["PSUDS"] * 3)],
)
def test_only_the_first_message_of_an_upload_makes_the_batch(kind: str, types: list[str]) -> None:
    assert [message_type_at(kind, position) for position in range(3)] == types


def status(name: str, entry: MarketEntry, *, defect_count: int = 0) -> RequestStatus:
    return RequestStatus(
        "PPDC", "T", "A", "H", "now", name, "P", 1, "B", 2, [], [], defect_count, [], [entry]
    )


def entry(**changes: Any) -> MarketEntry:
    members = {"market": "IE", "system": "IE", "status": MarketStatus.DISTRIBUTED}
    return MarketEntry(**({**members, "loadedCount": 2} | changes))


GOOD = status("STDS", entry())


@pytest.mark.parametrize(
    ("statuses", "is_done", "alert_count"),
    [
        ([GOOD], True, 0),
        ([], False, 0),
        ([status("STLD", entry())], False, 0),
        ([status("STDF", entry())], False, 0),
        ([status("STDS", entry(status=MarketStatus.REJECTED))], False, 0),
        ([status("STDS", entry(loadedCount=1, refusedCount=1))], False, 0),
        ([status("STDS", entry(), defect_count=1)], False, 0),
        ([status("STDS", entry(outcomes={"VERIFIED": 2}))], True, 0),
        ([status("STDS", entry(outcomes={"VERIFIED": 2, "PACK_EXPIRED": 1}))], False, 0),
        ([status("STDS", entry(outcomes={"VERIFIED": 2, "SERIAL_UNKNOWN": 3}))], False, 3),
        ([status("STDS", entry(outcomes={"VERIFIED": 2, "OF_A_LATER_HUB": 1}))], False, 0),
    ],
)
def test_a_job_is_done_when_every_market_has_everything(
    statuses: list[RequestStatus], is_done: bool, alert_count: int
) -> None:
    end = JobEnd(Job(1, "PPDC", "", "now", [JobMessage("T", "PPDC", 0, 2, 10)]), statuses)
    assert (end.is_done, end.alert_count) == (is_done, alert_count)


def test_a_message_that_was_not_sent_leaves_a_job_undone() -> None:
    messages = [JobMessage("T", "PPDC", 0, 2, 10), JobMessage("U", "PPDM", 1, 2, 10)]
    assert not JobEnd(Job(1, "PPDC", "", "now", messages), [GOOD]).is_done


def test_waits_before_repeats_grow_to_a_limit_and_are_never_below_what_the_hub_asks() -> None:
    rng = random.Random(1)
    waits = [wait_before_repeat_s(count, None, rng) for count in range(1, 40)]
    assert waits[0] <= 0.2
    assert all(0.1 <= wait <= 15 for wait in waits)
    assert max(waits) > 7.5
    assert all(20 <= wait_before_repeat_s(1, 20, rng) <= 20.1 for _ in range(100))
    assert wait_before_repeat_s(1, 10.0**9, rng) <= 600.1
    assert len({wait_before_repeat_s(5, 3, rng) for _ in range(100)}) > 90


def test_pauses_between_questions_grow_to_a_limit() -> None:
    pauses = [pause for pause, _ in zip(polling_pauses_s(2.0), range(30), strict=False)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.05, 2.0)
