"""The pack index against a plain dict, at its limits, and under keys that nobody should meet."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nmvs.pack_index import (
    SLICE_COUNT_MAX,
    PackAlreadyIndexedError,
    PackIndex,
    PackIndexFullError,
    PackRow,
)

PACKS_MAX = 300
BYTES_PER_PACK_MAX = 40


def random_keys(count: int, seed: int = 1) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    return np.random.default_rng(seed).integers(0, 2**64, (count, 2), dtype=np.uint64)


def key_of(hashed: int, tag: int, rest: int) -> bytes:
    """A key with chosen hash (30 bits) and tag (5 bits), as no caller without the secret has."""
    word = (hashed << 34) | (tag << 27)
    return word.to_bytes(8, sys.byteorder) + rest.to_bytes(8, sys.byteorder)


# Few hashes, many of them next to one another or at an end: runs, ties and spills all the time.
HASHES = st.one_of(
    st.sampled_from([0, 1, 2**29, 2**30 - 1]), st.integers(0, 2**30 - 1), st.integers(0, 40)
)
KEYS = st.builds(key_of, HASHES, st.sampled_from([0, 1, 31]), st.integers(0, 2))
ROWS = st.builds(
    PackRow,
    state=st.integers(0, 254),
    set_by=st.integers(0, 2**32 - 1),
    set_at_s=st.integers(0, 2**32 - 1),
    repeat_count=st.integers(0, 255),
    version=st.integers(0, 2**16 - 1),
    batch_number=st.integers(0, 2**32 - 1),
)


class IndexAgainstDict(RuleBasedStateMachine):
    """Whatever is done, the index knows what a dict would."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[bytes, PackRow] = {}

    @initialize(slots_min=st.integers(1, 8), move_slots_min=st.integers(1, 8))
    def make(self, slots_min: int, move_slots_min: int) -> None:
        self.index = PackIndex(PACKS_MAX, slots_min=slots_min, move_slots_min=move_slots_min)

    @rule(key=KEYS, pack=ROWS)
    def insert(self, key: bytes, pack: PackRow) -> None:
        fields = pack._asdict()
        if key in self.model:
            with pytest.raises(PackAlreadyIndexedError) as raised:
                self.index.insert(key, **fields)
            assert raised.value.row == self.index.find(key)
        elif len(self.model) == PACKS_MAX:
            with pytest.raises(PackIndexFullError):
                self.index.insert(key, **fields)
        else:
            row = self.index.insert(key, **fields)
            assert row == self.index.find(key)
            self.model[key] = pack

    @rule(packs=st.lists(st.tuples(KEYS, ROWS), max_size=60), seed=st.integers(0, 2**32 - 1))
    def insert_many(self, packs: list[tuple[bytes, PackRow]], seed: int) -> None:
        # Hypothesis gives the awkward keys, the generator enough of them to make the table grow.
        filler = PackRow(1, 2, 3, 4, 5, 6)
        packs = packs + [(key.tobytes(), filler) for key in random_keys(len(packs), seed)]
        keys = b"".join(key for key, _ in packs)
        columns = np.array([pack for _, pack in packs], np.int64).reshape(-1, 6).T
        states, set_by, set_at_s, repeat_counts, versions, batch_numbers = columns
        expected, added = [], dict[bytes, PackRow]()
        for key, pack in packs:
            expected.append(key not in self.model and key not in added)
            if expected[-1]:
                added[key] = pack

        def insert() -> list[bool]:
            mask: list[bool] = self.index.insert_many(
                keys,
                batch_numbers,
                states=states,
                set_by=set_by,
                set_at_s=set_at_s,
                repeat_counts=repeat_counts,
                versions=versions,
            ).tolist()
            return mask

        if len(self.model) + len(added) > PACKS_MAX:
            with pytest.raises(PackIndexFullError):
                insert()
        else:
            assert insert() == expected
            self.model.update(added)

    @rule(data=st.data(), pack=ROWS)
    def set(self, data: st.DataObject, pack: PackRow) -> None:
        if not self.model:
            return
        key = data.draw(st.sampled_from(sorted(self.model)))
        row = self.index.find(key)
        status = pack._asdict()
        del status["batch_number"]
        self.index.set(row, **status)
        self.model[key] = pack._replace(batch_number=self.model[key].batch_number)

    @rule(data=st.data(), unknown=st.lists(KEYS, max_size=5))
    def remove_many(self, data: st.DataObject, unknown: list[bytes]) -> None:
        known = sorted(self.model)
        chosen = data.draw(st.lists(st.sampled_from(known), max_size=80)) if known else []
        gone = {key for key in chosen + unknown if key in self.model}
        assert self.index.remove_many(b"".join(chosen + unknown)) == len(gone)
        for key in gone:
            del self.model[key]

    @rule(packs=st.integers(0, 2 * PACKS_MAX))
    def reserve(self, packs: int) -> None:
        self.index.reserve(packs)

    @rule()
    def clear(self) -> None:
        self.index.clear()
        self.model.clear()

    @rule(key=KEYS)
    def find(self, key: bytes) -> None:
        assert (self.index.find(key) >= 0) == (key in self.model)

    @invariant()
    def knows_what_the_dict_knows(self) -> None:
        if not hasattr(self, "index"):
            return
        assert len(self.index) == len(self.model)
        rows = self.index.find_many(b"".join(self.model))
        for (key, pack), row in zip(self.model.items(), rows.tolist(), strict=True):
            assert self.index.find(key) == row
            assert self.index.key_of(row) == key
            assert self.index.get(row) == pack
        columns = self.index.rows(0, self.index.rows_stop)
        assert sorted(columns.rows.tolist()) == sorted(rows.tolist())


