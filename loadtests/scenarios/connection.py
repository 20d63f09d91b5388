"""One keep-alive connection of the load generator, as cheap as gevent allows.

A request costs one call to the kernel for sending and one for reading: the connection stays
registered with the event loop, which reads what has come and switches straight to whoever waits.
gevent's own sockets try to read first, register, and make a time-out object for every call.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from typing import Any, Final, NamedTuple

import gevent

_READ_BYTES: Final = 65_536
_ANSWER_BYTES_MAX: Final = 64 * 2**20
_HEAD_BYTES_MAX: Final = 65_536


class Reply(NamedTuple):
    """An answer, or why there is none."""

    status: int
    """0: no answer."""
    body: bytes
    head: bytes = b""
    """Status line and headers, where the client gives them."""
    trouble: str = ""


STOPPED: Final = Reply(0, b"", trouble="stopped")
"""Whoever waited for the answer was ended."""


class BrokenAnswerError(Exception):
    """What came is no HTTP/1.1, or longer than can be."""


def _number(text: bytes, *, base: int = 10) -> int:
    """Return the number that these digits are: no sign, space or underscore."""
    if text.isalnum():
        with suppress(ValueError):
            return int(text, base)
    raise BrokenAnswerError(f"{text[:20]!r} is no number")


class _Wire:
    """A connected socket whose bytes come to the one greenlet that waits for them.

    Runs on gevent's loop: `_on_readable` and `_on_time` are called by it, never by greenlets.
    """

    def __init__(self, connected: socket.socket, timeout_s: float) -> None:
        self._socket = connected
        # The kernel's socket under gevent's. It never blocks.
        self._bare: socket.socket = getattr(connected, "_sock", connected)
        self._timeout_s = timeout_s
        self._deadline = 0.0
        self._waiting: Any = None
        self._is_timed = False
        self.is_lost = False
        """The other side has closed, or something has come that nobody has asked for."""
        self._early: list[bytes] | None = None
        hub: Any = gevent.get_hub()
        self._hub, self._loop = hub, hub.loop
        self._timer: Any = None
        self._watcher: Any = hub.loop.io(connected.fileno(), 1)
        self._watcher.start(self._on_readable)

    def keep_early(self) -> None:
        """What comes unasked is no fault: TLS sends tickets of its own accord."""
        self._early = []

    def set_time(self, now: float) -> None:
        """Give what follows the whole time-out from now on."""
        self._deadline = now + self._timeout_s
        if not self._is_timed:
            self._start_timer(self._timeout_s)

    def send(self, data: bytes) -> None:
        """Send it all. A request fits the kernel's buffer, so one call to the kernel will do."""
        sent = 0
        with suppress(BlockingIOError):
            sent = self._bare.send(data)
        if sent < len(data):
            self._socket.settimeout(self._timeout_s)
            self._socket.sendall(data[sent:])

    def receive(self) -> bytes:
        """Return the next bytes; none when the other side has closed. Raises OSError."""
        if self._early:
            return self._early.pop(0)
        if self.is_lost:
            return b""
        self._waiting = gevent.getcurrent()
        try:
            data: bytes = self._hub.switch()
        finally:
            self._waiting = None
        return data

    def _on_readable(self) -> None:
        waiting = self._waiting
        try:
            data = self._bare.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose()
            if waiting is not None:
                waiting.throw(error)
            return
        if not data:
            self._lose()
        if waiting is not None:
            waiting.switch(data)
        elif data and self._early is not None:
            self._early.append(data)
        elif data:
            self._lose()

    def _lose(self) -> None:
        # Otherwise the loop would tell of it again and again.
        self.is_lost = True
        self._watcher.stop()

    def _start_timer(self, seconds: float) -> None:
        self._is_timed = True
        if self._timer is not None:
            self._timer.close()
        self._timer = self._loop.timer(seconds)
        self._timer.start(self._on_time)

    def _on_time(self) -> None:
        """End the wait that is over. The timer follows the deadline only when it rings: most
        answers come long before.
        """
        self._is_timed = False
        waiting = self._waiting
        if waiting is None:
            return
        left_s = self._deadline - time.perf_counter()
        if left_s > 0:
            self._start_timer(left_s)
        else:
            waiting.throw(TimeoutError())

    def close(self) -> None:
        self.is_lost = True
        self._watcher.stop()
        self._watcher.close()
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        self._socket.close()


