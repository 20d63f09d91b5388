"""One running PostgreSQL server process: its birth, its signals, its end, its log file.

Knows nothing of data directories and databases. A thread of its own gives birth to the server and
stays until the server ends, for two reasons: Linux ends the server when the thread that forked it
ends (`postgres_child`), and callers come and go on short-lived threads; and somebody has to notice
the server's end and bound its log.
"""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Collection
from pathlib import Path

from emvs.infra.log_files import bound_log
from emvs.infra.postgres_account import ServerAccount
from emvs.infra.postgres_errors import PostgresStartError

LOG_BYTES_MAX = 16 * 2**20  # One such file, and one older beside it.
_LOG_CHECK_INTERVAL_S = 60.0
_CHILD = Path(__file__).with_name("postgres_child.py")


def child_command(
    command: list[str], account: ServerAccount, *, death_signal: signal.Signals
) -> list[str]:
    """Return `command`, wrapped to run as `account` and to end when this process does."""
    uid = account.uid if account.switches else -1
    identity = [str(os.getpid()), str(uid), str(account.gid), str(int(death_signal))]
    return [sys.executable, "-I", "-S", str(_CHILD), *identity, *command]


def child_environment() -> dict[str, str]:
    """Return this environment without PostgreSQL's variables, messages in plain English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C"}


class ServerProcess:
    """A server that has been started; it may have ended since.

    Its own session keeps a Ctrl-C at the terminal from it: the systems that use the database are
    to be stopped first.
    """

    def __init__(
        self, command: list[str], *, log_path: Path, descriptors: Collection[int] = ()
    ) -> None:
        """Start `command`, which inherits `descriptors`; OSError becomes PostgresStartError."""
        self._command = command
        self._descriptors = descriptors
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self._descriptor: int | None = None
        self._birth_error: OSError | None = None
        self._born = threading.Event()
        self._ended = threading.Event()
        threading.Thread(target=self._keep, name="postgres-keeper", daemon=True).start()
        self._born.wait()
        if self._birth_error is not None:
            raise PostgresStartError(
                f"The PostgreSQL server could not be started: {self._birth_error}."
            ) from self._birth_error

    @property
    def pid(self) -> int:
        assert self._process is not None, "the constructor returns after the birth only"
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status (negative: the signal that ended it), None while it runs."""
        assert self._process is not None
        return self._process.returncode if self._ended.is_set() else None

    def wait(self, timeout_s: float) -> bool:
        """Return whether the server has ended within `timeout_s`."""
        return self._ended.wait(timeout_s)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the server has ended."""
        assert self._process is not None
        self._process.send_signal(number)

    def _keep(self) -> None:
        try:
            bound_log(self._log_path, LOG_BYTES_MAX)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            log = os.open(self._log_path, flags, 0o600)
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the supervisor's own command
                    self._command,
                    cwd="/",  # Where every account may be.
                    pass_fds=self._descriptors,
                    env=child_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            finally:
                os.close(log)
            self._descriptor = _process_descriptor(self._process.pid)
        except OSError as error:
            self._birth_error = error
            return
        finally:
            self._born.set()
        while not self._ended_within(_LOG_CHECK_INTERVAL_S):
            bound_log(self._log_path, LOG_BYTES_MAX)
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._ended.set()

    def _ended_within(self, timeout_s: float) -> bool:
        assert self._process is not None
        if self._descriptor is not None:
            poller = select.poll()
            poller.register(self._descriptor, select.POLLIN)
            if not poller.poll(timeout_s * 1000):
                return False
            self._process.wait()
            return True
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True


def _process_descriptor(pid: int) -> int | None:
    """Return something to sleep on until the process ends, where the system has such a thing.

    Popen.wait with a timeout, the other way, wakes twenty times a second.
    """
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # Linux before 5.3, or a sandbox that forbids it.
        return None
