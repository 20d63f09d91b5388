"""What is asked: requests as text around a serial number, and the order in which they are asked.

Operation mix of a community pharmacy: domain/emvs.md 8.1.
"""

from __future__ import annotations

import itertools
import random
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from emvs.check_digits import gtin_check_digit
from loadtests.bench.errors import LoadError
from loadtests.stand import BATCH_ID, PRODUCT_CODE, rest_request, soap_request

_MARK: Final = "@@SERIAL@@@@"
"""As long as a serial number, so that Content-Length is right."""
_SPACE_COUNT: Final = 16
_USED_UP: Final = "the packs of this run are used up: the scale has too few for this machine"
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


def new_text_templates(port: int) -> dict[str, Template]:
    """Return verify (v) by SOAP for packs spelt by `new_text`."""
    before, after = _split(soap_request(port, _MARK + _SPACE_COUNT * " ", "G110"))
    return {"v": Template(before, after[_SPACE_COUNT + 1 :])}


def new_text(serial: str) -> str:
    """Return a serial number, the quote after it, and white space that differs from pack to pack:
    a server that knows texts it has met before has not met this one."""
    bits = zlib.crc32(serial.encode())
    spaces = (" \t"[bits >> place & 1] for place in range(_SPACE_COUNT))
    return f'{serial}"{"".join(spaces)}'


class Goods(NamedTuple):
    """What a pack is of."""

    product_code: str = PRODUCT_CODE
    batch_id: str = BATCH_ID

    def spell(self, serial: str) -> str:
        """Return a pack as it stands in requests of `goods_templates`."""
        return f"{self.product_code}/pack/{serial}?batch={self.batch_id}"


def many_goods(products: int, batches: int) -> list[Goods]:
    """Return so many batches of each of so many products."""
    digits = [f"09506000{number:05d}" for number in range(products)]
    return [
        Goods(code + gtin_check_digit(code), f"L{number}-{code[-5:]}")
        for code in digits
        for number in range(batches)
    ]


def goods_templates(port: int, token: str) -> dict[str, Template]:
    """Return verify (v) by REST for packs spelt by `Goods.spell`."""
    request = rest_request(port, _MARK, token, None)
    before, after = request.split(Goods().spell(_MARK).encode())
    return {"v": Template(before, after)}


def _split(request: bytes) -> Template:
    before, after = request.split(_MARK.encode())
    return Template(before, after)


def verifications(serials: Sequence[str], count: int, seed: int = 2) -> list[Step]:
    """Return verifications of packs chosen at random."""
    chosen = random.Random(seed).choices(serials, k=count)  # noqa: S311 - packs to look at.
    return [Step("v", serial) for serial in chosen]


class FreshPacks(Iterator[str]):
    """Serial numbers of packs that nobody has touched yet, each given out once."""

    def __init__(self, serials: Sequence[str]) -> None:
        self._left = list(reversed(serials))

    def __next__(self) -> str:
        if not self._left:
            raise StopIteration
        return self._left.pop()

    def give_back(self, steps: Iterable[Step]) -> None:
        """Take the packs back that requests which were never sent would have touched first."""
        self._left += [serial for letter, serial in steps if letter in "sl"]


def supplies(fresh: Iterator[str], count: int) -> list[Step]:
    """Return supplies of packs that nobody touched yet, fewer if there are not so many."""
    return [Step("s", serial) for serial in _take(fresh, count)]


def mixed(serials: Sequence[str], fresh: Iterator[str], count: int, seed: int = 3) -> list[Step]:
    """Return a pharmacy's traffic, shorter if the packs do not suffice: each answer is a success
    if it is asked in about this order. Supplies are undone when they are old enough."""
    rng = random.Random(seed)  # noqa: S311 - traffic.
    supplied: deque[tuple[int, str]] = deque()
    steps: list[Step] = []
    for number in range(count):
        drawn = rng.random()
        if drawn < 0.60:
            steps.append(Step("v", rng.choice(serials)))
            continue
        if drawn < 0.63 and supplied and number - supplied[0][0] >= _UNDO_DISTANCE:
            steps.append(Step("u", supplied.popleft()[1]))
            continue
        serial = next(fresh, None)
        if serial is None:
            break
        if drawn < 0.99:
            supplied.append((number, serial))
        steps.append(Step("s" if drawn < 0.99 else "l", serial))
    if not steps:
        raise LoadError(_USED_UP)
    return steps


def _take(fresh: Iterator[str], count: int) -> list[str]:
    taken = list(itertools.islice(fresh, count))
    if not taken:
        raise LoadError(_USED_UP)
    return taken


def as_bytes(templates: Mapping[str, Template], steps: Iterable[Step]) -> Iterator[bytes]:
    """Yield the requests."""
    for letter, serial in steps:
        yield templates[letter].with_serial(serial)
