"""The file of an offline queue: tables, transactions, and rows as entries. No rule of the queue.

SQLite in WAL mode with synchronous=FULL: a transaction that has ended is on disk.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from pharmacy_client.errors import ProfileError, QueueUnusableError
from pharmacy_client.queue_entries import Entry, Outcome, Standing, decode_call, moment

Execute = Callable[..., sqlite3.Cursor]
Row = Sequence[Any]

_BUSY_S: Final = 10.0
_VERSION: Final = "2"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS submissions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    ticket TEXT,
    begun_at REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id TEXT NOT NULL,
    pack TEXT NOT NULL,
    call BLOB NOT NULL,
    operation TEXT NOT NULL,
    happened_at REAL NOT NULL,
    standing TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    is_single INTEGER NOT NULL DEFAULT 0,
    submission INTEGER REFERENCES submissions (number),
    doubtful_since REAL,
    not_before REAL NOT NULL DEFAULT 0,
    outcome BLOB,
    settled_at REAL
) STRICT;
CREATE INDEX IF NOT EXISTS entries_open ON entries (pack, number)
    WHERE standing IN ('waiting', 'sending', 'doubtful');
CREATE INDEX IF NOT EXISTS entries_of_submission ON entries (submission)
    WHERE submission IS NOT NULL;
"""
COLUMNS: Final = (
    "number, item_id, call, happened_at, standing, attempts, is_single, outcome, settled_at"
)


class QueueFile:
    """One file, for several threads and processes at a time."""

    def __init__(self, path: Path, owner: str) -> None:
        """Open or make it. Raises ProfileError if it cannot be used, or is somebody else's."""
        self._path = path
        self._lock = threading.Lock()
        # Whoever reads waits for nobody that writes.
        self._read_lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(private(str(path), os.O_RDWR | os.O_CREAT))
            self._connection = self._connect()
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            with self.writing() as execute:
                for statement in _SCHEMA.split(";\n"):
                    if statement.strip():
                        execute(statement)
                execute("INSERT OR IGNORE INTO about VALUES ('owner', ?)", (owner,))
                execute("INSERT OR IGNORE INTO about VALUES ('version', ?)", (_VERSION,))
            self._reader = self._connect()
            about = dict(self.read("SELECT name, value FROM about"))
        except (sqlite3.Error, OSError, QueueUnusableError) as error:
            raise ProfileError(f"The offline queue {path} cannot be used: {error}.") from error
        if about["owner"] != owner or about["version"] != _VERSION:
            self.close()
            raise ProfileError(
                f"The offline queue {path} belongs to {about['owner']} (version"
                f" {about['version']}), not to {owner}. Give another file for this login."
            )

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
