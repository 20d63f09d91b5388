"""HTTP/1.1 answers as they come off a connection, for generators that must cost little."""

from __future__ import annotations

from typing import Final, NamedTuple

from emvs.errors import EmvsError

_WITHOUT_BODY: Final = (b"204", b"304")


class Answer(NamedTuple):
    """One answer."""

    status: int
    body: bytes


class AnswerBuffer:
    """Puts answers together: one at a time, each with a length, as servers here give them."""

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        self._bytes = b""

    def feed(self, data: bytes) -> Answer | None:
        """Return the answer that `data` completes. Raises EmvsError for one without a length."""
        self._bytes += data
        received = self._bytes
        head_end = received.find(b"\r\n\r\n")
        if head_end < 0:
            return None
        at = received.find(b"Content-Length: ", 0, head_end)
        if at < 0:
            at = received.lower().find(b"content-length: ", 0, head_end)
        if at < 0 and received[9:12] in _WITHOUT_BODY:
            self._bytes = b""
            return Answer(int(received[9:12]), b"")
        if at < 0:
            raise EmvsError(f"an answer without a length: {received[:head_end].decode('latin-1')}")
        length = int(received[at + 16 : received.find(b"\r\n", at)])
        if len(received) < head_end + 4 + length:
            return None
        self._bytes = b""
        return Answer(int(received[9:12]), received[head_end + 4 :])
