"""The exception tree. Refusals of a pack are values (`emvs.outcomes`), never exceptions.

EmvsError
├── UsageError              what the user asked cannot be done; the sentence says the way out
├── ConfigurationError      a configuration file or value is wrong
├── BadRequestError         400 the body does not fit the message
├── UnauthorisedError       401
├── ForbiddenError          403
├── NotFoundError           404
├── ConflictError           409
├── TooLargeError           413
├── UnsupportedMediaError   415 the body's form or coding is none of those that are read
├── OverloadedError         503 a bounded queue is full; nothing was done
├── UnavailableError        503 the database is away; nothing was done
├── HubUnreachableError     503
└── HubTimeoutError         504
"""

from __future__ import annotations


class EmvsError(Exception):
    """Base of all errors that carry a sentence for the user."""

    http_status = 500
    title = "Error"


class UsageError(EmvsError):
    """What was asked cannot be done."""

    http_status = 400
    title = "Wrong usage"


class ConfigurationError(EmvsError):
    """A configuration value is wrong."""

    title = "Wrong configuration"


class BadRequestError(EmvsError):
    """The request does not have the form that the message asks for."""

    http_status = 400
    title = "Malformed request"


class UnauthorisedError(EmvsError):
    """The caller did not say who it is, or not truthfully."""

    http_status = 401
    title = "Not logged in"


class ForbiddenError(EmvsError):
    """The caller may not do this."""

    http_status = 403
    title = "Not permitted"


class NotFoundError(EmvsError):
    """There is no such thing."""

    http_status = 404
    title = "Not found"


class ConflictError(EmvsError):
    """The request contradicts what is stored."""

    http_status = 409
    title = "Conflict"


class TooLargeError(EmvsError):
    """The request is larger than the limit named in the sentence."""

    http_status = 413
    title = "Too large"


class UnsupportedMediaError(EmvsError):
    """The body comes in a form or a coding that is not read here."""

    http_status = 415
    title = "Unsupported body"


class OverloadedError(EmvsError):
    """A bounded queue is full. Nothing was done; try again after `retry_after_s`."""

    http_status = 503
    title = "Busy"

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AllowanceSpentError(OverloadedError):
    """One client or organisation has had its share; the others have not."""


class UnavailableError(EmvsError):
    """The database is away or being recovered. Nothing was done."""

    http_status = 503
    title = "Not available"


class HubUnreachableError(EmvsError):
    """The EU Hub refused the connection or broke it."""

    http_status = 503
    title = "Hub unreachable"


class HubTimeoutError(EmvsError):
    """The EU Hub did not answer in time."""

    http_status = 504
    title = "Hub too slow"
