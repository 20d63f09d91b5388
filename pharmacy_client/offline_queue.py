"""The offline queue: operations kept on disk until the national system has answered each.

What is added is on disk before `add` returns (SQLite, synchronous=FULL), and every step towards
the system is on disk before it is taken, so that a killed till knows what it may have done. Entries
of one pack go out in their order, one after the answer to the other. Nothing is sent from here.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from emvs.scan import Scan
from pharmacy_client import queue_steps, queue_waits
from pharmacy_client.errors import QueueFullError
from pharmacy_client.profile import Profile
from pharmacy_client.queue_entries import (
    Again,
    Entry,
    Outcome,
    Standing,
    Submission,
    encode_call,
    pack_key,
)
from pharmacy_client.queue_file import COLUMNS, QueueFile, entry_of
from pharmacy_client.queue_schema import Execute
from pharmacy_client.queue_steps import FIRST_OF_PACK, IS_OPEN, NOT_PUT_OFF
from pharmacy_client.queue_waits import Wait
from pharmacy_client.results import PackCall
from pharmacy_client.soap_envelope import new_transaction_id

OPEN_COUNT_MAX: Final = 100_000
"""Entries that may be open: a large pharmacy's packs of many weeks (our choice)."""


DOUBT_PAUSE_S: Final = 120.0
"""Time that the system gets for what it may have taken before packs are looked at. Results of
the REST systems are there within 45 s."""


def owner_of(profile: Profile) -> str:
    """Return which system and login a queue is for."""
    login = profile.client_id or f"{profile.client_login_id}/{profile.user_id}"
    return f"{login} at {urlsplit(profile.url).netloc}"


def default_path(profile: Profile, environment: Mapping[str, str]) -> Path:
    """Return the file of a login's queue, in the directory of such."""
    digest = hashlib.sha256(owner_of(profile).encode()).hexdigest()[:16]
    return default_directory(environment) / f"pharmacy-queue-{digest}.sqlite"


