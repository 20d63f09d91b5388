"""The two requests of this dialect about many packs: bulk of pack and recovery.

What differs between them is data: paths, codes, who names the operation. The codes follow the
dialect's grammar; those of bulk are known from clients, those of recovery are inferred from them,
but for the three of a wrong request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from emvs.states import Operation
from nmvs.rest.pack_requests import OPERATIONS

# ruff: noqa: N815 - these are the names on the wire.


@dataclass(frozen=True, slots=True)
class BulkForm:
    """One of the two."""

    kind: str
    """Name of the jobs, and the interface in the audit trail."""
    path: str
    submit_digits: str
    """The two digits of the operation in codes that answer a submission."""
    fetch_digits: str
    """The same for a request for results."""
    mixed: bool
    """Whether each pack names its own operation; a pack may be named more than once then."""

    @property
    def accepted(self) -> str:
        """Operation code of 202."""
        return f"2{self.submit_digits}00000"

    @property
    def count_differs(self) -> str:
        """Operation code of 422: the count is missing or is not that of the packs."""
        return f"6{self.submit_digits}20001"

    @property
    def body_invalid(self) -> str:
        """Operation code of 422: no JSON, not of the form, or empty."""
        return f"6{self.submit_digits}20002"

    @property
    def too_many(self) -> str:
        """Operation code of 422."""
        return f"6{self.submit_digits}20003"

    @property
    def delivered(self) -> str:
        """Operation code of 200."""
        return f"1{self.fetch_digits}00000"

    @property
    def not_ready(self) -> str:
        """Operation code of 409."""
        return f"5{self.fetch_digits}10000"

    @property
    def unknown(self) -> str:
        """Operation code of 404."""
        return f"4{self.fetch_digits}20000"


BULK: Final = BulkForm("rest-bulk", "/product/packs", "21", "22", mixed=False)
RECOVERY: Final = BulkForm("rest-recovery", "/recovery/packs", "31", "32", mixed=True)

# A Java client sends the name of the state, one in C# would send its number or the name as
# elsewhere (inferred).
_TRANSITIONS: Final = (
    Operation.SUPPLY,
    Operation.STOLEN,
    Operation.DESTROY,
    Operation.SAMPLE,
    Operation.FREE_SAMPLE,
    Operation.LOCK,
    Operation.EXPORT,
    Operation.REACTIVATE,
)
_BY_NUMBER: Final = {str(number): operation for number, operation in enumerate(_TRANSITIONS)}


def read_operation(value: object) -> Operation | None:
    """Return the operation that leads to a state, by its name in any spelling; of a missing one a
    verification. None if there is no such state."""
    if value is None or value == "":
        return Operation.VERIFY
    if not isinstance(value, str):
        return None
    return OPERATIONS.get(value.replace(" ", "").replace("_", "").lower())


def read_transition(value: object) -> Operation | None:
    """Return the operation of a pack in a recovery: by number, too."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and value in _BY_NUMBER:
        return _BY_NUMBER[value]
    return read_operation(value)


class Pack(msgspec.Struct, omit_defaults=True):
    """A pack in a bulk. Empty members count as absent, unknown ones are ignored."""

    productCodeScheme: str
    productCode: str
    serialNumber: str
    batchId: str = ""
    expiryDate: str = ""


class RecoveryPack(Pack, omit_defaults=True):
    """A pack in a recovery, with the state that it was to have; none to verify it."""

    transitionType: str | int = ""


class BulkRequest(msgspec.Struct):
    """Many packs, one target state; without it they are verified."""

    numberOfPacks: int
    """Check sum: as many as there are packs."""
    packs: list[Pack]
    state: str = ""


class RecoveryRequest(msgspec.Struct):
    """Packs that were handled while the system could not be reached, in order."""

    numberOfPacks: int
    packs: list[RecoveryPack]


class Accepted(msgspec.Struct):
    """The ticket is the Location header."""

    operationCode: str
    eta: str
    expires: str


class NotReady(msgspec.Struct):
    """Ask again at `eta`."""

    operationCode: str
    information: str
    eta: str


class PackResult(msgspec.Struct, omit_defaults=True):
    """What came of a pack: the members of an answer about a single one, and `uprc`."""

    operationCode: str
    state: str = ""
    information: str = ""
    warning: str = ""
    alertId: str = ""
    uprc: str = ""
    """The same as `alertId`, which first clients don't read here."""


class PackWithResult(msgspec.Struct):
    """A pack as it was sent, and what came of it."""

    pack: Pack
    result: PackResult


class Delivered(msgspec.Struct):
    """All packs, in the order of the request."""

    operationCode: str
    packs: list[PackWithResult]


class Refused(msgspec.Struct, omit_defaults=True):
    """A refusal of the whole request."""

    operationCode: str
    warning: str
    alertId: str = ""
    uprc: str = ""
