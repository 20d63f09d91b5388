"""The directory of one embedded database: its layout, its lock, its password, its checks.

    lock           held while a supervisor lives; names its process
    password       of the role emvs, mode 0600
    port           where the server listened last
    postgres.log   of the server
    pgdata/        the database itself, owned by the server's account

Starts no server. Nothing the user may want is ever deleted here: what cannot be used is refused
with a sentence that says why. Only leftovers of our own unfinished initdb are removed.
"""

import fcntl
import os
import secrets
import shutil
import time
from pathlib import Path

from emvs.infra.postgres_account import ServerAccount, account_for
from emvs.infra.postgres_binaries import Binaries
from emvs.infra.postgres_errors import (
    DataDirectoryBusyError,
    DataDirectoryDamagedError,
    DataDirectoryError,
    DataDirectoryVersionError,
)

UNFINISHED_PREFIX = "pgdata.unfinished-"

_CONTROL_FILE_BYTES = 8192  # PG_CONTROL_FILE_SIZE, the same in all versions in question.
_MODES_ALLOWED = frozenset({0o700, 0o750})  # What PostgreSQL itself insists on.
_PASSWORD_BYTES = 24
_REMOVAL_WAIT_S = 5.0
_REMOVAL_INTERVAL_S = 0.02
_PARTS = ("base", "global", "pg_wal", "pg_xact", "postgresql.conf", "pg_hba.conf")


class DataDirectory:
    """One directory, locked between `open` and `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.pgdata = self.path / "pgdata"
        self.log_path = self.path / "postgres.log"
        self._lock_descriptor: int | None = None

    def open(self) -> None:
        """Make the directory if it is missing, and take its lock."""
        if self._lock_descriptor is not None:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if (self.path / "PG_VERSION").exists():
                raise DataDirectoryError(
                    f"{self.path} is a PostgreSQL database made by another program. Choose another "
                    "directory with --data, or run that database's own server and use --dsn."
                )
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(self.path / "lock", flags, 0o644)
        except (FileExistsError, NotADirectoryError) as error:
            raise DataDirectoryError(
                f"The data directory {self.path} cannot be made: there is a file in its place. "
                "Choose another directory with --data."
            ) from error
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise DataDirectoryBusyError(
                f"The data directory {self.path} is in use by another run (process {holder}). "
                "Stop that one first (emvs down), or choose another directory with --data."
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._lock_descriptor = descriptor

    def close(self) -> None:
        """Give the lock back; the kernel does the same when the process is killed."""
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None

    def account(self) -> ServerAccount:
        """Return the account of this database's server."""
        return account_for(self.pgdata)

    def has_database(self) -> bool:
        """Return whether there is a database; DataDirectoryError if something else is there."""
        if self.pgdata.is_symlink() and not self.pgdata.exists():
            raise DataDirectoryError(
                f"{self.pgdata} is a link to a place that does not exist. Mend the link, or "
                "choose another directory with --data."
            )
        if self.pgdata.exists() and not self.pgdata.is_dir():
            raise DataDirectoryError(
                f"{self.pgdata} is a file, not the folder of a database. Move it away, or choose "
                "another directory with --data."
            )
        return self.pgdata.is_dir()

    def major(self) -> int | None:
        """Return the major version that made the database; None if there is no database yet."""
        if not self.has_database():
            return None
        try:
            return int((self.pgdata / "PG_VERSION").read_text(encoding="ascii"))
        except FileNotFoundError as error:
            raise self.damaged("its file PG_VERSION is missing") from error
        except ValueError as error:
            raise self.damaged("its file PG_VERSION does not hold a version number") from error
        except PermissionError as error:
            raise self._unwritable(error) from error

    def check(self, binaries: Binaries) -> None:
        """Raise what keeps the database from being run by `binaries`, as far as files tell."""
        major = self.major()
        if major != binaries.major:
            raise DataDirectoryVersionError(
                f"The database in {self.pgdata} was made by PostgreSQL {major}, but the programs "
                f"in {binaries.bin_dir} are version {binaries.version}. Name the programs of "
                f"PostgreSQL {major} with --pg-bin, or choose another directory with --data."
            )
        mode = self.pgdata.stat().st_mode & 0o777
        if mode not in _MODES_ALLOWED:
            raise DataDirectoryError(
                f"{self.pgdata} has the permissions {mode:04o}, and PostgreSQL refuses a database "
                f"that others may enter. Close it with: chmod 700 {self.pgdata}"
            )
        for name in _PARTS:
            if not (self.pgdata / name).exists():
                raise self.damaged(f"its part {name} is missing")
        control = self.pgdata / "global" / "pg_control"
        if not control.is_file():
            raise self.damaged("its file global/pg_control is missing")
        if control.stat().st_size != _CONTROL_FILE_BYTES:
            raise self.damaged("its file global/pg_control has the wrong length")

    def damaged(self, what: str) -> DataDirectoryDamagedError:
        """Return the error for a database of which `what` is wrong."""
        return DataDirectoryDamagedError(
            f"The database in {self.pgdata} is damaged: {what}. Nothing was changed. Put a backup "
            f"in its place, or move {self.path} away (it is made anew at the next start), or "
            f"choose another directory with --data. The server's log is {self.log_path}."
        )

    def password(self) -> str:
        """Return the password of the role emvs."""
        path = self.path / "password"
        try:
            password = path.read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise self.damaged("the file with its password is missing beside it") from error
        except ValueError as error:
            raise self.damaged("the file with its password is not readable text") from error
        except OSError as error:
            raise self._unwritable(error) from error
        if not password:
            raise self.damaged("the file with its password is empty")
        return password

    def make_password(self) -> str:
        """Return a new password, kept on disk before the database that will ask for it."""
        path = self.path / "password"
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(password + "\n")
            file.flush()
            os.fsync(file.fileno())
        return password

    def port(self) -> int | None:
        """Return the port of the last start, None if it is not known."""
        try:
            port = int((self.path / "port").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return port if 0 < port < 2**16 else None

    def remember_port(self, port: int) -> None:
        """Keep the port for the next start."""
        try:
            (self.path / "port").write_text(f"{port}\n", encoding="ascii")
        except OSError as error:
            raise self._unwritable(error) from error

    def remove_unfinished(self) -> None:
        """Remove what an interrupted initdb of ours has left; it was never a database.

        That initdb may be about to end, and still write. What cannot be removed does no harm.
        """
        deadline = time.monotonic() + _REMOVAL_WAIT_S
        while leftovers := list(self.path.glob(UNFINISHED_PREFIX + "*")):
            for path in leftovers:
                shutil.rmtree(path, ignore_errors=True)
            if time.monotonic() > deadline:
                return
            time.sleep(_REMOVAL_INTERVAL_S)

    def _unwritable(self, error: OSError) -> DataDirectoryError:
        return DataDirectoryError(
            f"The data directory {self.path} cannot be used by uid {os.geteuid()}: "
            f"{error.strerror}. Correct that, or choose another directory with --data."
        )