TestIndexAgainstDict = IndexAgainstDict.TestCase
TestIndexAgainstDict.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_single_and_bulk_insertion_give_the_same_index() -> None:
    keys = random_keys(3_000)
    keys[1_000:1_100] = keys[500:600]
    single, bulk = PackIndex(10_000, slots_min=8), PackIndex(10_000, slots_min=8)
    inserted = []
    for number, key in enumerate(keys):
        try:
            single.insert(key.tobytes(), number, state=number % 7)
            inserted.append(True)
        except PackAlreadyIndexedError:
            inserted.append(False)
    mask = bulk.insert_many(keys, np.arange(3_000), states=np.arange(3_000) % 7)
    assert mask.tolist() == inserted
    ours, theirs = single.rows(0, 3_000), bulk.rows(0, 3_000)
    assert len(ours.rows) == 2_900
    for name in ours._fields:
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name


@pytest.mark.parametrize("hashed", [0, 2**30 - 1])
def test_keys_that_all_share_one_home_are_all_kept(hashed: int) -> None:
    # Nobody can aim them without the secret; if it ever leaked, it must stay merely slow.
    keys = b"".join(key_of(hashed, 3, number) for number in range(600))
    index = PackIndex(700, slots_min=8, move_slots_min=4)
    for start in range(0, 600, 30):
        part = keys[start * 16 : (start + 30) * 16]
        assert index.insert_many(part, 1).all()
    assert index.find_many(keys).tolist() == list(range(600))
    assert [index.find(keys[at : at + 16]) for at in range(0, 9_600, 16)] == list(range(600))
    assert index.find(key_of(hashed, 3, 600)) == -1
    assert index.remove_many(keys) == 600
    assert (index.find_many(keys) == -1).all()


def test_of_equal_keys_in_one_call_the_first_is_inserted() -> None:
    index = PackIndex(100)
    keys = key_of(5, 1, 1) + key_of(5, 1, 2) + key_of(5, 1, 1)
    assert index.insert_many(keys, np.array([10, 20, 30])).tolist() == [True, True, False]
    assert index.get(index.find(key_of(5, 1, 1))).batch_number == 10
    assert index.rows_stop == 2


def test_the_same_packs_again_take_no_memory() -> None:
    index = PackIndex()
    keys = random_keys(5_000)
    index.insert_many(keys, 1, states=3)
    # The slots may be made ready for a call's packs before it is known that none is new.
    assert not index.insert_many(keys, 2, states=4).any()
    before = index.memory_bytes()
    for _ in range(5):
        assert not index.insert_many(keys, 2, states=4).any()
    assert (index.rows_stop, index.memory_bytes()) == (5_000, before)
    assert index.get(4_999)[0::5] == (3, 1)


def test_a_full_index_says_so_and_changes_nothing() -> None:
    index = PackIndex(100)
    keys = random_keys(101)
    index.insert_many(keys[:90], 1)
    with pytest.raises(PackIndexFullError, match="100 packs at most"):
        index.insert_many(keys, 1)
    assert len(index) == 90
    # With known and repeated packs among them, what is new fits exactly.
    mask = index.insert_many(np.concatenate([keys[:100], keys[:100]]), 1)
    assert np.flatnonzero(mask).tolist() == list(range(90, 100))
    with pytest.raises(PackIndexFullError):
        index.insert(keys[100].tobytes(), 1)
    assert index.find(keys[100].tobytes()) == -1


