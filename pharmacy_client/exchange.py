"""One HTTP exchange as values: what is sent, what comes back, and its record without secrets.

No HTTP library enters: `Transport` is the seam behind which one stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import NamedTuple, Protocol

REPLY_BYTES_MAX = 1024 * 1024
"""A single-pack answer has some 2 kB (our choice)."""
_REDACTED = b"***"


class HttpRequest(NamedTuple):
    """A request, complete and encoded."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    changes_state: bool = False
    """Whether a lost answer leaves a pack's state uncertain."""
    secrets: tuple[bytes, ...] = ()
    """Byte strings that never get into a record, as they stand in headers and body."""
    reply_bytes_max: int = REPLY_BYTES_MAX
    timeout_s: float | None = None
    """For the whole call; without one the profile's."""


class HttpReply(NamedTuple):
    """A reply, read completely. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_ms: float


class Transport(Protocol):
    """Sends requests. Raises the errors of `pharmacy_client.errors`, no other ones."""

    async def send(self, request: HttpRequest) -> HttpReply:
        """Return the reply, whatever its status."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """What went over the wire, for debugging. Passwords, secrets and tokens are starred out."""

    request: bytes
    reply: bytes
    """Empty if there was none."""
    http_status: int | None
    elapsed_ms: float


NO_EXCHANGE = Exchange(b"", b"", None, 0.0)
"""For a result that no answer stands behind."""


def record_exchange(request: HttpRequest, reply: HttpReply | None = None) -> Exchange:
    """Return the record of a request and of its reply, if it got one."""
    head = [f"{request.method} {request.url} HTTP/1.1"]
    head += [f"{name}: {value}" for name, value in request.headers.items()]
    sent = "\r\n".join(head).encode() + b"\r\n\r\n" + (request.body or b"")
    if reply is None:
        return Exchange(_redact(sent, request.secrets), b"", None, 0.0)
    head = [f"HTTP/1.1 {reply.status}"]
    head += [f"{name}: {value}" for name, value in reply.headers.items()]
    received = "\r\n".join(head).encode("utf-8", "replace") + b"\r\n\r\n" + reply.body
    return Exchange(
        _redact(sent, request.secrets),
        _redact(received, request.secrets),
        reply.status,
        reply.elapsed_ms,
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a reply asks to wait; None if it does not say so intelligibly.

    Seconds and HTTP dates both occur. A date is held against the reply's own `Date`, so that the
    clock of this machine does not matter.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit() and len(value) <= 9:
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        wait = until - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):  # TypeError: one of the dates has no zone.
        return None
    return max(0.0, wait.total_seconds())


def _redact(data: bytes, secrets: tuple[bytes, ...]) -> bytes:
    for secret in secrets:
        if secret:
            data = data.replace(secret, _REDACTED)
    return data
