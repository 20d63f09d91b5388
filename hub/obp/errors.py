"""The client's exceptions. What the hub says about a message's content is a status, never one.

ObpClientError          (an emvs.errors.EmvsError)
├── ProfileError        the profile is missing or wrong; nothing was sent
├── InputError          serial numbers or a document that cannot be sent; nothing was sent
├── JournalError        the journal on disk cannot be read or written; nothing was sent
├── LoginRefusedError   HTTP 401, 403: not this token, or not this organisation
├── HubRefusedError     another refusal: the form is wrong, there is no such thing, it contradicts
├── UnreachableError    no usable answer for as long as was tried
│   └── HubBusyError    the hub answers that it is busy
├── ProtocolError       there is an answer, but not of the interface's form
└── NotEndedError       what was sent has not come to an end in the time allowed
"""

from __future__ import annotations

from emvs.errors import EmvsError


class ObpClientError(EmvsError):
    """Base of all errors of the client."""


class ProfileError(ObpClientError):
    """The profile is missing, incomplete or wrong."""

    title = "Wrong profile"


class InputError(ObpClientError):
    """What was given to be sent cannot be sent."""

    title = "Wrong input"


class JournalError(ObpClientError):
    """The journal cannot be used, so that nothing may be sent."""

    title = "No journal"


class LoginRefusedError(ObpClientError):
    """The hub does not take the token, or the token is not for this."""

    title = "Login refused"


class HubRefusedError(ObpClientError):
    """The hub refused the request. Nothing was stored. `status` is that of HTTP."""

    title = "Refused"

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(ObpClientError):
    """No usable answer. `may_have_acted`: the hub may have got the request all the same."""

    title = "Hub unreachable"

    def __init__(
        self,
        message: str,
        *,
        may_have_acted: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.may_have_acted = may_have_acted
        self.retry_after_s = retry_after_s


class HubBusyError(UnreachableError):
    """The hub, or what stands before it, has no room or no database now."""

    title = "Hub busy"


class ProtocolError(ObpClientError):
    """The answer does not have the form of the interface."""

    title = "Answer not understood"


class NotEndedError(ObpClientError):
    """The hub has the messages and goes on; it was not waited for any longer."""

    title = "Not ended yet"