def test_numbers_that_do_not_fit_change_nothing() -> None:
    index = PackIndex(100)
    key = random_keys(1)
    with pytest.raises(OverflowError):
        index.insert(key.tobytes(), 2**32)
    with pytest.raises(OverflowError):
        index.insert_many(key, 1, versions=2**16)
    with pytest.raises(ValueError, match="could not be broadcast"):
        index.insert_many(key, np.array([1, 2]))
    assert (len(index), index.rows_stop, index.find(key.tobytes())) == (0, 0, -1)


@pytest.mark.parametrize("row", [-1, 1])
def test_a_row_beyond_all_rows_is_refused(row: int) -> None:
    index = PackIndex(100)
    index.insert(bytes(16), 1)
    for use in (index.get, index.key_of, lambda row: index.set(row, 0, 0, 0, 0, 0)):
        with pytest.raises(IndexError):
            use(row)


def test_hashes_on_the_border_of_two_homes_are_found_at_every_stage_of_growth() -> None:
    index = PackIndex(PACKS_MAX, slots_min=7, move_slots_min=1)
    keys: list[bytes] = []
    for capacity in (7, 9, 12, 16, 21, 27, 34, 43):
        for home in range(1, capacity):
            # The highest hash whose home is the one before: division must not round it away.
            key = key_of((home * 2**30 - 1) // capacity, 0, len(keys))
            index.insert(key, 1)
            keys.append(key)
            assert [index.find(key) for key in keys] == list(range(len(keys)))
            assert index.find_many(b"".join(keys)).tolist() == list(range(len(keys)))


def test_rows_are_used_again_even_after_a_call_that_needed_few_of_them() -> None:
    index = PackIndex(1_000)
    keys = random_keys(100)
    index.insert_many(keys, 1)
    index.remove_many(keys[10:40])
    new = random_keys(5, seed=2)
    # Fifty rows are allocated, thirty of them removed ones; only five are needed.
    assert index.insert_many(np.concatenate([keys[50:95], new]), 2).sum() == 5
    assert (len(index), index.rows_stop) == (75, 100)
    assert index.insert_many(random_keys(25, seed=3), 3).all()
    assert (len(index), index.rows_stop) == (100, 100)
    assert (index.find_many(np.concatenate([keys[:10], keys[40:], new])) >= 0).all()
    assert len(set(index.rows(0, 100).keys[:, 0].tolist())) == 100


def test_packs_keep_their_rows_when_others_go_and_come() -> None:
    index = PackIndex(1_000, slots_min=8)
    keys = random_keys(200)
    index.insert_many(keys, np.arange(200))
    index.remove_many(keys[50:100])
    assert index.find_many(keys[100:]).tolist() == list(range(100, 200))
    assert index.rows(40, 110).batch_numbers.tolist() == [*range(40, 50), *range(100, 110)]
    index.insert_many(random_keys(60, seed=2), 7)
    assert index.rows_stop == 210
    assert index.find_many(keys[100:]).tolist() == list(range(100, 200))


@pytest.mark.parametrize("packs_max", [0, 2**27])
def test_an_impossible_size_is_refused(packs_max: int) -> None:
    with pytest.raises(ValueError, match="packs_max"):
        PackIndex(packs_max)


def test_a_million_packs_fit_in_forty_bytes_each_without_a_long_pause() -> None:
    keys = random_keys(2_000_000)
    index = PackIndex()
    longest_s = 0.0
    for start in range(0, len(keys), SLICE_COUNT_MAX):
        begun_s = time.process_time()
        assert index.insert_many(keys[start : start + SLICE_COUNT_MAX], 1).all()
        longest_s = max(longest_s, time.process_time() - begun_s)
        if len(index) >= 1_000_000:
            assert index.memory_bytes() <= BYTES_PER_PACK_MAX * len(index)
    # Processor time, ten times what it takes, as the machine may be busy with other things.
    assert longest_s < 0.2
    assert (index.find_many(keys[-SLICE_COUNT_MAX:]) == np.arange(2_000_000)[-8_192:]).all()
    assert (index.find_many(random_keys(8_192, seed=2)) == -1).all()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
def test_the_memory_reported_is_the_memory_used_and_given_back() -> None:
    def resident_bytes() -> int:
        fields = dict(
            line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines()
        )
        return int(fields["RssAnon"].split()[0]) * 1024

    keys = random_keys(500_000)
    index = PackIndex()
    before = resident_bytes()
    for start in range(0, len(keys), SLICE_COUNT_MAX):
        index.insert_many(keys[start : start + SLICE_COUNT_MAX], 1)
    used = resident_bytes() - before
    # The allocator keeps some megabytes of numpy's intermediate arrays.
    assert used == pytest.approx(index.memory_bytes(), abs=6_000_000)
    index.clear()
    assert resident_bytes() - before < 6_000_000
    assert (len(index), index.find(keys[0].tobytes())) == (0, -1)
