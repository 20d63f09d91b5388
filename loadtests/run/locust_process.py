"""Locust as a program of its own, and what can be read of it while it runs."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from emvs.infra.launch.errors import LaunchError
from emvs.infra.loopback_ports import free_port
from loadtests.scenarios.plan import PLAN_VARIABLE, Plan

LOCUSTFILE: Final = Path(__file__).parents[1] / "locustfile.py"
LOG_NAME: Final = "locust.log"
_SPAWNED_PER_S: Final = 100
_STOP_S_MAX: Final = 20.0
_LAST_WORDS: Final = 3


def need_locust() -> None:
    """Raise LaunchError with the way out where Locust is not installed."""
    if importlib.util.find_spec("locust") is None:
        raise LaunchError(
            'Locust is not installed here. In a checkout `make load ARGS="run latvia"` installs it'
            " from locks/load.txt and runs; elsewhere `pip install 'emvs[load]'` does"
        )


@contextmanager
def locust_running(
    plan: Plan, folder: Path, *, processes: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Start Locust on a folder with a plan; end it in any case."""
    users = plan.lanes * processes + 1
    command = [
        *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless"),
        *("--users", str(users), "--spawn-rate", str(_SPAWNED_PER_S * processes)),
        *("--stop-timeout", "5", "--only-summary"),
    ]
    if processes > 1:
        port = str(free_port())  # Two runs at once do not meet each other's workers.
        command += ["--processes", str(processes), "--master-bind-host", "127.0.0.1"]
        command += ["--master-bind-port", port, "--master-port", port]
        command += ["--expect-workers", str(processes)]
    environment = os.environ | {PLAN_VARIABLE: str(folder / "plan.json")}
    with (folder / LOG_NAME).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - Locust with our own file.
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C is ours to hand on.
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # Its own session: itself and its workers.
        process.wait()


def last_words(folder: Path) -> str:
    """Return the end of Locust's log."""
    lines = (folder / LOG_NAME).read_text(errors="replace").strip().splitlines()
    return " / ".join(lines[-_LAST_WORDS:])
