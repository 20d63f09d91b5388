"""Folders, accounts and supervisors for the tests of the embedded PostgreSQL."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SUPERVISOR = Path(__file__).with_name("postgres_supervisor.py")
PLAIN_UID = pwd.getpwnam("daemon").pw_uid  # On every system; initdb wants an account with a name.
NAMELESS_UID = 54321
START_TIMEOUT_S = 60.0

SpawnSupervisor = Callable[..., "Supervisor"]


@dataclass
class Supervisor:
    """A running `postgres_supervisor.py`."""

    process: subprocess.Popen[str]

    def report(self) -> dict[str, Any]:
        """Return what it printed: the server's facts, or an error."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the supervisor ended with {self.process.wait(START_TIMEOUT_S)}"
        report: dict[str, Any] = json.loads(line)
        return report

    def tell(self, word: str) -> int:
        """Send a word; return the exit status."""
        self.process.communicate(word + "\n", timeout=START_TIMEOUT_S)
        return self.process.returncode


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
def spawn_supervisor() -> Iterator[SpawnSupervisor]:
    """Starts supervisors, as PLAIN_UID on request; ends those that are left."""
    spawned: list[Supervisor] = []

    def spawn(data_dir: Path, *, plain_user: bool = False, uid: int = PLAIN_UID) -> Supervisor:
        switch = plain_user and os.geteuid() == 0
        identity: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": []} if switch else {}
        process = subprocess.Popen(  # noqa: S603 - our own script
            [
                _interpreter_for_plain_user() if switch else sys.executable,
                str(SUPERVISOR),
                data_dir,
            ],
            env={"PYTHONPATH": _python_path(), "PATH": os.defpath},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **identity,
        )
        spawned.append(Supervisor(process))
        return spawned[-1]

    yield spawn
    for supervisor in spawned:
        supervisor.process.kill()
        supervisor.process.communicate(timeout=START_TIMEOUT_S)


def _python_path() -> str:
    return f"{ROOT}:{sysconfig.get_path('purelib')}:{sysconfig.get_path('platlib')}"


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
