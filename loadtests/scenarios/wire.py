"""Two ways to send a request from a Locust user: Locust's own fast client, or connections of ours.

The fast client takes some 130 us of processor time a request more than a bare keep-alive connection
with ready-made bytes: where generator and server share two cores that decides which rate can be
driven. Both speak TLS with the site's own client certificate. Runs on gevent only.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from locust.contrib.fasthttp import FastHttpSession

from loadtests.scenarios.connection import BrokenAnswerError, Line, Reply
from loadtests.scenarios.messages import Request
from loadtests.scenarios.plan import Site


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

    def open_ahead(self, count: int) -> None:
        """See that so many connections are open; one that cannot be opened shows later."""
        with suppress(OSError):
            while len(self._idle) < count:
                self._idle.append(self._open())

    def send(self, request: Request) -> Reply:
        """Return the answer, or what went wrong. Nothing is sent twice."""
        line = None
        try:
            line = self._idle.pop() if self._idle else self._open()
            if line.is_stale:
                line.close()
                line = self._open()
            reply, is_reusable = line.exchange(request.as_bytes())
        except TimeoutError:
            _drop(line)
            return Reply(0, b"", trouble="timeout")
        except (OSError, BrokenAnswerError) as error:
            _drop(line)
            return Reply(0, b"", trouble=trouble_of(error))
        except BaseException:  # Whoever waited is ended.
            _drop(line)
            raise
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
