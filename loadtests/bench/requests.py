"""What is asked: requests as text around a serial number, and the order in which they are asked.

Operation mix of a community pharmacy: domain/emvs.md 8.1.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from loadtests.stand import rest_request, soap_request

_MARK: Final = "@@SERIAL@@@@"
"""As long as a serial number, so that Content-Length is right."""
_UNDO_DISTANCE: Final = 3_000
"""Requests between a supply and its undo: its answer has long come."""


class Template(NamedTuple):
    """One request but for its serial number."""

    before: bytes
    after: bytes

    def with_serial(self, serial: str) -> bytes:
        """Return the request."""
        return self.before + serial.encode() + self.after


class Step(NamedTuple):
    """One request of a sequence: the letter of its template, and its pack."""

    letter: str
    serial: str


def rest_templates(port: int, token: str) -> dict[str, Template]:
    """Return verify (v), supply (s), undo (u) and lock (l) by REST."""
    return {
        letter: _split(rest_request(port, _MARK, token, state))
        for letter, state in {"v": None, "s": "Supplied", "u": "Active", "l": "Locked"}.items()
    }


def soap_templates(port: int) -> dict[str, Template]:
    """Return verify (v), supply (s), undo (u) and lock (l) by SOAP."""
    return {
        letter: _split(soap_request(port, _MARK, name))
        for letter, name in {"v": "G110", "s": "G120", "u": "G121", "l": "G170"}.items()
    }


def _split(request: bytes) -> Template:
    before, after = request.split(_MARK.encode())
    return Template(before, after)


def verifications(serials: Sequence[str], count: int, seed: int = 2) -> list[Step]:
    """Return verifications of packs chosen at random."""
    chosen = random.Random(seed).choices(serials, k=count)  # noqa: S311 - packs to look at.
    return [Step("v", serial) for serial in chosen]


def supplies(fresh: Iterator[str], count: int) -> list[Step]:
    """Return supplies of packs that nobody touched yet."""
    return [Step("s", serial) for serial in _take(fresh, count)]


def mixed(serials: Sequence[str], fresh: Iterator[str], count: int, seed: int = 3) -> list[Step]:
    """Return a pharmacy's traffic: each answer is a success if it is asked in about this order."""
    rng = random.Random(seed)  # noqa: S311 - traffic.
    supplied: list[str] = []
    steps: list[Step] = []
    for _ in range(count):
        drawn = rng.random()
        if drawn < 0.60:
            steps.append(Step("v", rng.choice(serials)))
        elif drawn < 0.63 and len(steps) >= _UNDO_DISTANCE and steps[-_UNDO_DISTANCE].letter == "s":
            steps.append(Step("u", steps[-_UNDO_DISTANCE].serial))
        elif drawn < 0.99:
            supplied += _take(fresh, 1)
            steps.append(Step("s", supplied[-1]))
        else:
            steps.append(Step("l", *_take(fresh, 1)))
    return steps


def _take(fresh: Iterator[str], count: int) -> list[str]:
    taken = [serial for _, serial in zip(range(count), fresh, strict=False)]
    if len(taken) < count:
        raise RuntimeError("the packs of this run are used up: the scale has too few")
    return taken


def as_bytes(templates: Mapping[str, Template], steps: Iterable[Step]) -> Iterator[bytes]:
    """Yield the requests."""
    for letter, serial in steps:
        yield templates[letter].with_serial(serial)
