"""A real PostgreSQL server inside a data directory, started and stopped as a child process.

The server lives no longer than the process that starts it: on Linux the kernel ends it when that
process dies, however it dies; elsewhere the next start stops what was left. The interface is
synchronous; asyncio callers run it in a thread (`asyncio.to_thread`), and may let that thread end.
A process that forks itself into the background must do so before it starts the server.

Data stay where the user asked for them, root's private home included (`server_path`). Programs
there are copied once to a public folder (`reachable_binaries`). For POSIX systems; elsewhere use
a server of your own with a DSN (`postgres_dsn`).
"""

import asyncio
import logging
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import asyncpg

from emvs.infra.loopback_ports import free_port, is_free
from emvs.infra.postgres_account import ServerAccount
from emvs.infra.postgres_binaries import Binaries, locate_binaries, reachable_binaries
from emvs.infra.postgres_data_dir import DataDirectory
from emvs.infra.postgres_errors import (
    DataDirectoryError,
    PostgresError,
    PostgresPortTakenError,
    PostgresStartError,
)
from emvs.infra.postgres_initdb import SUPERUSER, create_database, server_path
from emvs.infra.postgres_orphans import read_pid_file, settle_earlier_server
from emvs.infra.postgres_process import ServerProcess, child_command
from emvs.infra.postgres_settings import settings_arguments
from emvs.infra.postgres_start_failure import start_failure

DATABASE = "emvs"

_START_TIMEOUT_S = 300.0  # Recovery replays up to max_wal_size after a crash.
_STOP_TIMEOUT_S = 60.0
_FAILED_STOP_TIMEOUT_S = 5.0  # A damaged server may never get to its orderly end.
_IMMEDIATE_STOP_TIMEOUT_S = 10.0
_KILL_WAIT_S = 10.0
_CONNECT_TIMEOUT_S = 30.0
_READY_POLL_INTERVAL_S = 0.005
_SAME_PORT_WAIT_S = 5.0  # For the old port to become free again, before another is taken.
_PORT_ATTEMPTS_MAX = 5
_LOG_TAIL_BYTES = 16_384
_NAME_BYTES_MAX = 63  # PostgreSQL cuts longer names silently (NAMEDATALEN).

