"""The data directory of one environment: its layout, its lock, its files.

supervisor.lock   held while a supervisor lives; names its process
supervisor.json   what runs now, for `emvs status`
settings.json     ports, tokens, database: kept from start to start (secret)
endpoints.json    a public contract; there while everything runs
demo.json         packs set aside for stories
stock.json        the further packs of this start
postgres/         the embedded database
run/              configuration and ready files of the systems (secret)
logs/             one log for each process
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import orjson

from emvs.infra.launch.errors import AlreadyRunningError, LaunchError
from emvs.infra.launch.settings import Settings
from emvs.infra.log_files import bound_log

_Document = TypeVar("_Document")
LOG_BYTES_MAX: Final = 8 * 2**20  # One such file, and one older beside it.
_LOCK_WAIT_S: Final = 0.3  # `emvs status` holds the lock for an instant while it looks.
_LOCK_POLL_S: Final = 0.02


class SystemState(msgspec.Struct):
    """A process as `emvs status` shows it."""

    name: str
    pid: int | None
    address: str
    management: str | None
    log: str
    restarts: int = 0


class SupervisorState(msgspec.Struct):
    """What runs."""

    pid: int
    phase: str
    """starting, ready or stopping."""
    systems: list[SystemState] = []


class DataDirectory:
    """Paths and files of one environment. Locked between `lock` and `unlock`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.shown = path
        """As the user wrote it, for messages."""
        self.postgres = self.path / "postgres"
        self.endpoints = self.path / "endpoints.json"
        self.demo = self.path / "demo.json"
        self.stock = self.path / "stock.json"
        self._lock_path = self.path / "supervisor.lock"
        self._descriptor: int | None = None

    def lock(self) -> None:
        """Make the directory and take its lock. AlreadyRunningError if a supervisor has it."""
        try:
            for folder in (self.path, self.path / "run", self.path / "logs"):
                folder.mkdir(parents=True, exist_ok=True)
            (self.path / "run").chmod(0o700)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self._lock_path, flags, 0o644)
        except OSError as error:
            raise self._unusable(error) from error
        deadline = time.monotonic() + _LOCK_WAIT_S
        while not _take(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                holder = _holder(descriptor)
                os.close(descriptor)
                raise AlreadyRunningError(
                    f"the systems of {self.shown} run already (process {holder}). `emvs status"
                    f" --data {self.shown}` shows them, `emvs down --data {self.shown}` stops"
                    " them; another directory with --data gets systems of its own"
                )
            time.sleep(_LOCK_POLL_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def unlock(self) -> None:
        """Give the lock back; the kernel does the same when the process is killed."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def running_pid(self) -> int | None:
        """Return the process of the supervisor that has the lock, None if nobody has."""
        try:
            descriptor = os.open(self._lock_path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            if _take(descriptor, fcntl.LOCK_SH):
                return None
            return _holder(descriptor)
        finally:
            os.close(descriptor)

    def read_settings(self) -> Settings | None:
        """Return what earlier starts have left, None before the first one."""
        return self._read(self.path / "settings.json", Settings)

    def write_settings(self, settings: Settings) -> None:
        """Keep the settings for the next start."""
        self.write(self.path / "settings.json", msgspec.to_builtins(settings), secret=True)

    def read_state(self) -> SupervisorState | None:
        """Return what a supervisor says it runs."""
        return self._read(self.path / "supervisor.json", SupervisorState)

    def write_state(self, state: SupervisorState) -> None:
        """Tell others what runs."""
        self.write(self.path / "supervisor.json", msgspec.to_builtins(state))

    def forget_state(self) -> None:
        """Remove what is true only while the systems run."""
        for path in (self.endpoints, self.demo, self.stock, self.path / "supervisor.json"):
            path.unlink(missing_ok=True)

    def config_path(self, name: str) -> Path:
        """Return where a system's configuration is."""
        return self.path / "run" / f"{name}.json"

    def ready_path(self, name: str) -> Path:
        """Return the file that a system writes when it listens."""
        return self.path / "run" / f"{name}.ready.json"

    def log_path(self, name: str) -> Path:
        """Return a process's log."""
        return self.path / "logs" / f"{name}.log"

    def open_log(self, name: str) -> int:
        """Return a descriptor that appends to a log; a full one is set aside first."""
        path = self.log_path(name)
        try:
            bound_log(path, LOG_BYTES_MAX)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            return os.open(path, flags, 0o644)
        except OSError as error:
            raise self._unusable(error) from error

    def bound_logs(self) -> None:
        """Set full logs aside, of processes that run too."""
        for path in self.log_path("any").parent.glob("*.log"):
            bound_log(path, LOG_BYTES_MAX)

    def write(self, path: Path, document: Any, *, secret: bool = False) -> None:
        """Write a JSON file so that a reader sees all of it or nothing."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            descriptor = os.open(temporary, flags, 0o600 if secret else 0o644)
            with os.fdopen(descriptor, "wb") as file:
                file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2))
                file.write(b"\n")
            temporary.replace(path)
        except OSError as error:
            raise self._unusable(error) from error

    def _read(self, path: Path, kind: type[_Document]) -> _Document | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error
        except msgspec.MsgspecError as error:
            raise LaunchError(
                f"{path} is not what this program wrote: {error}. Move {self.shown} away (it is"
                " made anew), or choose another directory with --data"
            ) from error

    def _unusable(self, error: OSError) -> LaunchError:
        return LaunchError(
            f"the data directory {self.shown} cannot be used: {error}. Correct that, or choose"
            " another directory with --data"
        )


def _take(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> int:
    try:
        return int(os.pread(descriptor, 20, 0).strip() or b"0")
    except ValueError:
        return 0
