"""The grammar of operation codes, as the REST-built national systems and their clients make them.

A code reads `H OO I SS RR`: class of the HTTP status, operation, kind of the text, state of the
pack, reason. Two public clients agree on it. A client must treat a code as opaque all the same:
letters occur, and new codes appear in all versions at once. So `parse` gives None for what does
not follow the grammar and is no error; which codes are known is `emvs.operation_code_table`'s.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final, NamedTuple

from emvs.states import State


class Certainty(StrEnum):
    """How well something is known."""

    CERTAIN = "certain"
    TWO_SOURCES = "two sources"
    """Certain, and two independent sources agree."""
    INFERRED = "inferred"
    UNKNOWN = "unknown"


class TextKind(StrEnum):
    """Which member of an answer carries the text."""

    NEITHER = "0"
    INFORMATION = "1"
    WARNING = "2"


class ClientMade(Enum):
    """Whether a code was made by a client for lack of one."""

    NO = "made by a server"
    POSSIBLY = "made by a server, or by a client for an answer without a body"
    YES = "made by a client that got no answer"


class StatusClass(NamedTuple):
    """What the first character says."""

    status: int | None
    """None: there was no answer, or nobody knows."""
    certainty: Certainty


class OperationDigits(NamedTuple):
    """What the second and third character say."""

    text: str
    certainty: Certainty


_C, _I, _U = Certainty.TWO_SOURCES, Certainty.INFERRED, Certainty.UNKNOWN

NO_ANSWER: Final = "0"
STATUS_CLASSES: Final = {
    NO_ANSWER: StatusClass(None, _C),
    "1": StatusClass(200, _C),
    "2": StatusClass(202, _C),
    "3": StatusClass(403, _C),
    "4": StatusClass(404, _C),
    "5": StatusClass(409, _C),
    "6": StatusClass(422, _C),
    # The series goes up with HTTP's numbers, and goes on with the letters: unproven from here on.
    "7": StatusClass(429, _I),
    "8": StatusClass(500, _I),
    "9": StatusClass(501, _I),
    "A": StatusClass(502, _I),
    "B": StatusClass(503, _I),
    "C": StatusClass(None, _U),
    "D": StatusClass(None, _U),
}
OPERATIONS: Final = {
    "00": OperationDigits("any call", _C),
    "10": OperationDigits("any call on a single pack", _C),
    "11": OperationDigits("verify", _C),
    "12": OperationDigits("supply", _C),
    "13": OperationDigits("decommission", _C),
    "14": OperationDigits("reactivate", _C),
    "21": OperationDigits("submit a bulk request", _C),
    "22": OperationDigits("fetch the results of a bulk request", _C),
    "31": OperationDigits("submit a recovery request", _C),
    "32": OperationDigits("fetch the results of a recovery request", _C),
    "40": OperationDigits("ask for product data", _I),
    "41": OperationDigits("fetch product data", _I),
    "51": OperationDigits("reports", _I),
}
LENGTH: Final = 8
_STATE_NUMBERS: Final = frozenset(State)


class OperationCode(NamedTuple):
    """A code taken apart."""

    status_class: str
    operation: str
    kind: TextKind
    state_number: int
    """Number of the state, 0 for none; a number without a state is possible."""
    reason: int

    def __str__(self) -> str:
        return (
            f"{self.status_class}{self.operation}{self.kind}"
            f"{self.state_number:02d}{self.reason:02d}"
        )

    @property
    def status(self) -> int | None:
        """The HTTP status it goes with, None if there is or is known none."""
        return STATUS_CLASSES[self.status_class].status

    @property
    def state(self) -> State | None:
        """State of the pack, None if the code tells none that is known."""
        return State(self.state_number) if self.state_number in _STATE_NUMBERS else None

    @property
    def client_made(self) -> ClientMade:
        """Whether a client may have made it, see `without_body`."""
        if self.status_class == NO_ANSWER:
            return ClientMade.YES
        bare = self.kind is TextKind.WARNING and not self.state_number and not self.reason
        return ClientMade.POSSIBLY if bare else ClientMade.NO


def parse(code: str) -> OperationCode | None:
    """Return the parts of a code; None if it does not follow the grammar."""
    digits = code[1:]
    if len(code) != LENGTH or not (digits.isascii() and digits.isdigit()):
        return None
    if code[0] not in STATUS_CLASSES or code[3] not in set(TextKind):
        return None
    if code[1:3] not in OPERATIONS:
        return None
    return OperationCode(code[0], code[1:3], TextKind(code[3]), int(code[4:6]), int(code[6:]))


def compose(
    status: int,
    operation: str,
    kind: TextKind = TextKind.NEITHER,
    *,
    state: State | None = None,
    reason: int = 0,
) -> str:
    """Return the code of an answer with this HTTP status.

    Raises ValueError for what the grammar has no place for.
    """
    if operation not in OPERATIONS or not 0 <= reason <= 99:
        raise ValueError(f"no code tells operation {operation!r} with reason {reason}")
    return str(OperationCode(_class_of(status), operation, kind, int(state or 0), reason))


def without_body(operation: str, status: int | None) -> str:
    """Return the code that clients show if an answer had no body, or if there was none (None).

    It is the code of a plain refusal: an empty 409 to a supply reads "cannot be supplied".
    """
    status_class = NO_ANSWER if status is None else _class_of(status)
    return str(OperationCode(status_class, operation, TextKind.WARNING, 0, 0))


def _class_of(status: int) -> str:
    for letter, row in STATUS_CLASSES.items():
        if row.status == status:
            return letter
    raise ValueError(f"no code tells HTTP status {status}")
