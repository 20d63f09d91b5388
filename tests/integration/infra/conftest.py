"""Folders, and supervisors in processes of their own, for the tests of the embedded PostgreSQL."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SUPERVISOR = Path(__file__).with_name("run_supervisor.py")
PLAIN_UID = pwd.getpwnam("daemon").pw_uid  # On every system; initdb wants an account with a name.
START_TIMEOUT_S = 60.0

SpawnSupervisor = Callable[..., "Supervisor"]


@dataclass
class Supervisor:
    """A running `run_supervisor.py`."""

    process: subprocess.Popen[str]
    server_pid: int | None = None

    def report(self) -> dict[str, Any]:
        """Return what it printed: the server's facts, or an error."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the supervisor ended with {self.process.wait(START_TIMEOUT_S)}"
        report: dict[str, Any] = json.loads(line)
        self.server_pid = report.get("pid")
        return report

    def tell(self, word: str) -> int:
        """Send a word; return the exit status."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.process.wait(START_TIMEOUT_S)

    def end(self) -> None:
        """Kill it, if it still runs, close its pipes, and wait for the server to follow it."""
        self.process.kill()
        self.process.wait(START_TIMEOUT_S)
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.server_pid is not None and Path(f"/proc/{self.server_pid}").exists():
            assert time.monotonic() < deadline, "the server outlived its supervisor"
            time.sleep(0.02)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def start_supervisor(data_dir: Path, *, plain_user: bool, uid: int) -> Supervisor:
    """Start a supervisor for `data_dir`, as `uid` if we are root and a plain user is wanted."""
    switch = plain_user and os.geteuid() == 0
    identity: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": []} if switch else {}
    interpreter = _interpreter_for_plain_user() if switch else sys.executable
    process = subprocess.Popen(  # noqa: S603 - our own script
        [interpreter, str(SUPERVISOR), data_dir],
        env={"PYTHONPATH": _python_path(), "PATH": os.defpath},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **identity,
    )
    return Supervisor(process)


def _python_path() -> str:
    installed = [entry for entry in sys.path if entry.endswith("-packages")]
    return os.pathsep.join([str(ROOT), *installed])


def _interpreter_for_plain_user() -> str:
    """Return a Python that PLAIN_UID can run with our packages; skip the test if there is none."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for program in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        try:
            done = subprocess.run(  # noqa: S603 - this interpreter, or one of its places
                [program, "-c", "import asyncpg, emvs.infra.embedded_postgres"],
                env={"PYTHONPATH": _python_path()},
                cwd="/",
                capture_output=True,
                check=False,
                user=PLAIN_UID,
                group=PLAIN_UID,
                extra_groups=[],
            )
        except OSError:
            continue
        if done.returncode == 0:
            return program
    pytest.skip(f"NOT TESTED as a normal user: uid {PLAIN_UID} can reach no {version} or the code")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account can enter (`tmp_path` is private to the user)."""
    folder = Path(tempfile.mkdtemp(prefix="emvs-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["open", "private"])
def data_dir(request: pytest.FixtureRequest, open_folder: Path) -> Path:
    """A data directory yet to be made, in a folder open to all or closed to all but its owner."""
    folder = open_folder / str(request.param)
    folder.mkdir(mode=0o755 if request.param == "open" else 0o700)
    return folder / "postgres"


@pytest.fixture
def private_data_dir(tmp_path: Path) -> Path:
    """A data directory yet to be made, where only this user can go (pytest makes it so)."""
    return tmp_path / "postgres"


@pytest.fixture
def spawn_supervisor() -> Iterator[SpawnSupervisor]:
    """Starts supervisors, as PLAIN_UID on request; ends those that are left."""
    spawned: list[Supervisor] = []

    def spawn(data_dir: Path, *, plain_user: bool = False, uid: int = PLAIN_UID) -> Supervisor:
        spawned.append(start_supervisor(data_dir, plain_user=plain_user, uid=uid))
        return spawned[-1]

    yield spawn
    for supervisor in spawned:
        supervisor.end()


@pytest.fixture
def plain_uid() -> int:
    """The account of supervisors that are spawned as a plain user."""
    return PLAIN_UID
