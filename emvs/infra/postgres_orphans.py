"""Servers that an earlier run left on a data directory: found, stopped, or waited for.

Must be called under the supervisor's lock of that directory: with it held, no living supervisor
owns the server that is found, so the server is an orphan and may be stopped. A process is taken
for a server of the directory only if it *works there*, never because of its number alone: numbers
are given again, in a container even the same ones after each start.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from emvs.infra.postgres_errors import DataDirectoryBusyError

FAST_STOP_WAIT_S = 60.0  # A shutdown checkpoint of a full cache on a slow disk.
IMMEDIATE_STOP_WAIT_S = 10.0
_POLL_INTERVAL_S = 0.02
_PS_TIMEOUT_S = 10.0
_READY = "ready"


@dataclass(frozen=True, slots=True)
class PidFile:
    """What PostgreSQL writes about itself into postmaster.pid (miscadmin.h, LOCK_FILE_LINE_*)."""

    pid: int
    is_ready: bool


def read_pid_file(pgdata: Path) -> PidFile | None:
    """Return what postmaster.pid says; None if it is missing or not (yet) readable as such."""
    try:
        lines = (pgdata / "postmaster.pid").read_text(errors="replace").split("\n")
        pid = int(lines[0])
    except (FileNotFoundError, ValueError):
        return None
    if pid <= 0:
        return None
    return PidFile(pid, is_ready=len(lines) > 7 and lines[7].strip() == _READY)


def settle_earlier_server(pgdata: Path) -> None:
    """Return when no server works on `pgdata` any more, and none seems to.

    A whole server is told to stop and waited for. Backends whose server was killed notice that
    and end by themselves; they get no SIGINT, which means other things to them.
    DataDirectoryBusyError if something stays.
    """
    alive = _server_pids(pgdata)
    if alive:
        known = read_pid_file(pgdata)
        if known is not None and known.pid in alive:
            _send(signal.SIGINT, [known.pid])  # "Fast": roll back, checkpoint, end.
        alive = _wait_until_gone(pgdata, FAST_STOP_WAIT_S)
    if alive:
        _send(signal.SIGQUIT, alive)  # "Immediate": end without a checkpoint.
        alive = _wait_until_gone(pgdata, IMMEDIATE_STOP_WAIT_S)
    if alive:
        raise DataDirectoryBusyError(
            f"A PostgreSQL server of an earlier run (process {alive[0]}) still works on {pgdata} "
            "and does not stop. End that process, or choose another directory with --data."
        )
    _disown_stale_pid_file(pgdata)


def _disown_stale_pid_file(pgdata: Path) -> None:
    """Put our number into a stale postmaster.pid that would keep PostgreSQL from starting.

    That is one whose number is now somebody else's, and one that a power cut left empty.
    PostgreSQL refuses to start while the process named there lives, unless it is its own parent:
    that can only be a leftover (miscinit.c, CreateLockFile). The rest of the file stays, because
    from it PostgreSQL sees whether its old shared memory is still in use.
    """
    path = pgdata / "postmaster.pid"
    known = read_pid_file(pgdata)
    if not path.exists() or (known is not None and not _is_alive(known.pid)):
        return
    _, _, rest = path.read_text(errors="replace").partition("\n")
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{os.getpid()}\n{rest}")


def _server_pids(pgdata: Path) -> list[int]:
    if Path("/proc/self/cwd").exists():
        return _server_pids_by_folder(pgdata)
    known = read_pid_file(pgdata)
    return [known.pid] if known is not None and _ps_shows_server(known.pid, pgdata) else []


def _server_pids_by_folder(pgdata: Path) -> list[int]:
    """Return the processes that run `postgres` in the folder `pgdata`: PostgreSQL never leaves it.

    The folder is compared by its inode, so that names and links do not matter.
    """
    folder = pgdata.stat()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if not os.path.samestat((entry / "cwd").stat(), folder):
                continue
            program = (entry / "exe").readlink().name
        except OSError:  # It has ended meanwhile, or belongs to another user.
            continue
        if program.removesuffix(" (deleted)") == "postgres":
            found.append(int(entry.name))
    return sorted(found)


def _ps_shows_server(pid: int, pgdata: Path) -> bool:
    done = subprocess.run(  # noqa: S603 - a number is all that varies
        ["/bin/ps", "-ww", "-p", str(pid), "-o", "command="],
        capture_output=True,
        text=True,
        timeout=_PS_TIMEOUT_S,
        check=False,
    )
    return "postgres" in done.stdout and str(pgdata) in done.stdout


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _wait_until_gone(pgdata: Path, wait_s: float) -> list[int]:
    """Wait until no server works on `pgdata`, `wait_s` at most; return those that still do."""
    deadline = time.monotonic() + wait_s
    while (alive := _server_pids(pgdata)) and time.monotonic() < deadline:
        time.sleep(_POLL_INTERVAL_S)
    return alive
