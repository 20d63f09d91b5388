"""What reading and answering one SOAP message costs, without HTTP, login and pack: a part of
`loadtests.operation_cost`.

In each interface version: messages whose form is known, and messages that are parsed, checked
against the schema and taken apart; both to the bytes of the reply.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from emvs.expiry import last_day
from emvs.outcomes import Outcome
from emvs.pack import BatchFacts
from emvs.scheme import Scheme
from emvs.states import State
from loadtests.stand import BATCH_ID, EXPIRY, PRODUCT_CODE
from nmvs.catalogue import Batch, Product
from nmvs.requests import Answer
from nmvs.soap.catalogue import VERSIONS
from nmvs.soap.messages import PackCall
from nmvs.soap.reader import Reader
from nmvs.soap.render import render_answer

_MESSAGES: Final = 2_000
_MICRO: Final = 1e6
_PRODUCT: Final = Product(Scheme.GTIN, PRODUCT_CODE, 1, "Examplol", "examplol", "28001234")
_FACTS: Final = BatchFacts(BATCH_ID, EXPIRY, last_day(EXPIRY).toordinal(), False, False)
_ANSWER: Final = Answer(
    Outcome.VERIFIED,
    32 * "0",
    1_772_442_927_007,
    State.ACTIVE,
    State.ACTIVE,
    product=_PRODUCT,
    batch=Batch(1, _PRODUCT, 1, _FACTS),
)


class MessageCost(NamedTuple):
    """Microseconds of processor time per message, the least of all rounds."""

    version: int
    known: float
    """Of a form met before."""
    parsed: float
    """Parsed and checked against the schema."""


def measure_messages(rounds: int) -> list[MessageCost]:
    """Return the costs in all versions."""
    text = (Path(__file__).parent / "g110.xml").read_text().replace("CODE", PRODUCT_CODE)
    cases = []
    for number in VERSIONS:
        own = text.replace(":v5.0", f":v{number}.0")
        messages = [own.replace("SERIAL", f"SN{at:08d}").encode() for at in range(_MESSAGES)]
        reader = Reader()
        first = reader.read(messages[0])
        assert isinstance(first, PackCall), first
        reader.learn(messages[0], first)
        assert reader.read_known(messages[1]) == reader.read(messages[1])
        cases.append((number, reader, messages))
    rows = [
        [
            (_measure(reader.read_known, messages), _measure(reader.read, messages))
            for _, reader, messages in cases
        ]
        for _ in range(rounds)
    ]
    return [
        MessageCost(number, *map(min, zip(*own, strict=True)))
        for (number, _, _), own in zip(cases, zip(*rows, strict=True), strict=True)
    ]


def _measure(read: Callable[[bytes], object], messages: Sequence[bytes]) -> float:
    start_s = time.process_time()
    for message in messages:
        call = read(message)
        assert isinstance(call, PackCall)
        render_answer(call, _ANSWER, {})
    return (time.process_time() - start_s) / len(messages) * _MICRO


def print_messages(costs: Sequence[MessageCost]) -> None:
    """Print a table."""
    sys.stdout.write(f"{'us per SOAP message':20} {'known form':>10} {'parsed':>8}\n")
    for cost in costs:
        sys.stdout.write(f"version {cost.version:<12} {cost.known:10.1f} {cost.parsed:8.1f}\n")
    sys.stdout.flush()
