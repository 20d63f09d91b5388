"""Judging a run: limits row by row, audit trails against samples, the search for the capacity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emvs.errors import UsageError
from loadtests.run.audit_check import Entry, compare
from loadtests.run.capacity import Step, answer, next_rate
from loadtests.run.cli import app
from loadtests.run.measured import groups_of, lateness_of, series_of, span_of
from loadtests.run.options import make_options, neighbour_of, packs_needed, systems_wanted
from loadtests.run.results import evaluate
from loadtests.run.server_side import quantile, server_times
from loadtests.run.verdict import LIMITS, Row, find_bottleneck, judge, read_limits, rows_to_print
from loadtests.run.watching import read_histograms
from loadtests.scenarios.mix import Fault, Operation
from loadtests.scenarios.samples import Flag, Sample, Verdict, from_samples
from tests.unit.loadtests.load_plans import PACKS, make_plan, sample

GOOD = [sample(pack=number, planned=number / 100) for number in range(100)]
DONE, UNDONE = "DECOMMISSIONED", "REACTIVATED"
SERIALS = {serial: number for number, serial in enumerate(PACKS.serials(0))}
SERIAL_OF = {number: serial for serial, number in SERIALS.items()}


def rows_of(samples: list[Sample], limits: dict[str, float] = LIMITS) -> dict[str, Row]:
    plan = make_plan()
    found = groups_of(from_samples(samples), plan)
    return {row.name: row for row in judge(found, [], planned=len(samples), limits=limits)}


def slow(count: int, *, late: float = 0.0, took: float = 0.010) -> list[Sample]:
    return [*(one._replace(late=late, took=took) for one in GOOD[:count]), *GOOD[count:]]


def errors(count: int) -> list[Sample]:
    return [*(one._replace(verdict=Verdict.ERROR) for one in GOOD[:count]), *GOOD[count:]]


# Each row mends one fault of the row above it.
@pytest.mark.parametrize(
    ("samples", "limits", "broken"),
    [
        (slow(6, took=0.301), LIMITS, {"p95_ms"}),
        (slow(5, took=0.301), LIMITS, set()),  # 95 of 100 are enough.
        (slow(6, late=0.200, took=0.101), LIMITS, {"p95_ms"}),  # Waiting to be sent counts.
        (slow(6, late=0.200, took=0.101), LIMITS | {"p95_ms": 310.0}, set()),
        ([*GOOD, sample(verdict=Verdict.ERROR)], LIMITS, {"error_share"}),
        ([*GOOD, sample(verdict=Verdict.ERROR)], LIMITS | {"error_share": 0.01}, set()),
        # Quickly refused is not quickly answered.
        (errors(6), LIMITS | {"error_share": 0.1}, {"p95_ms"}),
        (errors(5), LIMITS | {"error_share": 0.1}, set()),
        ([*GOOD, sample(verdict=Verdict.UNEXPECTED)], LIMITS, {"unexpected_share"}),
        ([*GOOD, sample(verdict=Verdict.UNEXPECTED)], LIMITS | {"unexpected_share": 0.01}, set()),
    ],
)
def test_a_limit_is_kept_or_broken(
    samples: list[Sample], limits: dict[str, float], broken: set[str]
) -> None:
    rows = rows_of(samples, limits)
    assert {name for name, row in rows.items() if not row.kept} == broken


@pytest.mark.parametrize(("slow_count", "kept"), [(1, True), (2, False)])
def test_an_operation_that_is_rare_may_have_one_outlier(slow_count: int, kept: bool) -> None:
    rows = rows_of(slow(slow_count, took=0.4)[:7])
    assert rows["p95_ms"].kept is kept


def test_a_single_request_is_judged_by_itself() -> None:
    assert not rows_of(slow(1, took=0.4)[:1])["p95_ms"].kept


@pytest.mark.parametrize(
    ("over", "model", "kept"),
    [
        ((True, True), "open", True),
        ((True, False), "open", False),
        ((True, False), "closed", True),  # Tills have no share that was planned.
    ],
)
def test_a_generator_that_died_has_not_sent_its_share(
    tmp_path: Path, over: tuple[bool, ...], model: str, kept: bool
) -> None:
    notes = [
        {
            "index": index, "at": 1.0, "cpu": 0.1, "busy": 0, "due": 0, "unsent": 0, "empty": [],
            "started_at": 0.0, "generators": 2, "over": is_over,
        }
        for index, is_over in enumerate(over)
    ]  # fmt: skip
    lines = "".join(json.dumps(note) + "\n" for note in notes)
    (tmp_path / "generator.jsonl").write_text(lines)
    plan = make_plan(
        rate=20.0, model=model
    )  # 200 in ten seconds; half of it came from the one that lived.
    found = evaluate(plan, from_samples(GOOD), tmp_path, audits=[], audit_note="", limits=LIMITS)
    row = next(row for row in found.rows if row.name == "sent_share")
    assert row.kept is kept
    assert row.value == (1.0 if kept else 0.5)


def test_a_run_that_was_stopped_is_as_long_as_it_was() -> None:
    rows = from_samples([*GOOD, sample(planned=4.0, verdict=Verdict.UNKNOWN, code=b"stopped")])
    assert span_of(rows, make_plan(), is_stopped=False) == 10.0
    assert span_of(rows, make_plan(), is_stopped=True) == pytest.approx(4.0, abs=0.01)


def test_a_run_that_sent_too_little_is_not_good() -> None:
    groups = groups_of(from_samples(GOOD), make_plan())
    rows = judge(groups, [], planned=102, limits=LIMITS)
    assert [row.name for row in rows if not row.kept] == ["sent_share"]


def test_each_operation_of_each_market_is_judged_and_bulk_is_not() -> None:
    samples = [*GOOD, sample(operation=Operation.VERIFY), sample(operation=Operation.BULK_RESULT)]
    rows = judge(groups_of(from_samples(samples), make_plan()), [], planned=1, limits=LIMITS)
    assert [row.subject for row in rows if row.name == "p95_ms"] == [
        "LV SOAP verify",
        "LV SOAP supply",
    ]


def supplied(*numbers: int, **changes: Any) -> list[Sample]:
    return [sample(pack=number, **changes) for number in numbers]


def undone(number: int) -> Sample:
    return sample(pack=number, operation=Operation.UNDO)


AGAIN = {"flags": Flag.REPEAT, "verdict": Verdict.UNEXPECTED}
ELSEWHERE = {"fault": Fault.ALREADY_INACTIVE, "verdict": Verdict.UNEXPECTED}


# What clients were told, what the trail holds: lost, doubled, unasked, done without an answer.
@pytest.mark.parametrize(
    ("samples", "trail", "found"),
    [
        (supplied(0, 1), [(0, DONE)], (1, 0, 0, 0)),
        (supplied(0, 1), [(0, DONE), (1, DONE)], (0, 0, 0, 0)),
        (supplied(0), [(0, DONE), (0, DONE)], (0, 1, 1, 0)),
        # Told as refused and done all the same: that no answer came is no excuse here.
        (supplied(0, verdict=Verdict.UNEXPECTED, code=b"NC_PCK_22"), [(0, DONE)], (0, 0, 1, 0)),
        (supplied(0, verdict=Verdict.UNEXPECTED, code=b"11220200"), [(0, DONE)], (0, 0, 1, 0)),
        # Told twice as done, recorded once: a second scan that should have been refused.
        ([*supplied(0), *supplied(0, **AGAIN)], [(0, DONE)], (1, 1, 0, 0)),
        ([*supplied(0), *supplied(0, **ELSEWHERE)], [(0, DONE)], (1, 1, 0, 0)),
        ([*supplied(0), *supplied(0, **ELSEWHERE)], [(0, DONE), (0, DONE)], (0, 2, 0, 0)),
        ([*supplied(0), *supplied(0, **(AGAIN | {"code": b"11220200"}))], [(0, DONE)], (0,) * 4),
        # Told and recorded as another operation.
        ([sample(operation=Operation.DESTROY)], [(0, DONE)], (1, 0, 1, 0)),
        ([*supplied(0), undone(0)], [(0, UNDONE), (0, DONE)], (0, 1, 0, 0)),
        (supplied(0, 0), [(0, DONE), (0, DONE)], (0, 2, 0, 0)),
        (
            [*supplied(0), undone(0), *supplied(0)],
            [(0, DONE), (0, UNDONE), (0, DONE)],
            (0, 0, 0, 0),
        ),
        ([*supplied(0), undone(0)], [(0, DONE)], (1, 0, 0, 0)),
        (supplied(0, verdict=Verdict.ERROR, code=b"timeout"), [(0, DONE)], (0, 0, 0, 1)),
        (supplied(0, verdict=Verdict.ERROR, code=b"timeout"), [], (0, 0, 0, 0)),
        # Under way when the run was stopped.
        (supplied(0, verdict=Verdict.UNKNOWN, code=b"stopped"), [(0, DONE)], (0, 0, 0, 1)),
        (supplied(0, verdict=Verdict.UNKNOWN, code=b"stopped"), [], (0, 0, 0, 0)),
        ([], [(0, DONE)], (0, 0, 1, 0)),
        (supplied(0, fault=Fault.ALREADY_INACTIVE, code=b"NC_PCK_22"), [], (0, 0, 0, 0)),
        ([*supplied(0), *supplied(0, flags=Flag.REPEAT, code=b"NC_PCK_23")], [(0, DONE)], (0,) * 4),
        (supplied(0, flags=Flag.RECALLED, code=b"NC_PCK_22"), [], (0, 0, 0, 0)),
        ([*supplied(0), undone(0)._replace(code=b"NC_PCK_29")], [(0, DONE)], (0, 0, 0, 0)),
        ([sample(operation=Operation.BULK_SUPPLY, packs=3)], [(0, DONE)], (0, 0, 0, 1)),
        (
            [
                sample(operation=Operation.BULK_SUPPLY, packs=3),
                sample(operation=Operation.BULK_RESULT, packs=3),
            ],
            [(0, DONE), (1, DONE)],
            (1, 0, 0, 0),
        ),
    ],
)
def test_samples_are_held_against_the_trail(
    samples: list[Sample], trail: list[tuple[int, str]], found: tuple[int, ...]
) -> None:
    entries = [Entry(SERIAL_OF[number], "SUPPLY", outcome) for number, outcome in trail]
    result = compare("LV", from_samples(samples), entries, SERIALS)
    assert (result.lost, result.doubled, result.unasked, result.unanswered_done) == found


def test_the_generator_gives_itself_away() -> None:
    on_time = lateness_of(from_samples(GOOD))
    assert not find_bottleneck(on_time, [0.5], unsent=0, empty=[]).sentences
    assert find_bottleneck(on_time, [0.99], unsent=0, empty=[]).is_generator
    late = [one._replace(late=0.2) for one in GOOD]
    assert find_bottleneck(lateness_of(from_samples(late)), [0.5], unsent=0, empty=[]).is_generator
    # No lane was free: that is the server's slowness, or too few lanes, and is said.
    no_lane = [one._replace(late=0.2, flags=0) for one in GOOD]
    told = find_bottleneck(lateness_of(from_samples(no_lane)), [0.5], unsent=3, empty=[])
    assert not told.is_generator
    assert [sentence.split()[0] for sentence in told.sentences] == ["no", "3"]


def test_figures_over_time_are_by_the_planned_moment() -> None:
    rows = from_samples([*GOOD, sample(planned=5.2, late=0.5, took=0.5)])
    series = series_of(rows, make_plan())
    assert series.slot_s == 0.5
    assert series.rate[:3] == [100.0, 100.0, 0.0]
    assert series.planned["p95"][2] is None
    assert series.planned["p95"][10] == pytest.approx(1000.0)


def test_limits_come_from_a_file_and_from_options(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text("[limits]\np95_ms = 200\nerror_share = 0.5\n")
    limits = read_limits(file, {"error_share": 0.25, "p95_ms": None})
    assert (limits["p95_ms"], limits["error_share"], limits["lost"]) == (200.0, 0.25, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "[limits]\np95 = 1\n",
        "[limits]\nlost = 'x'\n",
        "limits = 3\n",
        "nonsense",
        "p95_ms = 200\n",
        "[limit]\np95_ms = 200\n",
        "p95_ms = 200\n[limits]\n",
    ],
)
def test_wrong_limits_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"limits\.toml"):
        read_limits(file, {})


@pytest.mark.parametrize(
    ("preset", "changes", "words"),
    [
        ("atlantis", {}, "no preset"),
        ("latvia", {"rate": 0.0}, "--rate"),
        ("latvia", {"alerts": 3.0}, "3 % is 0.03"),
        ("latvia", {"duration": "soon"}, "like 30s, 5m or 1h"),
        ("latvia", {"duration": "0s"}, "like 30s, 5m or 1h"),
        ("latvia", {"duration": "8d"}, "at most 7d"),
        ("latvia", {"markets": "XX"}, "no market"),
        ("latvia", {"markets": "LV,LV"}, "each market once"),
        ("latvia", {"curve": "sine"}, "--curve"),
        ("latvia", {"processes": 0}, "--processes"),
        ("latvia", {"model": "half"}, "--model"),
        ("latvia", {"client": "curl"}, "--client"),
        ("latvia", {"lanes": 0}, "--lanes"),
    ],
)
def test_wrong_options_are_refused(preset: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_options(preset, **changes)


def test_a_share_as_limit_is_no_percentage() -> None:
    with pytest.raises(UsageError, match="error_share = 3"):
        read_limits(None, {"error_share": 3.0})


def test_a_terminal_shows_the_worst_latency_and_every_broken_limit() -> None:
    rows = [
        Row("p95_ms", name, "", 300.0, value, value <= 300.0)
        for name, value in (("a", 20.0), ("b", 40.0), ("c", 301.0), ("d", 30.0))
    ]
    others = [Row("lost", "LV", "", 0.0, 0.0, True)]
    assert [row.subject for row in rows_to_print(rows + others)] == ["b", "c", "LV"]


def test_one_request_alone_shows_no_latency_of_0_ms() -> None:
    assert Row("p95_ms", "LV", "", 300.0, 0.0, True).shown == "1 only"
    assert Row("lost", "LV", "", 0.0, 0.0, True).shown == "0"


def test_help_names_the_table_of_limits() -> None:
    help_text = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "200"}).output
    assert "[limits]" in help_text


def test_options_change_the_preset() -> None:
    options = make_options("germany", markets="DE=3,FI:rest=1", alerts=0.03)
    assert [(wish.code, wish.dialect, wish.share) for wish in options.markets] == [
        ("DE", "soap", 0.75),
        ("FI", "rest", 0.25),
    ]
    assert options.preset.alerts == 0.03
    assert systems_wanted(options) == "DE:soap,FI:rest,DK"
    assert neighbour_of(options, ["DE", "FI", "SE"]) == "SE"
    assert packs_needed(options, transactions=10_000, bulk_peak=1.0) > 10_000 * 0.39


def step(rate: float, *, kept: bool) -> Step:
    return Step(rate, kept, False, rate, 1.0, 2.0, 3.0, "")


@pytest.mark.parametrize("holds", [0.1, 150.0, 777.0, 4_100.0, 50_000.0])
def test_the_capacity_is_found(holds: float) -> None:
    steps: list[Step] = []
    while (rate := next_rate(steps, start=200.0, most=20_000.0)) is not None:
        steps.append(step(rate, kept=rate <= holds))
        assert len(steps) < 25
    best = answer(steps)
    if holds < 1.0:
        assert best is None
    elif holds > 20_000.0:
        assert best is not None
        assert best.rate == 20_000.0
    else:
        assert best is not None
        assert holds / 1.09 <= best.rate <= holds


def test_the_servers_histograms_are_read() -> None:
    text = (
        'nmvs_operation_seconds_bucket{le="0.001",operation="VERIFY"} 90.0\n'
        'nmvs_operation_seconds_bucket{le="0.002",operation="VERIFY"} 99.0\n'
        'nmvs_operation_seconds_bucket{le="+Inf",operation="VERIFY"} 100.0\n'
        'nmvs_operation_seconds_count{operation="VERIFY"} 100.0\n'
        'nmvs_operation_seconds_sum{operation="VERIFY"} 0.1\n'
        'nmvs_operation_ledger_seconds_sum{operation="VERIFY"} 0.05\n'
        'nmvs_operation_ledger_seconds_count{operation="VERIFY"} 100.0\n'
    )
    found = read_histograms(text)
    assert quantile({}, found["service"]["VERIFY"], 0.95) == 2.0
    lines = [{"markets": {"LV": {"service": {}}}}, {"markets": {"LV": found}}]
    times = server_times(lines)
    assert [(one.operation, one.service_mean, one.ledger_mean) for one in times] == [
        ("verify", 1.0, 0.5)
    ]
