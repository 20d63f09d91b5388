"""How good the serial numbers of one upload are: guessed how easily, read how safely. Our addition.

Source of the one figure that counts: Delegated Regulation (EU) 2016/161, Art. 4(c): the probability
that a serial number can be guessed is negligible, and in any case below one in ten thousand. How it
is estimated is our choice; every estimate is an attacker who knows the other numbers of the batch:

* who invents a number place by place, as the characters are spread over each place;
* who holds a pack and tries numbers beside it (`ln 2 / median gap` is the density there);
* who holds a pack and adds the step that is the most frequent one.

What a scanner or a keyboard makes of the characters is told from their number alone. No serial
number stands in a report.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import log, log2
from typing import Final

from emvs.serial_generator import SPACE_PER_SERIAL
from emvs.serial_sequences import Steps, steps_between

# ruff: noqa: N815 - these are the names on the wire.

GUESS_PROBABILITY_MAX: Final = 1 / SPACE_PER_SERIAL
ENOUGH_COUNT: Final = 1_000
"""Fewer serial numbers do not tell how the characters of a place are spread (our choice)."""
SLICE_COUNT: Final = 4_096
"""Serial numbers looked at between two steps: some milliseconds."""
_ALPHABET_SHOWN_MAX: Final = 100
_NEARLY_ALWAYS: Final = 0.99
"""A place with one character in so many serial numbers counts as constant."""
_PARTS_MAX: Final = 10
_PARTS_COUNT_MIN: Final = 100
"""What stands in fewer serial numbers says too much about each: none stands in a report."""

_LOOK_ALIKES: Final = ("0O", "1Il", "2Z", "5S", "8B")
_FOLDED: Final = str.maketrans({c: group[0] for group in _LOOK_ALIKES for c in group[1:]})
_RISKS: Final[dict[str, tuple[str, str]]] = {
    "small_letters": (
        "[a-z]",
        "small letters: Caps Lock, and software that folds case, turn them into capitals",
    ),
    "keyboard_layout": (
        "[YZyzAQaqWMwm]",
        "Y and Z change places between QWERTY and QWERTZ, A and Q, W and M move on AZERTY",
    ),
    "punctuation": (
        "[^0-9A-Za-z]",
        "punctuation moves or needs another shift level between keyboard layouts",
    ),
    "spreadsheet": (
        "^(?:0[0-9]*|[0-9]{16,}|[0-9]+[Ee][0-9]+)$",
        "a spreadsheet takes these for figures: leading zeros or digits get lost",
    ),
}


class Verdict(StrEnum):
    """Whether Art. 4(c) is met."""

    MEETS = "meets"
    FAILS = "fails"
    TOO_FEW = "too_few"
    """Nothing speaks against it, and there are too few serial numbers to say more."""


@dataclass(slots=True)
class QualityFinding:
    """One thing worth knowing."""

    rule: str
    """`repeated`, `guessable`, `sequence`, `constant_part`, `look_alikes`, `indistinguishable`,
    `small_letters`, `keyboard_layout`, `punctuation`, `spreadsheet`."""
    severity: str
    """"fails" if it breaks the article or a rule of the hub, else "warning"."""
    serialCount: int
    """How many serial numbers it is about."""
    text: str


@dataclass(slots=True)
class ConstantPart:
    """Characters that stand in the same place of nearly all serial numbers of one length."""

    length: int
    """Of the serial numbers."""
    position: int
    """Of the first character, from 0."""
    characters: str


@dataclass(slots=True)
class SerialQuality:
    """The report on one upload."""

    serialCount: int
    distinctCount: int
    verdict: Verdict
    guessProbability: float | None
    """The worst of the estimates; None if there are too few serial numbers and no sequence."""
    guessProbabilityMax: float
    spaceBits: float | None
    """Logarithm to the base 2 of how many serial numbers look like these, of the most frequent
    length."""
    lengthMin: int
    lengthMax: int
    alphabet: str
    sequenceShare: float
    """Share of serial numbers that follow another one by the most frequent step."""
    sequenceStep: int | None
    """That step, counted in the alphabet used; None unless it is frequent."""
    constantParts: list[ConstantPart] = field(default_factory=list)
    findings: list[QualityFinding] = field(default_factory=list)


def assess(serial_numbers: Sequence[str]) -> SerialQuality:
    """Return the report on these serial numbers: a quarter of a million take about a second."""
    steps = assess_in_steps(serial_numbers)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            report: SerialQuality = end.value
            return report


def assess_in_steps(serial_numbers: Sequence[str]) -> Generator[None, None, SerialQuality]:
    """Return the report as a generator's value; between two steps others can be given a turn.

    Whatever text comes is looked at; whether it may be a serial number is a rule of the hub's.
    """
    tally = _Tally()
    for some in _slices(serial_numbers):
        tally.add(some)
        yield
    alphabet = "".join(sorted(tally.characters))
    counts: Counter[str] = Counter()
    checks = _checks(tally.characters)
    for some in _slices(serial_numbers):
        for rule, check in checks.items():
            counts[rule] += sum(map(bool, map(check, some)))
        yield
    folded: set[str] = set()
    for some in _slices(serial_numbers):
        # Twice, as a small letter may become a capital that looks like a digit.
        text = "\0".join(some).translate(_FOLDED).upper().translate(_FOLDED)
        folded.update(text.split("\0"))
        yield
    counts["indistinguishable"] = len(tally.distinct) - len(folded)
    steps = yield from steps_between(tally.distinct, alphabet)
    return _report(tally, alphabet, counts, steps)


def _slices(serial_numbers: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(serial_numbers), SLICE_COUNT):
        yield serial_numbers[start : start + SLICE_COUNT]


class _Tally:
    """Which characters stand where, by length."""

    def __init__(self) -> None:
        self.count = 0
        self.distinct: set[str] = set()
        self.characters: set[str] = set()
        self.lengths: Counter[int] = Counter()
        self.places: dict[int, list[Counter[str]]] = {}

    def add(self, some: Sequence[str]) -> None:
        self.count += len(some)
        self.distinct.update(some)
        by_length: dict[int, list[str]] = {}
        for text in some:
            by_length.setdefault(len(text), []).append(text)
        for length, texts in by_length.items():
            joined = "".join(texts)
            self.characters.update(joined)
            self.lengths[length] += len(texts)
            places = self.places.setdefault(length, [Counter() for _ in range(length)])
            for position, place in enumerate(places):
                place.update(joined[position::length])


def _checks(characters: set[str]) -> dict[str, Callable[[str], object]]:
    """Return what each serial number is asked, without what none of them can have."""
    present = "".join(sorted(characters))
    checks: dict[str, Callable[[str], object]] = {
        rule: re.compile(pattern).search
        for rule, (pattern, _) in _RISKS.items()
        if pattern.startswith("^") or re.search(pattern, present)
    }
    mixed = [group for group in _LOOK_ALIKES if len(characters & set(group)) > 1]
    if mixed:
        checks["look_alikes"] = re.compile(f"[{''.join(mixed)}]").search
    return checks


def _report(tally: _Tally, alphabet: str, counts: Counter[str], steps: Steps) -> SerialQuality:
    spaces = {
        length: _space_bits(places, tally.lengths[length])
        for length, places in tally.places.items()
        if length and tally.lengths[length] >= ENOUGH_COUNT
    }
    estimates = [log2(tally.lengths[length]) - bits for length, bits in spaces.items()]
    probability = max((min(1.0, 2.0**bits) for bits in estimates), default=None)
    if len(tally.distinct) >= ENOUGH_COUNT and steps.median:
        probability = max(probability or 0.0, min(1.0, log(2) / steps.median))
    if steps.is_sequence:
        probability = max(probability or 0.0, steps.share)
    findings = _findings(tally, counts, steps, probability)
    parts = [
        part for length, places in sorted(tally.places.items()) for part in _parts(places, length)
    ][:_PARTS_MAX]
    if parts:
        text = "characters that stand in the same place everywhere add nothing to guess"
        findings.append(QualityFinding("constant_part", "warning", tally.count, text))
    failed = probability is not None and probability > GUESS_PROBABILITY_MAX
    known = Verdict.MEETS if probability is not None else Verdict.TOO_FEW
    return SerialQuality(
        serialCount=tally.count,
        distinctCount=len(tally.distinct),
        verdict=Verdict.FAILS if failed else known,
        guessProbability=probability,
        guessProbabilityMax=GUESS_PROBABILITY_MAX,
        spaceBits=spaces.get(tally.lengths.most_common(1)[0][0]) if tally.lengths else None,
        lengthMin=min(tally.lengths, default=0),
        lengthMax=max(tally.lengths, default=0),
        alphabet=alphabet[:_ALPHABET_SHOWN_MAX],
        sequenceShare=steps.share if steps.is_sequence else 0.0,
        sequenceStep=steps.step if steps.is_sequence else None,
        constantParts=parts,
        findings=findings,
    )


def _space_bits(places: Sequence[Counter[str]], count: int) -> float:
    """Return the logarithm of one divided by the probability that a serial number made like these
    is a given one of these: place by place, that two characters drawn from it are alike."""
    bits = 0.0
    for place in places:
        alike = sum(n * (n - 1) for n in place.values()) / (count * (count - 1))
        bits -= log2(alike) if alike else -log2(count * (count - 1))
    return bits


def _parts(places: Sequence[Counter[str]], length: int) -> Iterator[ConstantPart]:
    run: list[str] = []
    for position, place in enumerate([*places, Counter[str]()]):
        character, n = place.most_common(1)[0] if place else ("", 0)
        total = place.total()
        if total >= _PARTS_COUNT_MIN and n >= _NEARLY_ALWAYS * total:
            run.append(character)
        elif run:
            yield ConstantPart(length, position - len(run), "".join(run))
            run = []


def _findings(
    tally: _Tally, counts: Counter[str], steps: Steps, probability: float | None
) -> list[QualityFinding]:
    found = []
    if repeated := tally.count - len(tally.distinct):
        text = "serial numbers that stand in the upload before: each may be used once"
        found.append(QualityFinding("repeated", "fails", repeated, text))
    if probability is not None and probability > GUESS_PROBABILITY_MAX:
        text = (
            f"guessed right with a probability of {probability:.2g}; Delegated Regulation (EU)"
            f" 2016/161, Art. 4(c), asks for less than {GUESS_PROBABILITY_MAX:.2g}"
        )
        found.append(QualityFinding("guessable", "fails", tally.count, text))
    if steps.is_sequence:
        text = f"a serial number is often followed by the one {steps.step} further on"
        found.append(QualityFinding("sequence", "fails", steps.frequent_count, text))
    texts = {rule: text for rule, (_, text) in _RISKS.items()} | {
        "look_alikes": "characters that people confuse are both in use: 0 O, 1 I l, 2 Z, 5 S, 8 B",
        "indistinguishable": "serial numbers that differ from another one by case or by characters"
        " that look alike only",
    }
    for rule, text in texts.items():
        if counts[rule]:
            found.append(QualityFinding(rule, "warning", counts[rule], text))
    return found
