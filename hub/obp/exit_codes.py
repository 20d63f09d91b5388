"""Exit codes of `obp`: a public contract, kept in docs/obp.md too."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from hub.obp import errors


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
    NOT_ENDED = 8
    FAULT = 70
    INTERRUPTED = 130


MEANINGS: Final = {
    ExitCode.OK: "done in every market, or what was asked is shown",
    ExitCode.REFUSED: "the hub or a market refused it, or some of its packs; the answer says why",
    ExitCode.USAGE: "wrong usage, no usable profile or journal",
    ExitCode.ALERT: "packs that the markets do not know, or an alert was raised",
    ExitCode.INVALID: "the input is malformed: kept back here, or refused with HTTP 4xx",
    ExitCode.LOGIN: "token refused, or this organisation may not do that",
    ExitCode.UNREACHABLE: "hub unreachable or busy for too long; `obp resume` goes on",
    ExitCode.PROTOCOL: "the answer was not understood",
    ExitCode.NOT_ENDED: "not at its end within --timeout, or cut off before it was sent",
    ExitCode.FAULT: "a fault in this program",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C; the same command goes on",
}
assert MEANINGS.keys() == set(ExitCode), "every exit code has its meaning"

_BY_ERROR: Final = (
    (errors.ProfileError, ExitCode.USAGE),
    (errors.JournalError, ExitCode.USAGE),
    (errors.InputError, ExitCode.INVALID),
    (errors.LoginRefusedError, ExitCode.LOGIN),
    (errors.HubRefusedError, ExitCode.INVALID),
    (errors.UnreachableError, ExitCode.UNREACHABLE),
    (errors.ProtocolError, ExitCode.PROTOCOL),
    (errors.NotEndedError, ExitCode.NOT_ENDED),
)


def exit_code_of_error(error: Exception) -> ExitCode:
    """Return the exit code for an error; one without a row is about what was asked."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.USAGE)
