"""A quarter of a million serial numbers at once: all defects counted, the first named, no stall."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest

from emvs.character_sets import is_set82
from emvs.limits import SERIALS_PER_MESSAGE_MAX
from emvs.obp_messages import Defect
from emvs.scheme import Scheme
from hub.defects import DEFECTS_LISTED_MAX, Code, Defects
from hub.serial_rules import check_serials


def one_by_one(serial_numbers: list[str]) -> list[tuple[str, str, str | None]]:
    """Return path, rule and value of each defect, found in the plainest way."""
    found: list[tuple[str, str, str | None]] = []
    for position, serial_number in enumerate(serial_numbers):
        path = f"serialNumbers[{position}]"
        if not is_set82(serial_number):
            found.append((path, "serial_format", serial_number))
        if serial_number in serial_numbers[:position]:
            found.append((path, "duplicate", serial_number))
    return found


@pytest.mark.parametrize("seed", range(12))
async def test_a_slice_finds_what_one_look_at_each_finds(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(seed)
    monkeypatch.setattr("hub.serial_rules._SLICE_COUNT", draw.choice([1, 2, 7, 64]))
    serial_numbers = [
        "".join(draw.choices("AB#é" if draw.random() < 0.1 else "ABCDE", k=draw.randrange(5)))
        for _ in range(draw.randrange(1, 300))
    ]
    expected = one_by_one(serial_numbers)
    defects = Defects()
    await check_serials(serial_numbers, Scheme.GTIN, defects)
    assert [(found.field, found.rule, found.value) for found in defects.listed] == expected
    assert defects.count == len(expected)
    for found in defects.listed:
        if found.rule == "duplicate":
            first = serial_numbers.index(found.value or "")
            assert found.text.endswith(f"serialNumbers[{first}]")


async def test_defects_beyond_the_first_come_in_pages_and_beyond_the_room_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hub.defects.DEFECTS_KEPT_MAX", 2_500)
    defects = Defects()
    defects.add(Code.A16, "batchId", None, "absent", "batchId is absent")
    serial_numbers = ["#"] * 2_000 + [f"#{number}" for number in range(20_000)]
    await check_serials(serial_numbers, Scheme.PPN, defects)
    assert len(defects.listed) == DEFECTS_LISTED_MAX
    assert defects.count == 1 + 22_000 + 1_999
    pages = [msgspec.json.decode(page, type=list[Defect]) for page in defects.further_pages()]
    assert [len(page) for page in pages] == [1_000, 500]
    assert [page[0].field for page in pages] == ["serialNumbers[500]", "serialNumbers[1000]"]


@pytest.mark.parametrize("text", ["#{}", "{}"])
async def test_the_event_loop_runs_while_a_full_message_is_looked_at(text: str) -> None:
    serial_numbers = [text.format(number) for number in range(SERIALS_PER_MESSAGE_MAX)]
    ended = False
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while not ended:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    defects = Defects()
    await check_serials(serial_numbers, Scheme.GTIN, defects)
    ended = True
    await counting
    assert defects.count == (SERIALS_PER_MESSAGE_MAX if text != "{}" else 0)
    assert turns > 20
