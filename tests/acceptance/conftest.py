"""The command `emvs` as a user runs it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

EMVS = Path(sys.executable).parent / "emvs"
COMMAND_S_MAX = 100.0
POLL_S = 0.05


def wait_until(condition: Callable[[], bool], what: str, *, timeout_s: float = 30.0) -> None:
    """Return when `condition` holds; fail the test when it takes too long."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s:g} s"
        time.sleep(POLL_S)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and waits for its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return False
        try:  # No such files on this system.
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    return state != "Z"


@dataclass
class Environment:
    """A data directory and the command that works on it."""

    data: Path

    def emvs(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `emvs` to its end."""
        command = [str(EMVS), *arguments, "--data", str(self.data)]
        return subprocess.run(  # noqa: S603 - the command under test
            command, capture_output=True, text=True, timeout=COMMAND_S_MAX, check=False
        )

    def up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `emvs up --detach` on free ports; it must succeed."""
        done = self.emvs("up", "--detach", "--port-base", "0", *arguments)
        assert done.returncode == 0, done.stderr + self.logs()
        return done

    def endpoints(self) -> dict[str, Any]:
        """Return the public contract."""
        document: dict[str, Any] = json.loads((self.data / "endpoints.json").read_bytes())
        return document

    def state(self) -> dict[str, Any]:
        """Return what the supervisor says it runs."""
        document: dict[str, Any] = json.loads((self.data / "supervisor.json").read_bytes())
        return document

    def system(self, name: str) -> dict[str, Any]:
        """Return one system's line of the state."""
        return next(system for system in self.state()["systems"] if system["name"] == name)

    def pids(self) -> list[int]:
        """Return every process: the supervisor, PostgreSQL, the systems."""
        state = self.state()
        return [state["pid"], *(system["pid"] for system in state["systems"])]

    def supervisor_log(self) -> str:
        """Return what the detached supervisor printed."""
        return (self.data / "logs" / "supervisor.log").read_text()

    def logs(self) -> str:
        """Return the end of every log, for a failing test."""
        files = sorted(self.data.glob("logs/*.log"))
        return "\n".join(f"== {file.name}\n{file.read_text()[-2000:]}" for file in files)


def stop(environment: Environment) -> None:
    """Stop what runs there; everything must be gone afterwards."""
    pids = environment.pids() if (environment.data / "supervisor.json").exists() else []
    done = environment.emvs("down")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: not any(map(is_alive, pids)), "the end of every process", timeout_s=5)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    """A data directory in which nothing has run yet."""
    made = Environment(tmp_path / "data")
    yield made
    stop(made)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Three markets that run: one of each dialect, and one that speaks both."""
    made = Environment(tmp_path_factory.mktemp("emvs") / "data")
    try:
        welcome = made.up("--markets", "AT,IE,FI:soap+rest", "--packs", "30").stdout
        (made.data / "welcome.txt").write_text(welcome)
        yield made
    finally:
        stop(made)
