"""The client's exceptions. What a national system says about a pack is a `Result`, never one.

PharmacyClientError         (an emvs.errors.EmvsError)
├── ProfileError            the profile is missing or wrong; nothing was sent
├── ScanRefusedError        this must not or cannot be sent as a pack; nothing was sent
├── QueueFullError          the offline queue takes no more; nothing was kept
├── QueueUnusableError      the offline queue's file cannot be read or written
├── NotOfferedError         the dialect has no such operation; nothing was sent
├── AccountRefusedError     the system refused a change of password or a certificate
├── BulkRefusedError        the system refused a bulk as a whole; nothing was done
├── BulkLostError           the system knows no such bulk, or no more
├── LoginRefusedError       the system does not accept who we say we are; nothing was done
├── SystemUnreachableError  no usable answer: connection refused or lost, gateway, throttled
│   └── AnswerTimeoutError  no answer in time
└── ProtocolError           there is an answer, but not of the interface's form
"""

from __future__ import annotations

from emvs.errors import EmvsError
from pharmacy_client.exchange import Exchange


class PharmacyClientError(EmvsError):
    """Base of all errors of the client.

    `may_have_acted` tells whether the pack's state may have been changed nevertheless: then
    verify the pack before anything is repeated. `exchange` is what went over the wire.
    """

    def __init__(
        self, message: str, *, exchange: Exchange | None = None, may_have_acted: bool = False
    ) -> None:
        super().__init__(message)
        self.exchange = exchange
        self.may_have_acted = may_have_acted


class ProfileError(PharmacyClientError):
    """The profile is missing, incomplete or wrong."""

    title = "Wrong profile"


class ScanRefusedError(PharmacyClientError):
    """What was scanned or typed must not be sent. `advice` says what the user should do."""

    title = "Scan refused"

    def __init__(self, problem: str, advice: str = "") -> None:
        super().__init__(f"{problem} {advice}".rstrip())
        self.problem = problem
        self.advice = advice


class QueueFullError(PharmacyClientError):
    """The offline queue holds as many operations as it may. Nothing was kept."""

    title = "Offline queue full"


class QueueUnusableError(PharmacyClientError):
    """The file of the offline queue cannot be read or written. What was to be kept was not."""

    title = "Offline queue unusable"


class NotOfferedError(PharmacyClientError):
    """The interface of this national system has no such operation."""

    title = "Not offered"


class LoginRefusedError(PharmacyClientError):
    """The login was refused. `return_code` is the market's own code, if there was one."""

    title = "Login refused"

    def __init__(
        self, message: str, *, return_code: str | None = None, exchange: Exchange | None = None
    ) -> None:
        super().__init__(message, exchange=exchange)
        self.return_code = return_code


class AccountRefusedError(PharmacyClientError):
    """The system refused a change of the account. `return_code` says why."""

    title = "Refused"

    def __init__(self, message: str, *, return_code: str, exchange: Exchange) -> None:
        super().__init__(message, exchange=exchange)
        self.return_code = return_code


class BulkRefusedError(PharmacyClientError):
    """The bulk was refused as a whole: nothing was done, and the same one would be again."""

    title = "Bulk refused"

    def __init__(self, message: str, *, return_code: str, exchange: Exchange) -> None:
        super().__init__(message, exchange=exchange)
        self.return_code = return_code


class BulkLostError(PharmacyClientError):
    """The system knows no bulk of this ticket: it was never there, or its result has expired."""

    title = "Bulk not known"


class SystemUnreachableError(PharmacyClientError):
    """The national system gave no usable answer. `retry_after_s` is its own wish, if it has one."""

    title = "System unreachable"

    def __init__(
        self,
        message: str,
        *,
        exchange: Exchange | None = None,
        may_have_acted: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, exchange=exchange, may_have_acted=may_have_acted)
        self.retry_after_s = retry_after_s


class AnswerTimeoutError(SystemUnreachableError):
    """No answer came within the profile's time limit."""

    title = "No answer in time"


class ProtocolError(PharmacyClientError):
    """The answer does not have the form of the interface, or contradicts itself."""

    title = "Answer not understood"
