"""Items, slices, groups, turns and pauses of bulk requests, without a database."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from emvs.alerts import Alert
from emvs.outcomes import Outcome
from emvs.roles import Role
from emvs.scanner_hints import Hint
from emvs.scheme import Scheme
from emvs.states import Operation, State
from nmvs.bulk.fair_queue import FairQueue, Progress
from nmvs.bulk.jobs import (
    SLICE_COUNT_MAX,
    Item,
    Job,
    Slices,
    encode_answers,
    in_groups,
    request_of,
    transaction_id_of,
    worked_items,
)
from nmvs.bulk.pacing import Pacer
from nmvs.catalogue import Catalogue, Product
from nmvs.participants import Participant
from nmvs.requests import Answer, PackRequest

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PLACE = Participant(1, Role.PHARMACY, "P", "p-1", "O", frozenset(), "IE")


def job(
    organisation: str = "O", location: int = 1, item_count: int = 1_200, number: int = 1
) -> Job:
    slice_count = -(-item_count // SLICE_COUNT_MAX)
    return Job(
        UUID(int=number << 64),
        "rest-bulk",
        location,
        organisation,
        Operation.SUPPLY,
        item_count,
        slice_count,
        {},
        NOW,
        NOW,
    )


def request(serial_number: str) -> PackRequest:
    return PackRequest(
        Operation.VERIFY, PLACE, Scheme.GTIN, "09506000134376", serial_number, None, None
    )


@given(st.lists(st.sampled_from("ABCDEFG"), max_size=60), st.integers(1, 8))
def test_groups_keep_the_order_and_name_no_pack_twice(serials: list[str], count_max: int) -> None:
    numbered = list(enumerate(map(request, serials)))
    groups = list(in_groups(numbered, count_max))
    assert [each for group in groups for each in group] == numbered
    for group in groups:
        named = Counter(each.serial_number for _, each in group)
        assert 0 < len(group) <= count_max
        assert set(named.values()) == {1}


def test_an_item_has_the_same_transaction_id_whenever_it_is_asked() -> None:
    for job_id in (UUID(int=7), UUID(int=(1 << 128) - 1), UUID(int=(5 << 64) + (1 << 32) - 2)):
        ids = [transaction_id_of(job_id, position) for position in range(1_000)]
        assert ids == [transaction_id_of(job_id, position) for position in range(1_000)]
        assert len({*ids, job_id.hex}) == 1_001
        assert {len(each) for each in ids} == {32}


def test_a_request_names_job_item_and_interface() -> None:
    item = Item(product_code="1", serial_number="A", client_transaction_id="MINE")
    made = request_of(job(), 3, item, PLACE, local_only=True)
    assert made.operation is Operation.SUPPLY
    assert (made.dialect, made.client_transaction_id) == ("rest-bulk", "MINE")
    assert made.transaction_id == transaction_id_of(job().job_id, 3)
    assert made.local_only
    own = request_of(job(), 3, Item(operation=Operation.LOCK), PLACE, local_only=False)
    assert (own.operation, own.local_only) == (Operation.LOCK, False)


def test_stored_answers_come_back_whole() -> None:
    catalogue = Catalogue(ZoneInfo("Europe/Dublin"))
    product = catalogue.put_product(Product(Scheme.GTIN, "C", 1, "Name", "name", None))
    batch = catalogue.put_batch(product, "B", number=1, expiry="301231", product_version=1)
    made = job(item_count=4)
    items = Slices()
    for number in range(4):
        defect = "61020011" if number == 1 else ""
        items.add(Item(product_code="C", serial_number=f"S{number}", defect=defect))
    answers = [
        Answer(
            Outcome.DECOMMISSIONED,
            transaction_id_of(made.job_id, 0),
            1_900_000_000_123,
            State.SUPPLIED,
            State.EXPIRED,
            True,
            1_900_864_000,
            None,
            product,
            batch,
        ),
        None,
        Answer(
            Outcome.SERIAL_UNKNOWN,
            transaction_id_of(made.job_id, 2),
            1,
            alert=Alert("IE-1", "A3"),
            product=product,
            hint=Hint.LENGTH,
        ),
        Answer(
            Outcome.VERIFIED, transaction_id_of(made.job_id, 3), 2, State.ACTIVE, intermarket=True
        ),
    ]
    (stored,) = items.finish()
    worked = worked_items(made, 0, stored, encode_answers(answers), catalogue)
    assert [each.answer for each in worked] == answers
    assert [each.position for each in worked] == [0, 1, 2, 3]


def test_slices_are_cut_at_their_size() -> None:
    items = Slices()
    for _ in range(SLICE_COUNT_MAX * 2 + 1):
        items.add(Item())
    assert len(items.finish()) == 3
    assert items.item_count == SLICE_COUNT_MAX * 2 + 1


def test_organisations_take_turns_and_jobs_of_one_place_follow_one_another() -> None:
    queue = FairQueue()
    large = [Progress(job("Large", 1, number=1)), Progress(job("Large", 1, number=2))]
    elsewhere = Progress(job("Large", 2, number=3))
    small = Progress(job("Small", 3, number=4))
    for progress in (*large, elsewhere, small):
        queue.add(progress)
    assert queue.items_until(large[1]) == 2_400 * 2 * 2
    turns = [queue.take_turn() for _ in range(6)]
    assert turns == [large[0], small, elsewhere, small, large[0], small]
    queue.remove(small)
    queue.remove(large[0])
    assert [queue.take_turn() for _ in range(2)] == [elsewhere, large[1]]
    queue.remove(elsewhere)
    queue.remove(large[1])
    assert not queue


async def test_work_pauses_in_proportion_only_while_single_requests_come() -> None:
    singles = 0
    pacer = Pacer(lambda: singles, busy_share=0.25)

    async def paused_s() -> float:
        pacer.start()
        await asyncio.sleep(0.01)
        started_s = time.monotonic()
        await pacer.rest()
        return time.monotonic() - started_s

    assert min([await paused_s() for _ in range(3)]) < 0.01
    singles += 1
    assert await paused_s() >= 0.03
    assert await paused_s() >= 0.03  # They may well come again.
