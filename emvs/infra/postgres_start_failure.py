"""What the log of a server that ended while starting means for the user: a table.

Pure: text in, error out. The signs are parts of PostgreSQL's own English messages
(`lc_messages=C`), the first that fits counts.
"""

from emvs.infra.postgres_data_dir import DataDirectory
from emvs.infra.postgres_errors import (
    DataDirectoryBusyError,
    PostgresError,
    PostgresPortTakenError,
    PostgresStartError,
)

_LINES_SHOWN_MAX = 3
_LINE_CHARS_MAX = 300

_PORT_SIGNS = ("Address already in use", "could not create any TCP/IP sockets")
_BUSY_SIGNS = ("pre-existing shared memory block", 'lock file "postmaster.pid"')
_OUTSIDE_SIGNS = (
    # sign, what it means for the user
    ("No space left on device", "The disk is full; make room and start again."),
    ("Disk quota exceeded", "The disk quota is used up; make room and start again."),
    (
        "could not map anonymous shared memory",
        "There is not enough free memory for shared_buffers.",
    ),
    ("could not create shared memory segment", "The system's shared memory limits are too low."),
    ("too many open files", "The limit of open files is too low (ulimit -n)."),
    ("Read-only file system", "The disk is mounted read-only."),
    ("Permission denied", "The server's account may not use one of its files."),
    ("unrecognized configuration parameter", "A setting is wrong; see postgresql.conf."),
    ("invalid value for parameter", "A setting is wrong; see postgresql.conf."),
)
_DAMAGE_SIGNS = (
    "control file",
    "pg_control",
    "database files are incompatible with server",
    "checkpoint record",
    "invalid page",
    "PANIC",
    "could not open file",
    "could not read file",
    "could not open directory",
    "could not access status of transaction",
    "does not exist",
    "not a valid data directory",
    "backup_label",
    "corrupt",
)


def start_failure(
    directory: DataDirectory, *, port: int, exit_status: int | None, said: str
) -> PostgresError:
    """Return the error for a server that ended with `exit_status` after logging `said`.

    None is the exit status of a server that runs, but to no use.
    """
    shown = _telling_lines(said)
    if any(sign in said for sign in _PORT_SIGNS):
        return PostgresPortTakenError(
            f"Another program already listens on port {port} of 127.0.0.1, so PostgreSQL cannot. "
            "Choose another port, or let a free one be found (port 0)."
        )
    if any(sign in said for sign in _BUSY_SIGNS):
        return DataDirectoryBusyError(
            f"Another PostgreSQL server seems to work on {directory.pgdata}. It said: {shown}. "
            "End that server, or choose another directory with --data."
        )
    for sign, meaning in _OUTSIDE_SIGNS:
        if sign in said:
            return PostgresStartError(
                f"The PostgreSQL server did not start. {meaning} It said: {shown}. "
                f"The whole log is {directory.log_path}."
            )
    if any(sign in said for sign in _DAMAGE_SIGNS):
        return directory.damaged(f"its server refuses it, saying: {shown}")
    return PostgresStartError(
        f"The PostgreSQL server did not start: {_ending(exit_status)}. "
        f"It said: {shown}. The whole log is {directory.log_path}."
    )


def _ending(exit_status: int | None) -> str:
    if exit_status is None:
        return "it runs, but does not work"
    if exit_status < 0:
        return f"it was ended by signal {-exit_status}"
    return f"it ended with status {exit_status}"


def _telling_lines(said: str) -> str:
    """Return the last fatal lines of the log in one line, without their time stamps."""
    lines = [line.strip()[:_LINE_CHARS_MAX] for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    picked = (telling or lines)[-_LINES_SHOWN_MAX:]
    texts = [line.split(":  ", 1)[-1].rstrip(".") for line in picked]
    return " and ".join(f'"{text}"' for text in texts) or "nothing"
