"""The journal's SQLite file: its tables, and one way to read and one to write."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from hub.obp.errors import JournalError
from hub.obp.profile import Profile

_SCHEMA: Final = """
create table if not exists job (
  number integer primary key,
  owner text not null,
  kind text not null,
  title text not null,
  fingerprint blob not null,
  created_at text not null
);
create index if not exists job_by_fingerprint on job (owner, fingerprint);
create table if not exists message (
  job integer not null references job (number) on delete cascade,
  position integer not null,
  message_type text not null,
  transaction_id text not null unique,
  serial_count integer not null,
  packed_bytes integer not null,
  acknowledgement_id text,
  hub_transaction_id text,
  primary key (job, position)
);
create table if not exists pending (
  owner text not null,
  message_type text not null,
  transaction_id text not null,
  primary key (owner, message_type)
);
create table if not exists begun (
  owner text not null,
  head blob not null,
  title text not null,
  begun_at text not null,
  primary key (owner, head)
);
create table if not exists last_reference (day text primary key, number integer not null);
"""
_WAIT_FOR_LOCK_S: Final = 30.0


class JournalDatabase:
    """One file, which processes may share. Threads take turns: jobs are prepared in one, while
    others are sent."""

    def __init__(self, folder: Path) -> None:
        """Raise JournalError if the file cannot be used."""
        self._folder = folder
        self._lock = threading.RLock()
        with ExitStack() as undo:
            try:
                self._connection = sqlite3.connect(
                    folder / "journal.sqlite3",
                    timeout=_WAIT_FOR_LOCK_S,
                    isolation_level=None,
                    check_same_thread=False,
                )
                undo.callback(self._connection.close)
                self._connection.executescript(
                    f"pragma journal_mode = wal; pragma synchronous = full;"
                    f" pragma foreign_keys = on; {_SCHEMA}"
                )
            except sqlite3.Error as error:
                raise unusable(folder, error) from error
            undo.pop_all()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Return what a query finds. Raises JournalError."""
        try:
            with self._lock:
                return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise unusable(self._folder, error) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give a transaction that is committed at the end. Raises JournalError."""
        database = self._connection
        try:
            with self._lock:
                database.execute("begin immediate")
                try:
                    yield database
                except BaseException:
                    database.execute("rollback")
                    raise
                database.execute("commit")
        except sqlite3.Error as error:
            raise unusable(self._folder, error) from error


def owner_of(profile: Profile) -> str:
    """Return under which name a client's jobs stand: of one hub, organisation and client."""
    return f"{profile.organisation_id}/{profile.client_id}@{profile.url.rstrip('/')}"


def unusable(folder: Path, error: Exception) -> JournalError:
    """Return what to tell of a journal that cannot be used, and how to go on."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return JournalError(
        f"the journal in {folder} cannot be used: {reason}. Nothing is sent without it; name"
        " another folder with OBP_JOURNAL"
    )