def default_directory(environment: Mapping[str, str]) -> Path:
    """Return where queues are kept: in the directory that the user keeps states in."""
    return Path(environment.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "emvs"


class OfflineQueue:
    """The queue in one file. May be used by several threads and processes at a time.

    `owner` says which system and login it is for: a queue is never sent anywhere else.
    """

    def __init__(
        self, path: Path, owner: str | None, *, clock_s: Callable[[], float] = time.time
    ) -> None:
        """Open or make the file; without an owner open one that exists, whoever's it is.

        Raises ProfileError if it cannot be used, or is another's.
        """
        self.path = path
        self._clock_s = clock_s
        self._file = QueueFile(path, owner)

    @property
    def owner(self) -> str:
        """Which system and login it is for."""
        return self._file.owner

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        """Use it in a `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def add(self, call: PackCall, *, item_id: str | None = None) -> Entry:
        """Keep an operation to be sent later, and return its entry; it is on disk then.

        The same operation as the pack's newest open one is not kept again: a stuck scanner is no
        second supply. Raises QueueFullError.
        """
        with self._file.writing() as execute:
            row = execute(
                f"SELECT {COLUMNS}, operation FROM entries WHERE pack = ? AND {IS_OPEN}"  # noqa: S608
                " ORDER BY number DESC LIMIT 1",
                (pack_key(call.scan),),
            ).fetchone()
            if row is not None and row[-1] == call.operation.name:
                return entry_of(row[:-1])
            return self._insert(execute, call, item_id or new_transaction_id(), Standing.WAITING)

    def claim(self, call: PackCall) -> Entry | None:
        """Keep a call, with its transaction id, that is sent at once; it is on disk then.

        None if something about its pack is open, be it of another program: then it must not be
        sent. Raises QueueFullError.
        """
        assert call.transaction_id is not None
        with self._file.writing() as execute:
            if execute(
                f"SELECT 1 FROM entries WHERE pack = ? AND {IS_OPEN} LIMIT 1",  # noqa: S608
                (pack_key(call.scan),),
            ).fetchone():
                return None
            return self._insert(execute, call, call.transaction_id, Standing.DOUBTFUL)

    def _insert(self, execute: Execute, call: PackCall, item_id: str, standing: Standing) -> Entry:
        (count,) = execute(f"SELECT count(*) FROM entries WHERE {IS_OPEN}").fetchone()  # noqa: S608
        if count >= OPEN_COUNT_MAX:
            raise QueueFullError(
                f"The offline queue is full: {count} operations wait. Nothing was kept; write"
                " this one down."
            )
        now_s, is_sent = self._clock_s(), standing is Standing.DOUBTFUL
        row = execute(
            "INSERT INTO entries (item_id, pack, call, operation, happened_at, standing,"  # noqa: S608
            f" attempts, doubtful_since) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING {COLUMNS}",
            (
                item_id,
                pack_key(call.scan),
                encode_call(call),
                call.operation.name,
                now_s,
                standing.value,
                int(is_sent),
                now_s if is_sent else None,
            ),
        ).fetchone()
        return entry_of(row)

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """Be the only one who sends. Raises QueueUnusableError if another process does."""
        with self._file.locked():
            yield

    def counts(self) -> dict[Standing, int]:
        """Return how many entries stand where."""
        found = dict(self._file.read("SELECT standing, count(*) FROM entries GROUP BY standing"))
        return {standing: int(found.get(standing.value, 0)) for standing in Standing}

    @property
    def open_count(self) -> int:
        """How many entries have no outcome yet."""
        return int(self._file.read(f"SELECT count(*) FROM entries WHERE {IS_OPEN}")[0][0])  # noqa: S608

    def mind_clock(self) -> None:
        """Mind a clock that has gone back: what has just begun is given its time again."""
        now_s = self._clock_s()
        if self._file.read(
            "SELECT 1 FROM entries WHERE standing = 'doubtful' AND doubtful_since > ?"
            " UNION ALL SELECT 1 FROM submissions WHERE begun_at > ? LIMIT 1",
            (now_s, now_s),
        ):
            with self._file.writing() as execute:
                queue_steps.mind_clock(execute, now_s)

    def next_wait(self, doubt_pause_s: float) -> Wait | None:
        """Return what is waited for while no bulk is on its way. See queue_waits."""
        return queue_waits.next_wait(self._file.read, self._clock_s(), doubt_pause_s)

    def waits(
        self, entries: Sequence[Entry], doubt_pause_s: float = DOUBT_PAUSE_S
    ) -> dict[int, Wait]:
        """Return what open entries wait for, by number; those whose turn it is are left out."""
        if not entries:
            return {}
        first, last = entries[0].number, entries[-1].number
        read, now_s = self._file.read, self._clock_s()
        return queue_waits.waits(read, now_s, doubt_pause_s, first=first, last=last)

    def is_pending(self, scan: Scan) -> bool:
        """Tell whether something about this pack is open: what comes next has to wait behind it."""
        return bool(
            self._file.read(
                f"SELECT 1 FROM entries WHERE pack = ? AND {IS_OPEN} LIMIT 1",  # noqa: S608
                (pack_key(scan),),
            )
        )

    def entries(
        self, *standings: Standing, after: int = 0, count_max: int = 1000
    ) -> Sequence[Entry]:
        """Return entries of these standings, all without any, in their order."""
        wanted = [standing.value for standing in standings or tuple(Standing)]
        marks = ", ".join("?" * len(wanted))
        rows = self._file.read(
            f"SELECT {COLUMNS} FROM entries WHERE standing IN ({marks}) AND number > ?"  # noqa: S608
            " ORDER BY number LIMIT ?",
            (*wanted, after, count_max),
        )
        return [entry_of(row) for row in rows]

    def begin(self, count_max: int) -> Submission | None:
        """Make a bulk of what may be sent now; None if there is nothing.

        On disk, these entries count as sent from here on: that nothing left is to be told by
        `not_taken`.
        """
        with self._file.writing() as execute:
            rows = execute(
                f"SELECT {COLUMNS} FROM entries WHERE standing = 'waiting' AND NOT is_single"  # noqa: S608
                f" AND {FIRST_OF_PACK} AND {NOT_PUT_OFF} ORDER BY number LIMIT :count",
                {"now": self._clock_s(), "count": count_max},
            ).fetchall()
            if not rows:
                return None
            submission_id, now_s = new_transaction_id(), self._clock_s()
            (number,) = execute(
                "INSERT INTO submissions (id, begun_at) VALUES (?, ?) RETURNING number",
                (submission_id, now_s),
            ).fetchone()
            numbers = [row[0] for row in rows]
            for entry_number in numbers:
                execute(
                    "UPDATE entries SET standing = 'sending', submission = ?,"
                    " attempts = attempts + 1 WHERE number = ?",
                    (number, entry_number),
                )
            entries = tuple(entry_of(row) for row in rows)
            return Submission(number, submission_id, None, now_s, entries)

    def submissions(self) -> list[Submission]:
        """Return the bulks on their way, oldest first."""
        rows = self._file.read(
            "SELECT number, id, ticket, begun_at FROM submissions ORDER BY number"
        )
        return [
            Submission(number, submission_id, ticket, begun_at_s, self._entries_of(number))
            for number, submission_id, ticket, begun_at_s in rows
        ]

    def _entries_of(self, submission: int) -> tuple[Entry, ...]:
        rows = self._file.read(
            f"SELECT {COLUMNS} FROM entries WHERE submission = ? ORDER BY number",  # noqa: S608
            (submission,),
        )
        return tuple(map(entry_of, rows))

    def taken(self, submission: Submission, ticket: str) -> Submission:
        """Note that the system has the bulk."""
        with self._file.writing() as execute:
            execute(
                "UPDATE submissions SET ticket = ? WHERE number = ?", (ticket, submission.number)
            )
        return submission._replace(ticket=ticket)

    def not_taken(
        self, submission: Submission, *, singly: bool = False, was_sent: bool = False
    ) -> None:
        """Note that the system has certainly not taken the bulk: its entries wait again.

        `singly`: it would refuse it as a whole; they go by themselves from now on.
        """
        with self._file.writing() as execute:
            execute(
                "UPDATE entries SET standing = 'waiting', submission = NULL,"
                " attempts = attempts - ?, is_single = max(is_single, ?) WHERE submission = ?",
                (int(not was_sent), int(singly), submission.number),
            )
            execute("DELETE FROM submissions WHERE number = ?", (submission.number,))

    def lost(self, submission: Submission) -> None:
        """Note that nobody knows what has become of the bulk: each pack has to be looked at."""
        with self._file.writing() as execute:
            queue_steps.lose(execute, submission.number, submission.begun_at_s)

    def finish(
        self, submission: Submission, outcomes: Iterable[tuple[Entry, Outcome | Again]]
    ) -> None:
        """Note what came of each entry of a bulk: its outcome, or that it goes again."""
        with self._file.writing() as execute:
            for entry, outcome in outcomes:
                if isinstance(outcome, Outcome):
                    queue_steps.settle(execute, entry, outcome, Standing.SETTLED, self._clock_s())
                else:
                    execute(
                        "UPDATE entries SET standing = 'waiting', submission = NULL,"
                        " is_single = ? WHERE number = ?",
                        (int(outcome is Again.SINGLY), entry.number),
                    )
                    if outcome is Again.IN_BULK:
                        queue_steps.put_off(execute, entry, self._clock_s())
            execute("DELETE FROM submissions WHERE number = ?", (submission.number,))
            queue_steps.give_up(execute, self._clock_s())
            queue_steps.forget(execute)

    def next_single(self) -> Entry | None:
        """Return an entry that has to be sent by itself, and count it as sent; None without one."""
        with self._file.writing() as execute:
            row = execute(
                f"SELECT {COLUMNS} FROM entries WHERE standing = 'waiting' AND is_single"  # noqa: S608
                f" AND {FIRST_OF_PACK} AND {NOT_PUT_OFF} ORDER BY number LIMIT 1",
                {"now": self._clock_s()},
            ).fetchone()
            if row is None:
                return None
            execute(
                "UPDATE entries SET standing = 'doubtful', doubtful_since = ?,"
                " attempts = attempts + 1 WHERE number = ?",
                (self._clock_s(), row[0]),
            )
            return entry_of(row)

    def next_doubtful(self, pause_s: float) -> Entry | None:
        """Return an entry whose pack has to be looked at, at least `pause_s` after it was sent."""
        now_s = self._clock_s()
        rows = self._file.read(
            f"SELECT {COLUMNS} FROM entries WHERE standing = 'doubtful'"  # noqa: S608
            f" AND doubtful_since <= :now - :pause AND {NOT_PUT_OFF} AND {FIRST_OF_PACK}"
            " ORDER BY number LIMIT 1",
            {"now": now_s, "pause": pause_s},
        )
        return entry_of(rows[0]) if rows else None

    def look_later(self, entry: Entry) -> None:
        """Note that nothing could be found out about a doubtful entry for now."""
        with self._file.writing() as execute:
            execute("UPDATE entries SET attempts = attempts + 1 WHERE number = ?", (entry.number,))
            queue_steps.put_off(execute, entry, self._clock_s())
            queue_steps.give_up(execute, self._clock_s())

    def settle(self, entry: Entry, outcome: Outcome, *, gave_up: bool = False) -> None:
        """Note the outcome of an entry."""
        with self._file.writing() as execute:
            standing = Standing.GIVEN_UP if gave_up else Standing.SETTLED
            queue_steps.settle(execute, entry, outcome, standing, self._clock_s())
            queue_steps.forget(execute)

    def drop(self, entry: Entry) -> None:
        """Forget an entry that was refused before anything was done, as its user was told."""
        with self._file.writing() as execute:
            execute("DELETE FROM entries WHERE number = ?", (entry.number,))

    def wait_again(self, entry: Entry, *, was_sent: bool = True, later: bool = False) -> None:
        """Note that an entry is certainly not done; `later`: the system could not answer."""
        with self._file.writing() as execute:
            execute(
                "UPDATE entries SET standing = 'waiting', doubtful_since = NULL,"
                " attempts = attempts - ? WHERE number = ?",
                (int(not was_sent), entry.number),
            )
            if later:
                queue_steps.put_off(execute, entry, self._clock_s())
            queue_steps.give_up(execute, self._clock_s())