_NO_OVERRIDES: Mapping[str, str] = MappingProxyType({})
_log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """One server on one data directory. May be started again after it has stopped or died."""

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        pg_bin: Path | None = None,
        settings: Mapping[str, str] = _NO_OVERRIDES,
        start_timeout_s: float = _START_TIMEOUT_S,
    ) -> None:
        """Touch nothing yet. Port 0 is the port of the last start, or else a free one.

        `settings` replace or add lines of `postgres_settings`.
        """
        self._directory = DataDirectory(data_dir)
        self._wanted_port = port
        self._pg_bin = pg_bin
        self._settings = settings
        self._start_timeout_s = start_timeout_s
        self._port: int | None = None
        self._process: ServerProcess | None = None
        self._log_offset = 0  # Where the log of the last start begins.

    def start(self) -> None:
        """Return when the server accepts connections and has the database `emvs`.

        Makes the database at the first start, recovers it after a crash. Raises a PostgresError
        with a sentence for the user; then no server runs and nothing of the user's is deleted.
        """
        if self.is_running():
            return
        try:
            self._directory.open()
            self._start_locked()
            self._make_own_database()
        except BaseException as error:
            self.stop(_FAILED_STOP_TIMEOUT_S)
            if isinstance(error, OSError):
                raise DataDirectoryError(
                    f"The data directory {self._directory.path} cannot be used: {error}. Correct "
                    "that, or choose another directory with --data."
                ) from error
            raise

    def stop(self, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        """Stop the server with a checkpoint; after `timeout_s` without one. Frees the directory.

        Connections are closed and their open transactions rolled back.
        """
        process = self._process
        if process is not None and process.exit_status is None:
            process.send(signal.SIGINT)
            if not process.wait(timeout_s):
                _log.warning("postgres did not stop in %s s: recovery at the next start", timeout_s)
                process.send(signal.SIGQUIT)
                if not process.wait(_IMMEDIATE_STOP_TIMEOUT_S):
                    self.kill()
        self._process = None
        self._directory.close()

    def kill(self) -> None:
        """End the server at once as a crash would (tests of recovery). The directory stays ours."""
        if self._process is not None:
            self._process.send(signal.SIGKILL)
            self._process.wait(_KILL_WAIT_S)

    def is_running(self) -> bool:
        """Return whether the server process lives."""
        return self._process is not None and self._process.exit_status is None

    def poll(self) -> int | None:
        """Return the exit status of a server that has ended by itself, None while it runs."""
        return None if self._process is None else self._process.exit_status

    @property
    def pid(self) -> int:
        """The process id of the server (PostgreSQL calls it the postmaster)."""
        return self._started().pid

    @property
    def port(self) -> int:
        """The port on 127.0.0.1 where the server listens."""
        if self._port is None:
            raise PostgresError("The PostgreSQL server has not been started.")
        return self._port

    @property
    def log_path(self) -> Path:
        """The server's log."""
        return self._directory.log_path

    def dsn(self, database: str = DATABASE) -> str:
        """Return the address of `database` with user and password: keep it out of logs."""
        port, password = self.port, self._directory.password()
        # The server has no TLS, being on loopback: asking for it would cost a round trip.
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}?sslmode=disable"

    def create_database_if_absent(self, name: str) -> None:
        """Make the database `name` unless there is one."""
        if not name.isidentifier() or not name.isascii() or len(name) > _NAME_BYTES_MAX:
            raise PostgresError(
                f"A database cannot be called {name!r}: letters, digits and underscores, "
                f"{_NAME_BYTES_MAX} at most, a letter first."
            )
        # In a thread of its own, because the caller's may be running an event loop.
        with ThreadPoolExecutor(max_workers=1) as thread:
            thread.submit(asyncio.run, self._create_database(name)).result()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _started(self) -> ServerProcess:
        if self._process is None:
            raise PostgresError("The PostgreSQL server has not been started.")
        return self._process

    def _start_locked(self) -> None:
        directory = self._directory
        directory.remove_unfinished()
        exists = directory.has_database()
        account = directory.account()
        found = locate_binaries(self._pg_bin, major=directory.major())
        binaries = reachable_binaries(found, account)
        if exists:
            directory.check(binaries)
            directory.password()
            settle_earlier_server(directory.pgdata)
        else:
            create_database(directory, binaries, account)
        for attempt in range(1, _PORT_ATTEMPTS_MAX + 1):
            port = self._choose_port(attempt)
            try:
                self._launch(binaries, account, port)
            except PostgresPortTakenError:
                if self._wanted_port != 0 or attempt == _PORT_ATTEMPTS_MAX:
                    raise
            else:
                break

    def _choose_port(self, attempt: int) -> int:
        """Return the port to try: clients that hold our DSN find us again only on the old one."""
        if self._wanted_port != 0:
            return self._wanted_port
        last = self._directory.port() if attempt == 1 else None
        if last is None:
            return free_port()
        deadline = time.monotonic() + _SAME_PORT_WAIT_S
        while not is_free(last):
            if time.monotonic() > deadline:
                _log.warning("port %s of the last start is taken: using another", last)
                return free_port()
            time.sleep(_READY_POLL_INTERVAL_S)
        return last

    def _launch(self, binaries: Binaries, account: ServerAccount, port: int) -> None:
        """Start the server and return when it accepts connections on `port`."""
        pgdata = self._directory.pgdata
        self._log_offset = self._log_bytes()
        with server_path(pgdata, account) as path:
            settings = settings_arguments(port, self._settings)
            command = [str(binaries.postgres), "-D", path.name, *settings]
            process = ServerProcess(
                # A fast shutdown at our death: clean, and the next start needs no recovery.
                child_command(command, account, death_signal=signal.SIGINT),
                log_path=self.log_path,
                descriptors=path.descriptors,
            )
        self._process = process
        self._port = port
        deadline = time.monotonic() + self._start_timeout_s
        while not process.wait(_READY_POLL_INTERVAL_S):
            known = read_pid_file(pgdata)
            if known is not None and known.pid == process.pid and known.is_ready:
                self._directory.remember_port(port)
                return
            if time.monotonic() > deadline:
                raise PostgresStartError(
                    f"The PostgreSQL server was not ready after {self._start_timeout_s:.0f} s and "
                    f"was stopped. What it was doing is in its log, {self.log_path}. Starting it "
                    "again is safe: recovery goes on."
                )
        self._process = None
        raise self._start_failure(process.exit_status)

    def _make_own_database(self) -> None:
        """Make the database `emvs`: the first use of the server, where hidden damage shows."""
        try:
            self.create_database_if_absent(DATABASE)
        except DataDirectoryError:
            raise
        except PostgresError as error:
            raise self._start_failure(self.poll()) from error

    def _start_failure(self, exit_status: int | None) -> PostgresError:
        said = self._log_since(self._log_offset)
        return start_failure(self._directory, port=self.port, exit_status=exit_status, said=said)

    def _log_bytes(self) -> int:
        try:
            return self.log_path.stat().st_size
        except FileNotFoundError:
            return 0

    def _log_since(self, offset: int) -> str:
        size = self._log_bytes()
        # A log that has shrunk was emptied meanwhile, so all of it is new.
        begin = max(offset if offset <= size else 0, size - _LOG_TAIL_BYTES)
        with self.log_path.open("rb") as file:
            file.seek(begin)
            return file.read(_LOG_TAIL_BYTES).decode(errors="replace")

    async def _create_database(self, name: str) -> None:
        try:
            connection = await asyncpg.connect(self.dsn("postgres"), timeout=_CONNECT_TIMEOUT_S)
            try:
                if await connection.fetchval("select 1 from pg_database where datname = $1", name):
                    return
                await connection.execute(f'create database "{name}"')
            finally:
                await connection.close()
        except asyncpg.DuplicateDatabaseError:
            return  # Somebody else was faster.
        except asyncpg.InvalidPasswordError as error:
            raise self._directory.damaged("it does not accept the password beside it") from error
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise PostgresError(
                f"The database {name} could not be made: {error}. The server's log is "
                f"{self.log_path}."
            ) from error
