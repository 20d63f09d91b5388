"""A server of literal bytes and the load generator's client in one gevent process.

`wire_peer.py CASES.json` answers one request of each case and prints what the client made of it.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import gevent
import locust  # noqa: F401 - patches the sockets, so first.

from loadtests.scenarios.messages import Request
from loadtests.scenarios.mix import Role
from loadtests.scenarios.plan import Site
from loadtests.scenarios.wire import WireClient

TIMEOUT_S = 0.5
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"


def serve(listener: socket.socket, pieces: list[str | None]) -> None:
    """Answer the first request with the pieces, others well, on one connection after the other."""
    answers = [pieces]
    while True:
        gevent.spawn(_answer, listener.accept()[0], answers)


def _answer(connection: socket.socket, answers: list[list[str | None]]) -> None:
    with connection:
        while connection.recv(65_536):
            if not answers:
                connection.sendall(GOOD)
                continue
            for piece in answers.pop():
                if piece is None:
                    return
                try:
                    connection.sendall(piece.encode("latin-1"))
                except OSError:
                    return
                gevent.sleep(0.02)


def ask(pieces: list[str | None]) -> dict[str, Any]:
    """Return what becomes of a request that is answered so, and of the next one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = gevent.spawn(serve, listener, pieces)
        port = listener.getsockname()[1]
        site = Site(0, "LV", Role.PHARMACY, "here", f"http://127.0.0.1:{port}")
        client = WireClient(site, None, TIMEOUT_S)
        request = Request("POST", "/", "Host: x\r\n", "body")
        started = time.perf_counter()
        reply = client.send(request)
        took_s = time.perf_counter() - started
        is_kept = bool(client._idle)
        following = client.send(request)
        assert (following.status, following.body) == (200, b"good"), following
        for line in client._idle:
            line.close()
        server.kill()
    return {
        "status": reply.status, "body": reply.body.decode("latin-1"), "trouble": reply.trouble,
        "is_kept": is_kept, "took_s": took_s,
    }  # fmt: skip


def main() -> None:
    """Ask all, many at a time."""
    cases: dict[str, list[str | None]] = json.loads(Path(sys.argv[1]).read_text())
    jobs = {name: gevent.spawn(ask, pieces) for name, pieces in cases.items()}
    json.dump({name: job.get() for name, job in jobs.items()}, sys.stdout)


main()
