"""What the report says of serial numbers whose making is known."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.character_sets import SET_82
from emvs.serial_numbers import generate_serial_numbers
from emvs.serial_quality import ConstantPart, SerialQuality, Verdict, assess

COUNT = 5_000


def drawn(length: int, alphabet: str, count: int = COUNT) -> list[str]:
    """Return different ones, however easily guessed."""
    rng = random.Random(1)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(rng.choices(alphabet, k=length))] = None
    return list(found)


def rules(report: SerialQuality) -> set[str]:
    return {finding.rule for finding in report.findings}


@pytest.mark.parametrize(
    ("serials", "verdict", "found"),
    [
        (generate_serial_numbers(COUNT, rng=random.Random(1)), Verdict.MEETS, set()),
        (drawn(8, "0123456789"), Verdict.MEETS, {"spreadsheet"}),
        (drawn(7, "0123456789"), Verdict.FAILS, {"spreadsheet", "guessable"}),
        (["K" + text for text in drawn(7, "CDFG")], Verdict.FAILS,
         {"guessable", "constant_part", "sequence"}),
        ([f"{n:012}" for n in range(COUNT)], Verdict.FAILS,
         {"spreadsheet", "guessable", "sequence", "constant_part"}),
        ([str(n) for n in range(COUNT)], Verdict.FAILS, {"spreadsheet", "guessable", "sequence"}),
        # A hidden counter: random at first sight, but one random part for all packs of a day.
        ([f"CXR{n // 50 * 7919 % 100_000:05}T{n % 50:02}" for n in range(COUNT)], Verdict.FAILS,
         {"guessable", "sequence", "constant_part"}),
        (drawn(12, SET_82), Verdict.MEETS,
         {"small_letters", "keyboard_layout", "punctuation", "look_alikes"}),
        (drawn(12, string.ascii_lowercase + "13479"), Verdict.MEETS,
         {"small_letters", "keyboard_layout", "look_alikes"}),
        (drawn(20, "0O"), Verdict.FAILS, {"guessable", "look_alikes", "indistinguishable"}),
    ],
)  # fmt: skip
def test_the_making_shows(serials: list[str], verdict: Verdict, found: set[str]) -> None:
    report = assess(serials)
    assert report.verdict is verdict, report
    assert rules(report) - {"spreadsheet", "indistinguishable"} == found - {
        "spreadsheet",
        "indistinguishable",
    }
    assert found <= rules(report)
    assert (report.guessProbability or 0) > 1e-4 or verdict is Verdict.MEETS


def test_the_probability_is_that_of_a_guess() -> None:
    report = assess(drawn(8, "0123456789"))
    assert report.guessProbability == pytest.approx(COUNT / 10**8, rel=0.1)
    assert report.spaceBits == pytest.approx(26.575, abs=0.01)


def test_parts_that_never_change_are_shown_with_their_place() -> None:
    serials = [f"LOT7{text}X" for text in generate_serial_numbers(2_000, rng=random.Random(2))]
    assert assess(serials).constantParts == [
        ConstantPart(17, 0, "LOT7"),
        ConstantPart(17, 16, "X"),
    ]


def test_few_serial_numbers_say_nothing_unless_they_are_a_counter() -> None:
    few = generate_serial_numbers(50, rng=random.Random(1))
    assert assess(few).verdict is Verdict.TOO_FEW
    assert assess(few).guessProbability is None
    assert assess([f"K{n}" for n in range(20, 26)]).verdict is Verdict.FAILS


def test_repetitions_and_pairs_that_only_case_tells_apart_are_counted() -> None:
    report = assess(["K7C", "K7C", "K7D", "k7d", "KO1", "K0I", "K0l"])
    counts = {finding.rule: finding.serialCount for finding in report.findings}
    assert counts["repeated"] == 1
    assert counts["indistinguishable"] == 3
    assert counts["small_letters"] == 2


@given(st.lists(st.text(max_size=25), max_size=60))
def test_whatever_text_comes_gets_a_report(texts: list[str]) -> None:
    report = assess(texts)
    assert report.serialCount == len(texts)
    assert report.distinctCount == len(set(texts))


@given(st.sets(st.integers(0, 10**9), min_size=5, max_size=300), st.integers(1, 10**6))
def test_a_counter_is_found_whatever_its_step_and_order(start: set[int], step: int) -> None:
    first = min(start)
    report = assess([str(first + n * step) for n in range(len(start))])
    assert report.sequenceStep is not None
    assert report.sequenceShare > 0.3
