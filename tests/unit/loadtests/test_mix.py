"""The load model against its published figures: shares, curves, presets, and what arrives."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from loadtests.scenarios import curves
from loadtests.scenarios.arrivals import BULK_MEAN, Arrivals, Errand
from loadtests.scenarios.manufacturer import plan_messages
from loadtests.scenarios.mix import (
    DECOMMISSIONING,
    MIX,
    Fault,
    Operation,
    Role,
    decommission_share,
)
from loadtests.scenarios.packs import MarketPacks, Pack, divide, fresh_packs
from loadtests.scenarios.plan import Maker
from loadtests.scenarios.presets import PRESETS, make_streams
from loadtests.scenarios.recalls import market_of, recall_times, recalled_shards
from loadtests.scenarios.shelves import Market, Mixture, Shelves, damaged
from tests.unit.loadtests.load_plans import PACKS, make_plan


# Published: decommissionings per transaction in Latvia, Poland and Germany; Belgium and the whole
# system as the load model has them.
@pytest.mark.parametrize(
    ("preset", "share"),
    [("latvia", 0.26), ("poland", 0.36), ("germany", 0.39), ("belgium", 1 / 3), ("emvs", 0.343)],
)
def test_the_share_of_decommissionings_is_the_published_one(preset: str, share: float) -> None:
    assert decommission_share(PRESETS[preset].role_shares) == pytest.approx(share, abs=0.012)


@pytest.mark.parametrize(
    ("preset", "peak"),
    [("latvia", 25), ("belgium", 140), ("poland", 530), ("germany", 770), ("emvs", 4_100)],
)
def test_peak_seconds_are_the_published_ones(preset: str, peak: float) -> None:
    assert PRESETS[preset].peak_second == pytest.approx(peak, rel=0.02)


def test_a_day_has_the_transactions_of_its_share_of_the_week() -> None:
    # 65 million a week, 20.5 % of them on Monday, 425/s in its busiest hour.
    monday = curves.total(curves.day(425.0), 86_400)
    assert monday == pytest.approx(65e6 * 0.205, rel=0.03)
    assert curves.total(curves.week(425.0), 7 * 86_400) == pytest.approx(65e6, rel=0.03)


def test_a_compressed_day_keeps_its_rates() -> None:
    day = curves.day(100.0)
    short = curves.compressed(day, 1440.0)
    assert curves.rate_at(short, 10.5) == curves.rate_at(day, 10.5 * 1440)
    assert curves.total(short, 60.0) == pytest.approx(curves.total(day, 86_400) / 1440)


def test_shapes() -> None:
    assert curves.rate_at(curves.ramp(10.0, 20.0, 10.0), 5.0) == 15.0
    assert curves.rate_at(curves.ramp(10.0, 20.0, 10.0), 99.0) == 20.0
    steps = curves.stairs([5.0, 10.0], 2.0)
    assert [curves.rate_at(steps, second) for second in (0.0, 1.9, 2.1, 9.0)] == [5, 5, 10, 10]
    open_at = curves.windows(curves.BULK_HOURS, 6.0, start=0.0, end=24.0)
    rates = [curves.rate_at(open_at, hour * 3600) for hour in (1.0, 3.0, 17.9, 18.1, 23.9)]
    assert rates == [6.0, 0.0, 0.0, 6.0, 6.0]


def test_the_morning_has_deliveries_and_is_compressed() -> None:
    streams = make_streams(PRESETS["morning"], duration_s=240.0)
    at = [curves.rate_at(streams.goods_in, second) for second in (20.0, 60.0, 200.0)]
    assert at == [0.0, 0.5, 0.0]  # 7:20, 8:00 and 10:20.
    assert curves.rate_at(streams.scans, 210.0) == pytest.approx(425.0, rel=0.03)


@pytest.mark.parametrize("role", list(Role))
def test_what_is_drawn_follows_the_table(role: Role) -> None:
    packs = MarketPacks("LV", "09527000000008", "000001", "301231", 1, 40_000)
    market = Market(fresh_packs(packs, index=0, generators=1))
    shelves = Shelves(market, role, site=0, mixture=Mixture(0.0, 0.0, 0.01), rng=random.Random(7))
    counts: Counter[Operation] = Counter()
    manual = 0
    for number in range(20_000):
        job = shelves.next_job()
        assert job is not None
        counts[job.operation] += 1
        manual += job.manual
        shelves.done(job, accepted=True, reference=f"T{number:08}")
    for operation, per_mille in MIX[role].items():
        sigma = (20 * per_mille) ** 0.5 / 20
        assert counts[operation] / 20 == pytest.approx(per_mille, abs=4 * sigma + 0.01)
    assert manual / 20_000 == pytest.approx(0.01, abs=0.004)
    # A pack is verified more than once before it is supplied, and supplied once.
    assert market.taken_count <= 20_000 * (1 - MIX[role][Operation.VERIFY] / 1000) + 100


def test_alerts_are_a_dial_with_the_published_causes() -> None:
    packs = MarketPacks("LV", "09527000000008", "000001", "301231", 1, 40_000)
    market = Market(fresh_packs(packs, index=0, generators=1))
    rng = random.Random(7)
    sites = [
        Shelves(market, Role.PHARMACY, site=site, mixture=Mixture(0.03, 0.0, 0.0), rng=rng)
        for site in range(4)
    ]
    counts: Counter[Fault] = Counter()
    for number in range(30_000):
        shelves = sites[number % 4]
        job = shelves.next_job()
        assert job is not None
        counts[job.fault] += 1
        shelves.done(job, accepted=job.fault is Fault.NONE, reference=f"T{number:08}")
    alerts = 30_000 - counts[Fault.NONE]
    assert alerts / 30_000 == pytest.approx(0.03, abs=0.004)
    for fault, share in (
        (Fault.ALREADY_INACTIVE, 0.34),
        (Fault.SERIAL_UNKNOWN, 0.27),
        (Fault.BATCH_MISMATCH, 0.26),
        (Fault.BATCH_UNKNOWN, 0.11),
    ):
        assert counts[fault] / alerts == pytest.approx(share, abs=0.05)


def test_no_pack_has_two_requests_under_way() -> None:
    packs = MarketPacks("LV", "09527000000008", "000001", "301231", 1, 4_000)
    market = Market(fresh_packs(packs, index=0, generators=1))
    rng = random.Random(3)
    shelves = Shelves(market, Role.PHARMACY, site=0, mixture=Mixture(0.0, 0.0, 0.0), rng=rng)
    under_way: list = []
    for number in range(3_000):
        job = shelves.next_job()
        assert job is not None
        assert job.pack not in [other.pack for other in under_way]
        under_way.append(job)
        if len(under_way) > 10:
            done = under_way.pop(rng.randrange(len(under_way)))
            shelves.done(done, accepted=True, reference=f"T{number}")


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault > Fault.ALREADY_INACTIVE])
def test_a_fault_is_in_the_identifiers(fault: Fault) -> None:
    pack = Pack(1, "ABCDEFGHJKL2", "L000001-0000", "301231")
    wrong = damaged(pack, fault)
    assert wrong != pack
    assert len(wrong.serial) == len(pack.serial)


@pytest.mark.parametrize("generators", [1, 3])
def test_generators_have_packs_of_their_own(generators: int) -> None:
    shards, each = divide(1_000, generators=generators)
    packs = MarketPacks("LV", "09527000000008", "000001", "301231", shards, each)
    shares = [
        list(fresh_packs(packs, index=index, generators=generators)) for index in range(generators)
    ]
    assert {len(share) for share in shares} == {packs.count // generators}
    numbers = [pack.number for share in shares for pack in share]
    assert sorted(numbers) == list(range(packs.count))
    assert len({pack.serial for share in shares for pack in share}) == packs.count
    assert packs.count >= 1_000
    assert shares[0] == list(fresh_packs(packs, index=0, generators=generators))


def test_each_generator_has_packs_that_are_not_recalled() -> None:
    shards, _ = divide(1_000, generators=8, recalled=4)
    assert {shard % 8 for shard in range(shards - 4)} == set(range(8))


def test_more_packs_than_can_be_are_refused() -> None:
    with pytest.raises(ValueError, match="from 1 to"):
        divide(10**9, generators=1)


def test_arrivals_have_the_planned_rate_from_the_first_second() -> None:
    plan = make_plan(rate=400.0, duration_s=200.0, bulk_share=0.5)
    scans: Counter[int] = Counter()
    bulk_packs = bulks = 0
    for index in range(2):
        for role in Role:
            arrivals = Arrivals(plan, role, index=index, generators=2)
            last = 0.0
            while (arrival := arrivals.pop()) is not None:
                assert last <= arrival.at <= plan.duration_s
                last = arrival.at
                if arrival.errand is Errand.BULK:
                    bulks, bulk_packs = bulks + 1, bulk_packs + arrival.packs
                else:
                    scans[int(arrival.at // 10)] += 1
    # Hospitals and wholesalers have a fifth of the traffic, half of which goes in bulk.
    others = 1 - plan.role_shares[Role.PHARMACY]
    assert sum(scans.values()) / 200 == pytest.approx(400 * (1 - others / 2), rel=0.03)
    assert bulk_packs / 200 == pytest.approx(400 * others / 2, rel=0.25)
    assert bulk_packs / bulks == pytest.approx(BULK_MEAN, rel=0.25)
    assert scans[0] / 10 == pytest.approx(400 * (1 - others / 2), rel=0.12)


def test_scans_follow_a_rising_curve() -> None:
    plan = make_plan(duration_s=60.0, scans=[(0.0, 0.0), (60.0, 600.0)])
    scans: Counter[int] = Counter()
    for role in Role:
        arrivals = Arrivals(plan, role, index=0, generators=1)
        while (arrival := arrivals.pop()) is not None:
            scans[int(arrival.at // 10)] += 1
    for ten, rate in enumerate([50, 150, 250, 350, 450, 550]):
        assert scans[ten] / 10 == pytest.approx(rate, rel=0.12, abs=14)


@pytest.mark.parametrize(
    ("curve", "duration_s"), [("day", 20.0), ("week", 60.0), ("morning", 15.0)]
)
def test_scans_follow_a_curve_that_is_much_compressed(curve: str, duration_s: float) -> None:
    preset = replace(PRESETS["germany"], curve=curve)
    streams = make_streams(preset, duration_s=duration_s)
    plan = make_plan(
        duration_s=duration_s, scans=streams.scans, goods_in=streams.goods_in, pace=streams.pace
    )
    counts = [0, 0, 0, 0]
    for role in Role:
        arrivals = Arrivals(plan, role, index=0, generators=1)
        while (arrival := arrivals.pop()) is not None:
            counts[min(3, int(4 * arrival.at / duration_s))] += 1
    quarters = [curves.total(streams.scans, duration_s * part / 4) for part in range(5)]
    for count, (before, after) in zip(counts, pairwise(quarters), strict=True):
        planned = after - before
        # Deliveries of 25 packs make the spread of a Poisson process some five times as wide.
        assert abs(count - planned) < 0.05 * planned + 25 * planned**0.5


def test_a_real_hour_keeps_its_pauses() -> None:
    assert make_streams(replace(PRESETS["germany"], curve="day"), duration_s=86_400).pace == 1.0
    assert make_streams(PRESETS["germany"], duration_s=10).pace == 1.0


@pytest.mark.parametrize("duration_s", [15.0, 300.0])
def test_a_short_upload_peak_has_uploads(duration_s: float) -> None:
    streams = make_streams(PRESETS["upload-peak"], duration_s=duration_s, rate=100.0)
    maker = Maker("http://127.0.0.1:1", "token", "DEMO1", "001", {"LV": PACKS.product_code})
    runs = [
        plan_messages(make_plan(seed=seed, duration_s=duration_s, uploads=streams.uploads), maker)
        for seed in range(10)
    ]
    planned = curves.total(streams.uploads, duration_s)
    assert all(runs)
    serials = [sum(message.serials for message in messages) for messages in runs]
    assert planned / 2 < sum(serials) / len(runs) < planned * 2


@pytest.mark.parametrize("generators", [1, 3])
def test_recalled_batches_are_among_others(generators: int) -> None:
    packs = MarketPacks("LV", "09527000000008", "000001", "301231", 9, 2_000)
    plan = make_plan(recalls=3, recall_share=0.05, packs=[packs])
    batches = {batch for _, _, batch in recall_times(plan)}
    shards = recalled_shards(plan, packs)
    assert batches == {packs.batch_id(shard) for shard in shards}
    assert len(batches) == 3
    drawn: Counter[str] = Counter()
    numbers: set[int] = set()
    for index in range(generators):
        market = market_of(plan, packs, index=index, generators=generators)
        for _ in range(3_000 // generators):
            pack = market.fresh()
            assert pack is not None
            drawn[pack.batch] += 1
            numbers.add(pack.number)
        assert not batches & {pack.batch for pack in market.fresh_run(50)}
    assert len(numbers) == drawn.total(), "each pack once"
    assert 90 < sum(drawn[batch] for batch in batches) < 220


def test_what_decommissions_is_complete() -> None:
    assert {operation for operation in Operation if operation in DECOMMISSIONING} >= {
        Operation.SUPPLY,
        Operation.DESTROY,
        Operation.BULK_SUPPLY,
    }
