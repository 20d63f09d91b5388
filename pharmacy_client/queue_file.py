"""The file of an offline queue: transactions, and rows as entries. No rule of the queue.

SQLite in WAL mode with synchronous=FULL: a transaction that has ended is on disk.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from pharmacy_client.errors import ProfileError, QueueUnusableError
from pharmacy_client.queue_entries import Entry, Outcome, Standing, decode_call, moment
from pharmacy_client.queue_schema import Execute, prepare

Row = Sequence[Any]

_BUSY_S: Final = 10.0
COLUMNS: Final = (
    "number, item_id, call, happened_at, standing, attempts, is_single, outcome, settled_at"
)


class QueueFile:
    """One file, for several threads and processes at a time."""

    def __init__(self, path: Path, owner: str | None) -> None:
        """Open or make it; without an owner open one that exists, whoever's it is.

        Raises ProfileError if it cannot be used, or is somebody else's.
        """
        self._path = path
        self._lock = threading.Lock()
        # Whoever reads waits for nobody that writes.
        self._read_lock = threading.Lock()
        with ExitStack() as undo:
            try:
                if owner is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                os.close(private(str(path), os.O_RDWR | (0 if owner is None else os.O_CREAT)))
                self._connection = self._connect()
                undo.callback(self._connection.close)
                self._connection.execute("PRAGMA synchronous=FULL")
                with self.writing() as execute:
                    self.owner = prepare(execute, path, owner)
                # Not before it is known to be ours.
                self._connection.execute("PRAGMA journal_mode=WAL")
                self._reader = self._connect()
            except (sqlite3.Error, OSError, QueueUnusableError) as error:
                raise ProfileError(f"The offline queue {path} cannot be used: {error}.") from error
            undo.pop_all()

    def close(self) -> None:
        """Close it."""
        with self._lock, self._read_lock:
            self._reader.close()
            self._connection.close()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )

    def read(self, query: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[Any]:
        """Return the rows of a query. Raises QueueUnusableError."""
        try:
            with self._read_lock:
                return self._reader.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._unusable("read", error) from error

    @contextmanager
    def writing(self) -> Iterator[Execute]:
        """One transaction, on disk when it ends, or not at all. Raises QueueUnusableError."""
        try:
            with self._lock:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection.execute
                    self._connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            raise self._unusable("written", error) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who sends. Raises QueueUnusableError if another process does."""
        import fcntl  # noqa: PLC0415 - not on every system, and only needed here.

        path = self._path.with_name(self._path.name + ".lock")
        with open(path, "w", opener=private) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise QueueUnusableError(
                    f"Another program is sending what waits in {self._path}."
                ) from error
            yield

    def _unusable(self, what: str, error: Exception) -> QueueUnusableError:
        return QueueUnusableError(f"The offline queue {self._path} cannot be {what}: {error}.")


def private(path: str, flags: int) -> int:
    """Open a file that only its owner may read: which pharmacy handed out what is nobody's else."""
    return os.open(path, flags, 0o600)


def entry_of(row: Row) -> Entry:
    """Return the entry of a row of COLUMNS."""
    number, item_id, call, happened_at, standing, attempts, is_single, outcome, settled_at = row
    return Entry(
        number=number,
        item_id=item_id,
        call=decode_call(call),
        happened_at=moment(happened_at),
        standing=Standing(standing),
        attempts=attempts,
        is_single=bool(is_single),
        outcome=None if outcome is None else msgspec.json.decode(outcome, type=Outcome),
        settled_at=None if settled_at is None else moment(settled_at),
    )