class _Secured:
    """TLS over a wire, with the same two methods."""

    def __init__(self, wire: _Wire, context: ssl.SSLContext, host: str) -> None:
        self._wire = wire
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        wire.keep_early()
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            else:
                self._flush()
                return

    def send(self, data: bytes) -> None:
        """Send it all."""
        self._tls.write(data)
        self._flush()

    def receive(self) -> bytes:
        """Return the next bytes; none when the other side has closed. Raises OSError."""
        while True:
            try:
                return self._tls.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def _feed(self) -> None:
        data = self._wire.receive()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._wire.send(self._outgoing.read())


class Line:
    """One keep-alive connection, and HTTP/1.1 over it."""

    def __init__(
        self, host: str, port: int, context: ssl.SSLContext | None, timeout_s: float
    ) -> None:
        bare = socket.create_connection((host, port), timeout=timeout_s)
        bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wire = _Wire(bare, timeout_s)
        self._raw_head = b""
        try:
            self._wire.set_time(time.perf_counter())
            secured = None if context is None else _Secured(self._wire, context, host)
        except BaseException:
            self._wire.close()
            raise
        self._send = self._wire.send if secured is None else secured.send
        self._receive = self._wire.receive if secured is None else secured.receive

    @property
    def is_stale(self) -> bool:
        """Whether the other side has closed it while it was idle."""
        return self._wire.is_lost

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def exchange(self, request: bytes) -> tuple[Reply, bool]:
        """Return the answer and whether the connection may be used again.

        Raises OSError, TimeoutError when the whole answer is not there in time however small its
        pieces, and BrokenAnswerError for what is no HTTP/1.1.
        """
        self._wire.set_time(time.perf_counter())
        self._send(request)
        head, data = self._head(self._receive())
        status = _number(head[9:12])
        at = head.find(b"\r\ncontent-length:")
        is_reusable = b"connection: close" not in head and head.startswith(b"http/1.1 ")
        if at >= 0:
            line_end = head.find(b"\r\n", at + 2)
            length = _number(head[at + 17 : line_end if line_end >= 0 else None].strip())
            if length > _ANSWER_BYTES_MAX:
                raise BrokenAnswerError("the answer is too long")
            if len(data) < length:
                data = self._at_least(data, length)
            is_reusable = is_reusable and len(data) == length
            body = data[:length]
        elif b"\r\ntransfer-encoding: chunked" in head:
            body, rest = self._chunks(data)
            is_reusable = is_reusable and not rest
        elif status in {204, 304}:
            body = b""
        else:
            raise BrokenAnswerError("the answer has no length")
        return Reply(status, body, self._raw_head), is_reusable

    def _head(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the answer's head in small letters and what has come behind it."""
        while True:
            while (end := data.find(b"\r\n\r\n")) < 0:
                if len(data) > _HEAD_BYTES_MAX:
                    raise BrokenAnswerError("the head of the answer has no end")
                data += self._more()
            self._raw_head, data = data[:end], data[end + 4 :]
            head = self._raw_head.lower()
            if not head.startswith(b"http/1."):
                raise BrokenAnswerError("the answer is no HTTP/1.1")
            if head[9:10] != b"1":
                return head, data
            # 1xx comes before the answer: 100 Continue, 103 Early Hints.

    def _at_least(self, data: bytes, length: int) -> bytes:
        pieces, missing = [data], length - len(data)
        while missing > 0:
            piece = self._more()
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _chunks(self, data: bytes) -> tuple[bytes, bytes]:
        """Return a chunked body, and what has come behind it."""
        body: list[bytes] = []
        total = 0
        while True:
            size_line, data = self._line(data)
            size = _number(size_line.partition(b";")[0].strip(), base=16)
            if size == 0:
                break
            total += size
            if total > _ANSWER_BYTES_MAX:
                raise BrokenAnswerError("the answer is too long")
            data = self._at_least(data, size + 2)
            if data[size : size + 2] != b"\r\n":
                raise BrokenAnswerError("a chunk is longer than it says")
            body.append(data[:size])
            data = data[size + 2 :]
        while True:  # Trailers, ended by an empty line.
            line, data = self._line(data)
            if not line:
                return b"".join(body), data

    def _line(self, data: bytes) -> tuple[bytes, bytes]:
        while (end := data.find(b"\r\n")) < 0:
            if len(data) > _HEAD_BYTES_MAX:
                raise BrokenAnswerError("a line of the answer has no end")
            data += self._more()
        return data[:end], data[end + 2 :]

    def _more(self) -> bytes:
        data = self._receive()
        if not data:
            raise ConnectionResetError("closed in the middle of an answer")
        return data
