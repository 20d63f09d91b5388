"""Two ways to send a request from a Locust user: Locust's own fast client, or connections of ours.

The fast client takes some 160 us of processor time for each request, a bare keep-alive connection
with ready-made bytes some 30 us: where generator and server share two cores that decides which rate
can be driven. Both speak TLS with the site's own client certificate. Runs on gevent only.
"""

from __future__ import annotations

import select
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import gevent
from locust.contrib.fasthttp import FastHttpSession

from loadtests.scenarios.messages import Request
from loadtests.scenarios.plan import Site

_READ_BYTES: Final = 65_536
_ANSWER_BYTES_MAX: Final = 64 * 2**20
_HEAD_BYTES_MAX: Final = 65_536
_IDLE_S_MAX: Final = 1.0
"""A connection that was idle for longer is looked at before it is used."""


class Reply(NamedTuple):
    """An answer, or why there is none."""

    status: int
    """0: no answer."""
    body: bytes
    head: bytes = b""
    """Status line and headers, where the client gives them."""
    trouble: str = ""


def tls_context(site: Site, ca: str | None) -> ssl.SSLContext | None:
    """Return how to speak TLS for a site; None for plain addresses."""
    if not site.base.startswith("https:"):
        return None
    context = ssl.create_default_context(cadata=ca)
    if site.certificate:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(site.certificate)
            file.flush()
            context.load_cert_chain(file.name)
    return context


class BrokenAnswerError(Exception):
    """What came is no HTTP/1.1, or longer than can be."""


def _number(text: bytes, *, base: int = 10) -> int:
    """Return the number that these digits are: no sign, space or underscore."""
    if text.isalnum():
        with suppress(ValueError):
            return int(text, base)
    raise BrokenAnswerError(f"{text[:20]!r} is no number")


class Line:
    """One keep-alive connection."""

    def __init__(
        self, host: str, port: int, context: ssl.SSLContext | None, timeout_s: float
    ) -> None:
        bare = socket.create_connection((host, port), timeout=timeout_s)
        bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._socket = (
                bare if context is None else context.wrap_socket(bare, server_hostname=host)
            )
        except OSError:
            bare.close()
            raise
        self._socket.settimeout(timeout_s)
        self._timeout_s = timeout_s
        self._deadline = 0.0
        self._is_short_timed = False
        self._raw_head = b""
        # The kernel's socket under gevent's, which asks for the time-out on every call. Never
        # blocks. TLS has none: its bytes are made on the way.
        self._bare = getattr(bare, "_sock", None) if context is None else None
        self.used_at = time.perf_counter()

    def exchange(self, request: bytes) -> tuple[Reply, bool]:
        """Return the answer and whether the connection may be used again.

        Raises OSError, and BrokenAnswerError for what is no HTTP/1.1.
        """
        started = self.used_at = time.perf_counter()
        self._deadline = started + self._timeout_s
        if self._is_short_timed:
            self._socket.settimeout(self._timeout_s)
            self._is_short_timed = False
        self._send(request)
        head, data = self._head(self._socket.recv(_READ_BYTES))
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
        self.used_at = time.perf_counter()
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

    def _send(self, request: bytes) -> None:
        """Send it all. A request fits the kernel's buffer, so one call to the kernel will do."""
        sent = 0
        if self._bare is not None:
            with suppress(BlockingIOError):
                sent = self._bare.send(request)
        if sent < len(request):
            self._socket.sendall(request[sent:])

    def _more(self) -> bytes:
        """Return the next bytes. The time-out is the whole answer's, however small its pieces."""
        left_s = self._deadline - time.perf_counter()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s)
        self._is_short_timed = True
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionResetError("closed in the middle of an answer")
        return data

    def is_stale(self) -> bool:
        """Whether the other side has closed it while it was idle."""
        if time.perf_counter() - self.used_at < _IDLE_S_MAX:
            return False
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class WireClient:
    """Connections of ours to one site's market, the one used last first."""

    def __init__(self, site: Site, ca: str | None, timeout_s: float) -> None:
        address = urlsplit(site.base)
        assert address.hostname is not None, "a site has an address"
        self._host = address.hostname
        self._port = address.port or (443 if address.scheme == "https" else 80)
        self._context = tls_context(site, ca)
        self._timeout_s = timeout_s
        self._idle: list[Line] = []

    def send(self, request: Request) -> Reply:
        """Return the answer, or what went wrong. Nothing is sent twice."""
        line = None
        try:
            line = self._idle.pop() if self._idle else self._open()
            if line.is_stale():
                line.close()
                line = self._open()
            reply, is_reusable = line.exchange(request.as_bytes())
        except TimeoutError:
            _drop(line)
            return Reply(0, b"", trouble="timeout")
        except (OSError, BrokenAnswerError) as error:
            _drop(line)
            return Reply(0, b"", trouble=trouble_of(error))
        if is_reusable:
            self._idle.append(line)
        else:
            line.close()
        return reply

    def _open(self) -> Line:
        return Line(self._host, self._port, self._context, self._timeout_s)


def _drop(line: Line | None) -> None:
    if line is not None:
        line.close()


def trouble_of(error: BaseException) -> str:
    """Return a name of at most 12 characters."""
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "reset"
    if isinstance(error, BrokenAnswerError):
        return "broken"
    if isinstance(error, ssl.SSLError):
        return "tls"
    if "timed out" in str(error).lower() or isinstance(error, TimeoutError):
        return "timeout"
    return type(error).__name__.removesuffix("Error")[:12].lower() or "error"


class FastClient:
    """Locust's FastHttpSession for one site. Tells the user nothing itself: samples do."""

    def __init__(self, site: Site, ca: str | None, timeout_s: float, concurrency: int) -> None:
        self._base = site.base
        context = tls_context(site, ca)
        factory: Callable[[], Any] | None = None if context is None else lambda: context
        self._session = FastHttpSession(
            base_url=site.base,
            request_event=_Nobody(),
            user=None,
            insecure=False,
            ssl_context_factory=factory,
            concurrency=concurrency,
            network_timeout=timeout_s,
            connection_timeout=timeout_s,
            max_retries=0,
        )

    def send(self, request: Request) -> Reply:
        """Return the answer, or what went wrong."""
        response: Any = self._session.request(
            request.method,
            request.path,
            data=request.body or None,
            headers=request.headers(),
            allow_redirects=False,
        )
        status = response.status_code or 0
        if status == 0:
            error = response.error or OSError("no answer")
            return Reply(0, b"", trouble=trouble_of(error))
        head = "\r\n".join(f"{name}: {value}" for name, value in response.headers.items())
        return Reply(status, response.content or b"", head.encode())


class _Nobody:
    """An event that nobody listens to."""

    def fire(self, **_: Any) -> None:
        """Do nothing."""


def pause(seconds: float) -> None:
    """Let others run for so long."""
    gevent.sleep(seconds)
