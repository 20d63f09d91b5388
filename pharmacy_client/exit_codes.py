"""Exit codes of `pharmacy`: a public contract, kept in docs/pharmacy.md too."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from pharmacy_client.errors import (
    AccountRefusedError,
    BulkLostError,
    BulkRefusedError,
    LoginRefusedError,
    NotOfferedError,
    ProfileError,
    ProtocolError,
    QueueFullError,
    QueueUnusableError,
    ScanRefusedError,
    SystemUnreachableError,
)
from pharmacy_client.results import Category, Result


class ExitCode(IntEnum):
    """What a script can act on."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    ALERT = 3
    INVALID = 4
    LOGIN = 5
    UNREACHABLE = 6
    PROTOCOL = 7
    QUEUED = 8
    FAULT = 70
    INTERRUPTED = 130


MEANINGS: Final = {
    ExitCode.OK: "pack active, change done, or repeat tolerated",
    ExitCode.REFUSED: "not dispensable or not known; no alert was raised",
    ExitCode.USAGE: "wrong usage, no usable profile, or an operation the system does not offer",
    ExitCode.ALERT: "an alert was raised",
    ExitCode.INVALID: "the data are malformed: kept back here, or refused by the system",
    ExitCode.LOGIN: "login refused, or this login may not do that",
    ExitCode.UNREACHABLE: "system unreachable, too slow, or not available now",
    ExitCode.PROTOCOL: "the answer was not understood",
    ExitCode.QUEUED: "not answered: kept in the offline queue, and something still waits there",
    ExitCode.FAULT: "a fault in this program",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
}
assert MEANINGS.keys() == set(ExitCode), "every exit code has its meaning"

_BY_CATEGORY: Final = {
    Category.ACTIVE: ExitCode.OK,
    Category.DONE: ExitCode.OK,
    Category.TOLERATED: ExitCode.OK,
    Category.REFUSED: ExitCode.REFUSED,
    Category.UNKNOWN: ExitCode.REFUSED,
    Category.INVALID: ExitCode.INVALID,
    Category.NOT_PERMITTED: ExitCode.LOGIN,
    Category.UNAVAILABLE: ExitCode.UNREACHABLE,
    Category.QUEUED: ExitCode.QUEUED,
}
assert _BY_CATEGORY.keys() == set(Category), "every category has its exit code"

_BY_ERROR: Final = (
    (ProfileError, ExitCode.USAGE),
    (NotOfferedError, ExitCode.USAGE),
    (ScanRefusedError, ExitCode.INVALID),
    (QueueFullError, ExitCode.USAGE),
    (QueueUnusableError, ExitCode.USAGE),
    (AccountRefusedError, ExitCode.LOGIN),
    (BulkRefusedError, ExitCode.REFUSED),
    (BulkLostError, ExitCode.REFUSED),
    (LoginRefusedError, ExitCode.LOGIN),
    (SystemUnreachableError, ExitCode.UNREACHABLE),
    (ProtocolError, ExitCode.PROTOCOL),
)


def exit_code_of(result: Result) -> ExitCode:
    """Return the exit code for a result; an alert goes before everything else."""
    return ExitCode.ALERT if result.alert_id is not None else _BY_CATEGORY[result.category]


def exit_code_of_error(error: Exception) -> ExitCode:
    """Return the exit code for an error of the client; other errors are about what was asked."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.INVALID)
