"""What the load generator itself costs: processor time a request against a peer of literal answers.

    .venv/bin/python -m loadtests.generator_cost [RATE] [SECONDS]

All of a request's way is in it: arrivals, packs, writing, sending, reading, judging, samples and
Locust's statistics. The peer answers every request with success, in a process of its own.
"""

from __future__ import annotations

import gc
import select
import socket
import subprocess
import sys
import time
from typing import Final

_SECONDS_MAX: Final = 60.0
_BODY: Final = b'<e><b t:code="NMVS_SUCCESS">%s</b></e>' % (b"x" * 700)
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


def serve() -> None:
    """Print a port, and answer there for two minutes or until this process is ended."""
    until = time.monotonic() + 2 * _SECONDS_MAX
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        loop = select.epoll()
        loop.register(listener, select.EPOLLIN)
        connections: dict[int, socket.socket] = {}
        while time.monotonic() < until:
            for number, _ in loop.poll(1.0):
                if number == listener.fileno():
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    connections[connection.fileno()] = connection
                    loop.register(connection, select.EPOLLIN)
                elif connections[number].recv(65_536):
                    connections[number].sendall(_ANSWER)
                else:
                    connections.pop(number).close()


def measure(port: int, rate: float, seconds: float) -> tuple[float, float]:
    """Return microseconds of processor time a request, and requests a second."""
    # Locust first: it makes the sockets gevent's.
    import gevent  # noqa: PLC0415
    from locust.env import Environment  # noqa: PLC0415

    from loadtests.scenarios.generator import Generator  # noqa: PLC0415
    from loadtests.scenarios.locust_stats import Teller  # noqa: PLC0415
    from loadtests.scenarios.mix import Role  # noqa: PLC0415
    from loadtests.scenarios.packs import MarketPacks, divide  # noqa: PLC0415
    from loadtests.scenarios.plan import Plan, Site, SoapLogin  # noqa: PLC0415
    from loadtests.scenarios.samples import DTYPE  # noqa: PLC0415

    login = SoapLogin("DELOAD", "USER0001", "Load-Pass-1")
    sites = [
        Site(number, "DE", role, f"DE-{number}", f"http://127.0.0.1:{port}", soap=login)
        for number, role in enumerate([Role.PHARMACY] * 6 + [Role.HOSPITAL] * 2
                                      + [Role.WHOLESALER] * 2)
    ]  # fmt: skip
    flat = [(0.0, 1.0)]
    plan = Plan(
        preset="germany", seed=1, duration_s=seconds + 1, model="open", client="wire",
        scans=[(0.0, rate)], goods_in=[(0.0, 0.0)], bulk=flat, uploads=[(0.0, 0.0)],
        market_shares={"DE": 1.0}, role_shares=dict(zip(Role, (0.83, 0.13, 0.04), strict=True)),
        alerts=0.0, intermarket=0.0, manual=0.01, duplicates=0.0, bulk_share=0.0, recalls=0,
        pauses=True, lanes=200, sites=sites, foreign=None, maker=None, ca=None,
        packs=[MarketPacks("DE", "09527000000008", "000001", "301231",
                           *divide(round(rate * (seconds + 3)), generators=1))],
    )  # fmt: skip
    environment = Environment()
    environment.create_local_runner()
    generator = Generator(plan, index=0, generators=1, teller=Teller(environment))
    generator.warm_up()
    gc.collect()
    gc.freeze()
    lanes = {Role.PHARMACY: 120, Role.HOSPITAL: 40, Role.WHOLESALER: 40}

    def work(role: Role) -> None:
        while generator.carry(role):
            pass

    generator.start(lanes)
    for role, count in lanes.items():
        for _ in range(count):
            gevent.spawn(work, role)
    gevent.sleep(0.5)
    before, cpu_s, at = len(generator.rows), time.process_time(), time.perf_counter()
    gevent.sleep(seconds)
    cpu_s, took_s = time.process_time() - cpu_s, time.perf_counter() - at
    done = (len(generator.rows) - before) / DTYPE.itemsize
    return cpu_s / max(done, 1.0) * 1e6, done / took_s


def main() -> None:
    """Measure and print."""
    if sys.argv[1:] == ["--serve"]:
        serve()
        return
    rate, seconds = (float(text) for text in [*sys.argv[1:], *("4000", "5")[len(sys.argv) - 1 :]])
    if not (0 < rate <= 50_000 and 0 < seconds <= _SECONDS_MAX):
        sys.exit(f"a rate up to 50000/s, and up to {_SECONDS_MAX:g} seconds")
    peer = subprocess.Popen(
        [sys.executable, "-m", "loadtests.generator_cost", "--serve"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert peer.stdout is not None, "it is a pipe"
        cost, reached = measure(int(peer.stdout.readline()), rate, seconds)
    finally:
        peer.kill()
        peer.wait()
    sys.stdout.write(f"{cost:.1f} us of processor time a request at {reached:,.0f}/s\n")


if __name__ == "__main__":
    main()
