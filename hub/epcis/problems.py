"""What is wrong with a capture, in the words of EPCIS: RFC 7807 with the types of its OpenAPI."""

from __future__ import annotations

from typing import Any, Final

from emvs.errors import EmvsError

_TYPES: Final = {
    400: "ValidationException",
    401: "SecurityException",
    403: "SecurityException",
    404: "NoSuchResourceException",
    406: "NotAcceptableException",
    409: "ResourceAlreadyExistsException",
    413: "CaptureLimitExceededException",
    414: "URITooLongException",
    415: "UnsupportedMediaTypeException",
}
_OTHER: Final = "ImplementationException"


class UnsupportedMediaTypeError(EmvsError):
    """The body is not JSON."""

    http_status = 415
    title = "Unsupported media type"


class NotAcceptableError(EmvsError):
    """The client wants another version of EPCIS."""

    http_status = 406
    title = "Not acceptable"


def problem(title: str, detail: str, status: int = 400) -> dict[str, Any]:
    """Return a problem document."""
    kind = _TYPES.get(status, _OTHER)
    return {
        "type": f"epcisException:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
    }
