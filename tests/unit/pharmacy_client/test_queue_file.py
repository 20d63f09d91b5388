"""Files of the offline queue that this program did not make, or not as it is now."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from emvs.states import Operation, State
from pharmacy_client import ProfileError
from pharmacy_client.offline_queue import OfflineQueue
from pharmacy_client.queue_entries import Standing
from pharmacy_client.replay import Replay
from tests.unit.pharmacy_client.test_offline_queue_machine import NationalSystem

# As the first version wrote it: a settled supply, an undo behind it, and one whose answer was lost.
VERSION_1 = """
PRAGMA journal_mode=WAL;
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE submissions (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, ticket TEXT,
    begun_at REAL NOT NULL) STRICT;
CREATE TABLE entries (number INTEGER PRIMARY KEY AUTOINCREMENT, item_id TEXT NOT NULL,
    pack TEXT NOT NULL, call BLOB NOT NULL, operation TEXT NOT NULL, happened_at REAL NOT NULL,
    standing TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    is_single INTEGER NOT NULL DEFAULT 0, submission INTEGER REFERENCES submissions (number),
    doubtful_since REAL, outcome BLOB, settled_at REAL) STRICT;
CREATE INDEX entries_open ON entries (pack, number)
    WHERE standing IN ('waiting', 'sending', 'doubtful');
CREATE INDEX entries_of_submission ON entries (submission) WHERE submission IS NOT NULL;
INSERT INTO about VALUES ('owner', 'me'), ('version', '1');
INSERT INTO entries (item_id, pack, call, operation, happened_at, standing, attempts,
    doubtful_since, outcome, settled_at) VALUES
 ('item-0001', 'GTIN:04150037528643:SN1', CAST('{"scheme":"GTIN","product_code":"04150037528643",
"serial_number":"SN1","operation":"SUPPLY","batch_id":"B1","expiry":"271231"}' AS BLOB), 'SUPPLY',
  1000000, 'settled', 1, NULL,
  CAST('{"category":"done","return_code":"11210200"}' AS BLOB), 1000001),
 ('item-0002', 'GTIN:04150037528643:SN1', CAST('{"scheme":"GTIN","product_code":"04150037528643",
"serial_number":"SN1","operation":"UNDO_SUPPLY","batch_id":"B1","expiry":"271231"}' AS BLOB),
  'UNDO_SUPPLY', 1000002, 'waiting', 0, NULL, NULL, NULL),
 ('item-0003', 'GTIN:04150037528643:SN2', CAST('{"scheme":"GTIN","product_code":"04150037528643",
"serial_number":"SN2","operation":"SUPPLY","batch_id":"B1","expiry":"271231"}' AS BLOB), 'SUPPLY',
  1000003, 'doubtful', 1, 1000003, NULL, NULL);
"""
# Brings a file up like the program does, and is killed before the last statement.
KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from pharmacy_client import queue_schema
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
def execute(statement, *values):
    if statement.startswith("UPDATE about"):
        os.kill(os.getpid(), signal.SIGKILL)
    return connection.execute(statement, *values)
execute("BEGIN IMMEDIATE")
queue_schema.prepare(execute, Path(sys.argv[1]), "me")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.sqlite"


def write(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


def test_a_file_of_the_first_version_gets_todays_permissions(path: Path) -> None:
    write(path, VERSION_1)
    OfflineQueue(path, "me").close()
    assert path.stat().st_mode & 0o077 == 0


async def test_a_file_of_the_first_version_is_brought_up_and_sent(path: Path) -> None:
    write(path, VERSION_1)
    system = NationalSystem(lists_bulks=True)
    system.states["SN1"] = State.SUPPLIED
    with OfflineQueue(path, "me") as queue:
        first, undo, doubtful = queue.entries()
        assert first.outcome is not None
        assert (first.standing, first.outcome.return_code) == (Standing.SETTLED, "11210200")
        assert (undo.call.operation, undo.standing) == (Operation.UNDO_SUPPLY, Standing.WAITING)
        assert doubtful.standing is Standing.DOUBTFUL
        replay = Replay(queue, system, system)
        while queue.open_count:
            assert await replay.step() is not None
            system.work()
        assert sorted(system.done) == ["item-0002", "item-0003"]
    with OfflineQueue(path, "me") as queue:  # Once is enough.
        assert queue.counts()[Standing.SETTLED] == 3


def test_whoever_is_killed_bringing_a_file_up_leaves_it_as_it_was(path: Path) -> None:
    write(path, VERSION_1)
    killed = subprocess.run(  # noqa: S603 - a program of ours.
        [sys.executable, "-c", KILLED, str(path)], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    connection = sqlite3.connect(path)
    columns = {row[1] for row in connection.execute("PRAGMA table_info(entries)")}
    connection.close()
    assert "not_before" not in columns
    with OfflineQueue(path, "me") as queue:
        assert queue.open_count == 2


LATER = VERSION_1.replace("('version', '1')", "('version', '3')")


@pytest.mark.parametrize(
    ("script", "owner", "why"),
    [
        ("CREATE TABLE customers (name TEXT)", "me", "no offline queue"),
        ("CREATE TABLE about (name TEXT, value TEXT)", "me", "no offline queue"),
        (LATER.replace("'owner'", "'who'"), "me", "no offline queue"),
        (LATER, "you", "belongs to me, not to you"),
        (LATER, "me", "version 3; this program knows 2. Use the program that wrote it"),
        (LATER, None, "version 3"),
    ],
)
def test_what_is_not_ours_is_refused_and_left_as_it_is(
    path: Path, script: str, owner: str | None, why: str
) -> None:
    write(path, script)
    before = path.read_bytes()
    with pytest.raises(ProfileError, match=why):
        OfflineQueue(path, owner)
    assert path.read_bytes() == before


def test_whoever_only_reads_makes_no_file(path: Path) -> None:
    with pytest.raises(ProfileError, match="No such file"):
        OfflineQueue(path, None)
    assert not list(path.parent.iterdir())
    OfflineQueue(path, "me").close()
    with OfflineQueue(path, None) as queue:
        assert queue.owner == "me"
