"""The tables of an offline queue's file: made new, or brought up from an older version."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pharmacy_client.errors import ProfileError

Execute = Callable[..., sqlite3.Cursor]

VERSION: Final = 2
_TABLES: Final = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    """CREATE TABLE submissions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL,
        ticket TEXT,
        begun_at REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE entries (
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
    ) STRICT""",
    """CREATE INDEX entries_open ON entries (pack, number)
        WHERE standing IN ('waiting', 'sending', 'doubtful')""",
    """CREATE INDEX entries_of_submission ON entries (submission)
        WHERE submission IS NOT NULL""",
)
# What makes a file of a version one of the next.
_UPGRADES: Final[Mapping[str, tuple[str, ...]]] = {
    "1": (
        "ALTER TABLE entries ADD COLUMN not_before REAL NOT NULL DEFAULT 0",
        "UPDATE about SET value = '2' WHERE name = 'version'",
    ),
}


def prepare(execute: Execute, path: Path, owner: str | None) -> str:
    """Make the tables, or bring them up to this version; return whose queue it is.

    To be called inside one transaction: whoever is killed in it leaves the file as it was.
    `owner` is who it has to be, None whoever it is. Raises ProfileError for another's queue, one
    of a later version, and a file that is no queue.
    """
    tables = {name for (name,) in execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables and owner is not None:
        for statement in _TABLES:
            execute(statement)
        values = (("owner", owner), ("version", str(VERSION)))
        for name_and_value in values:
            execute("INSERT INTO about VALUES (?, ?)", name_and_value)
        return owner
    about: dict[str, str] = {}
    if {"about", "entries", "submissions"} <= tables:
        about = dict(execute("SELECT name, value FROM about").fetchall())
    if not {"owner", "version"} <= about.keys():
        raise ProfileError(f"{path} is no offline queue. Give another file.")
    found = about["owner"]
    if owner is not None and owner != found:
        raise ProfileError(
            f"The offline queue {path} belongs to {found}, not to {owner}. Give another file for"
            " this login."
        )
    version = about["version"]
    if version == "1":
        # What it was made with let others read it.
        path.chmod(0o600)
    while version in _UPGRADES:
        for statement in _UPGRADES[version]:
            execute(statement)
        (version,) = execute("SELECT value FROM about WHERE name = 'version'").fetchone()
    if version != str(VERSION):
        raise ProfileError(
            f"The offline queue {path} is of version {version}; this program knows {VERSION}. Use"
            " the program that wrote it, or a newer one."
        )
    return found
