"""One system as a child process: started, found ready, stopped. Restarts are the supervisor's.

A child is in a session of its own, so that a Ctrl-C at the terminal reaches the supervisor alone,
which stops everything in order; it ends by itself when the supervisor is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from emvs.infra.launch.data_directory import DataDirectory
from emvs.infra.launch.errors import LaunchError
from emvs.infra.launch.http_calls import CallError, HttpCalls

READY_S_MAX: Final = 600.0
"""A system loads its packs before it listens; ten million take a quarter of that (our choice)."""
_STOP_S_MAX: Final = 20.0
_READY_POLL_S: Final = 0.02
_LOG_TAIL_BYTES: Final = 16_384


class SystemSpec(NamedTuple):
    """What is started."""

    name: str
    """Also of its files: `hub`, `nmvs-ie`."""
    module: str
    address: str
    management: str
    config: dict[str, object]


class _ReadyFile(msgspec.Struct):
    pid: int


class SystemProcess:
    """A system's process. May be started again after it has ended."""

    def __init__(self, spec: SystemSpec, data: DataDirectory) -> None:
        self.spec = spec
        self.restarts = 0
        self._data = data
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    @property
    def log_path(self) -> Path:
        """What it has to say."""
        return self._data.log_path(self.spec.name)

    async def start(self, calls: HttpCalls, *, timeout_s: float = READY_S_MAX) -> None:
        """Return when it listens and says that it is healthy. Raises LaunchError."""
        config_path = self._data.config_path(self.spec.name)
        ready_path = self._data.ready_path(self.spec.name)
        ready_path.unlink(missing_ok=True)
        self._data.write(
            config_path, {**self.spec.config, "ready_file": str(ready_path)}, secret=True
        )
        log = self._data.open_log(self.spec.name)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", self.spec.module, "--config", str(config_path)),
                *("--with-parent", str(os.getpid())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except OSError as error:
            raise LaunchError(f"{self.spec.name} could not be started: {error}") from error
        finally:
            os.close(log)
        try:
            async with asyncio.timeout(timeout_s):
                await self._until_ready(ready_path, calls)
        except TimeoutError as error:
            raise LaunchError(
                f"{self.spec.name} was not ready after {timeout_s:g} s; its log is {self.log_path}"
            ) from error

    async def wait(self) -> int:
        """Return the exit status when it has ended; negative: the signal that ended it."""
        assert self._process is not None, "it has not been started"
        return await self._process.wait()

    async def stop(self, *, timeout_s: float = _STOP_S_MAX) -> None:
        """Return when it has ended: asked to first, by force after `timeout_s`."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(timeout_s):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def last_words(self) -> str:
        """Return the last line of the log that is a sentence, empty if there is none."""
        try:
            with self.log_path.open("rb") as file:
                file.seek(max(0, self.log_path.stat().st_size - _LOG_TAIL_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        # Everything but the sentence before an exit is JSON, or a line of a traceback.
        said = [line for line in lines if line.strip() and line[0] not in "{ "]
        words = said[-1].strip() if said else ""
        return words if words.endswith(".") or not words else f"{words}."

    async def _until_ready(self, ready_path: Path, calls: HttpCalls) -> None:
        assert self._process is not None
        while not self._is_announced(ready_path):
            self._raise_if_ended()
            await asyncio.sleep(_READY_POLL_S)
        while True:
            self._raise_if_ended()
            try:
                await calls.get(f"{self.spec.management}/health")
            except CallError:
                await asyncio.sleep(_READY_POLL_S)
            else:
                return

    def _is_announced(self, ready_path: Path) -> bool:
        assert self._process is not None
        try:
            ready = msgspec.json.decode(ready_path.read_bytes(), type=_ReadyFile)
        except (FileNotFoundError, msgspec.MsgspecError):
            return False
        return ready.pid == self._process.pid

    def _raise_if_ended(self) -> None:
        assert self._process is not None
        if self._process.returncode is not None:
            words = self.last_words()
            raise LaunchError(
                f"{self.spec.name} ended while it was starting"
                f" ({describe_exit(self._process.returncode)}).{' ' if words else ''}{words}"
                f" Its log is {self.log_path}"
            )


def describe_exit(status: int) -> str:
    """Return how a process ended, in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
