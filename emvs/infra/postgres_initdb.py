"""Makes the database of a data directory: all of it or nothing.

`initdb` works in a folder beside the final place, which gets its name only when it is complete and
on disk. A start that is interrupted leaves a folder that the next one removes.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emvs.infra.postgres_account import ServerAccount, can_traverse, require_name
from emvs.infra.postgres_binaries import Binaries
from emvs.infra.postgres_data_dir import UNFINISHED_PREFIX, DataDirectory
from emvs.infra.postgres_errors import DataDirectoryError, PostgresStartError
from emvs.infra.postgres_process import child_command, child_environment

SUPERUSER = "emvs"

_INITDB_TIMEOUT_S = 180.0
_TAIL_CHARS = 600
_BUILTIN_LOCALE_MAJOR_MIN = 17  # The first with a C.UTF-8 of its own, the same on every system.


def create_database(directory: DataDirectory, binaries: Binaries, account: ServerAccount) -> None:
    """Make the database with its superuser and password. PostgresStartError if initdb fails."""
    require_name(account)
    unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED_PREFIX, dir=directory.path))
    try:
        _give_to(unfinished, account)
        password = directory.make_password()
        with tempfile.TemporaryFile("w+") as password_file:
            password_file.write(password + "\n")
            password_file.flush()
            password_file.seek(0)
            if account.switches:
                os.fchown(password_file.fileno(), account.uid, account.gid)
            with server_path(unfinished, account) as path:
                _run_initdb(path, binaries, account, password_file.fileno())
        unfinished.rename(directory.pgdata)
        _sync_folder(directory.path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class ServerPath:
    """The name by which a server's program can open its folder, and what it must inherit."""

    name: str
    descriptors: tuple[int, ...]


@contextmanager
def server_path(folder: Path, account: ServerAccount) -> Iterator[ServerPath]:
    """Give the name by which a program of `account` can open `folder`, for as long as it starts.

    Root may want the data inside its private home, where the server's account cannot go. Linux
    lets a process enter a folder all the same that it was handed open, through /proc/self/fd. So
    no permission has to be changed, and the data stay where the user wants them. (The folder as
    the current one, /proc/self/cwd, would do for PostgreSQL 16 and newer only: the programs of 15
    leave it for a moment when they look for their own place.)
    """
    if not account.switches or can_traverse(folder, account):
        yield ServerPath(str(folder), ())
        return
    if not Path("/proc/self/fd").is_dir():
        raise DataDirectoryError(
            f"PostgreSQL refuses to run as root, and the account with uid {account.uid} that runs "
            f"it instead cannot reach {folder}. Choose a directory outside of private folders "
            "with --data."
        )
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield ServerPath(f"/proc/self/fd/{descriptor}", (descriptor,))
    finally:
        os.close(descriptor)


def _give_to(folder: Path, account: ServerAccount) -> None:
    if not account.switches:
        return
    try:
        os.chown(folder, account.uid, account.gid)
        given = folder.stat().st_uid == account.uid
    except OSError:
        given = False
    if not given:
        raise DataDirectoryError(
            f"PostgreSQL refuses to run as root, and {folder.parent} is on a file system where "
            f"files cannot be given to the account (uid {account.uid}) that runs it instead. "
            "Choose a directory on a local disk with --data."
        )


def _run_initdb(
    path: ServerPath, binaries: Binaries, account: ServerAccount, password_descriptor: int
) -> None:
    command = [
        str(binaries.initdb),
        f"--pgdata={path.name}",
        f"--username={SUPERUSER}",
        # An open file without a name: no other account can read it, and no folder is in the way.
        f"--pwfile=/dev/fd/{password_descriptor}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        *_locale_options(binaries.major),
        "--data-checksums",  # A page damaged on disk is reported, not served as an answer.
        "--no-instructions",
    ]
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            child_command(command, account, death_signal=signal.SIGTERM),
            cwd="/",  # Where every account may be.
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            pass_fds=[password_descriptor, *path.descriptors],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_INITDB_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PostgresStartError(
            f"Making a database took longer than {_INITDB_TIMEOUT_S:.0f} s and was given up. Is "
            "the disk very slow? Nothing was left behind."
        ) from error
    if done.returncode != 0:
        said = " ".join(done.stdout.split())[-_TAIL_CHARS:]
        raise PostgresStartError(
            f"PostgreSQL could not make a database (initdb of version {binaries.version} ended "
            f"with status {done.returncode}). It said: {said}"
        )


def _locale_options(major: int) -> list[str]:
    if major >= _BUILTIN_LOCALE_MAJOR_MIN:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
