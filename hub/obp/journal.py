"""What is to be sent, on disk before it is sent: transaction ids in SQLite, bodies beside it.

A crash or a lost answer is survived so: the same message goes out again under the same id, and the
hub answers a repeated id the same. A body is removed once the hub has acknowledged it; its row
stays, so that the same upload is recognised later. Nothing of HTTP enters here.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from hub.obp.begun_jobs import BegunJobs
from hub.obp.errors import InputError, JournalError
from hub.obp.jobs import REPEATABLE, Job, JobMessage, message_type_at, split
from hub.obp.journal_database import JournalDatabase, owner_of, unusable
from hub.obp.journal_ids import JournalIds
from hub.obp.profile import Profile

_JOBS_KEPT_MAX: Final = 10_000
_ORPHAN_AGE_S: Final = 24 * 3600
_GZIP_LEVEL: Final = 1

Prepared = Callable[[int], None]
"""Told how many serial numbers more are on disk."""


class Journal:
    """The journal of one client of one organisation at one hub, in a folder that may be shared."""

    def __init__(self, profile: Profile, now: Callable[[], datetime]) -> None:
        """Raise JournalError if the folder cannot be used."""
        self._now = now
        self._owner = owner_of(profile)
        folder = Path(profile.journal)
        self._bodies = folder / "bodies"
        try:
            self._bodies.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = JournalDatabase(folder)
            self._remove_orphans()
        except OSError as error:
            raise unusable(folder, error) from error
        self.ids = JournalIds(self._database, profile, now)
        self.begun = BegunJobs(self._database, self._owner)
        """What was cut off before its job was stored."""

    def close(self) -> None:
        """Let go of the files."""
        self._database.close()

    def body_of(self, message: JobMessage) -> Path:
        """Return the file with the body, packed with gzip."""
        return self._bodies / f"{message.transaction_id}.json.gz"

    def has_body_of(self, message: JobMessage) -> bool:
        """Tell whether that file is there."""
        return self.body_of(message).is_file()

    def prepare(
        self,
        kind: str,
        members: Mapping[str, Any],
        *,
        title: str,
        serial_numbers: Iterable[str] | None = None,
        per_message: int,
        prepared: Prepared | None = None,
    ) -> tuple[Job, list[JobMessage]]:
        """Store a job, and return it; or the job with the same content, if there is one that is
        not wholly sent, or that means nothing new if it is sent again.

        With a job that was known come the messages that were made in vain, for `renew` or
        `discard`.

        Serial numbers are read once and never held all together. Raises JournalError, and what
        reading the serial numbers raises: then nothing is stored.
        """
        digest = hashlib.sha256(msgspec.json.encode([kind, per_message, members]))
        head = digest.digest()
        messages: list[JobMessage] = []
        self.begun.note(head, title, self._now().isoformat(timespec="seconds"))
        try:
            for position, part in enumerate(_parts(serial_numbers, per_message)):
                message_type = message_type_at(kind, position)
                message = self._write_body(message_type, position, members, part)
                messages.append(message)
                for serial_number in part or ():
                    digest.update(serial_number.encode("utf-8", "surrogatepass") + b"\n")
                if prepared is not None:
                    prepared(message.serial_count)
            job, unwanted = self._store(kind, title, digest.digest(), messages)
            self.begun.forget(head)
        except InputError:
            self.discard(messages)
            self.begun.forget(head)
            raise
        except OSError as error:
            self.discard(messages)
            raise unusable(self._bodies.parent, error) from error
        except BaseException:
            self.discard(messages)
            raise
        return job, unwanted

    def acknowledged(
        self, message: JobMessage, acknowledgement_id: str, hub_transaction_id: str
    ) -> None:
        """Note that the hub has a message; its body is needed no longer."""
        with self._database.transaction() as database:
            database.execute(
                "update message set acknowledgement_id = ?, hub_transaction_id = ?"
                " where transaction_id = ?",
                (acknowledgement_id, hub_transaction_id, message.transaction_id),
            )
        message.acknowledgement_id = acknowledgement_id
        message.hub_transaction_id = hub_transaction_id
        self.discard([message])

    def discard(self, messages: Iterable[JobMessage]) -> None:
        """Remove bodies that nobody needs."""
        for message in messages:
            self.body_of(message).unlink(missing_ok=True)

    def renew(self, job: Job, positions: set[int], spare: list[JobMessage]) -> Job:
        """Return the job with its messages at these positions replaced by the spare ones."""
        replacing = [message for message in spare if message.position in positions]
        with self._database.transaction() as database:
            for message in replacing:
                database.execute(
                    "delete from message where job = ? and position = ?",
                    (job.number, message.position),
                )
                _insert_message(database, job.number, message)
        self.discard([message for message in spare if message.position not in positions])
        return self._read(job.number)

    def unfinished(self) -> list[Job]:
        """Return the jobs with messages that the hub is not known to have, oldest first."""
        numbers = self._database.rows(
            "select number from job where owner = ? and exists (select 1 from message where"
            " job = number and acknowledgement_id is null) order by number",
            self._owner,
        )
        return [self._read(number) for (number,) in numbers]

    def recent(self, count_max: int) -> list[Job]:
        """Return the newest jobs, newest first."""
        numbers = self._database.rows(
            "select number from job where owner = ? order by number desc limit ?",
            self._owner,
            count_max,
        )
        return [self._read(number) for (number,) in numbers]

    def drop(self, job: Job) -> None:
        """Forget a job, and the bodies that were not sent."""
        with self._database.transaction() as database:
            database.execute("delete from job where number = ?", (job.number,))
        self.discard(job.messages)

    def _store(
        self, kind: str, title: str, fingerprint: bytes, messages: list[JobMessage]
    ) -> tuple[Job, list[JobMessage]]:
        """Return the job, and the messages whose bodies nobody needs."""
        with self._database.transaction() as database:
            known = database.execute(
                "select number, exists (select 1 from message where job = number and"
                " acknowledgement_id is null) from job where owner = ? and fingerprint = ?"
                " order by number desc limit 1",
                (self._owner, fingerprint),
            ).fetchone()
            if known is not None and (known[1] or kind not in REPEATABLE):
                number, unwanted = known[0], messages
            else:
                number, unwanted = self._insert(database, kind, title, fingerprint), []
                for message in messages:
                    _insert_message(database, number, message)
        job = self._read(number)
        job.resumed = bool(unwanted)
        return job, unwanted

    def _insert(
        self, database: sqlite3.Connection, kind: str, title: str, fingerprint: bytes
    ) -> int:
        created_at = self._now().isoformat(timespec="seconds")
        cursor = database.execute(
            "insert into job (owner, kind, title, fingerprint, created_at) values (?, ?, ?, ?, ?)",
            (self._owner, kind, title, fingerprint, created_at),
        )
        # Jobs that are wholly sent are forgotten when there are too many.
        database.execute(
            "delete from job where number <= ? and not exists (select 1 from message where"
            " job = number and acknowledgement_id is null)",
            ((cursor.lastrowid or 0) - _JOBS_KEPT_MAX,),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _read(self, number: int) -> Job:
        rows = self._database.rows(
            "select number, kind, title, created_at from job where number = ?", number
        )
        if not rows:
            raise JournalError("the job is no longer in the journal")
        messages = self._database.rows(
            "select transaction_id, message_type, position, serial_count, packed_bytes,"
            " acknowledgement_id, hub_transaction_id from message where job = ? order by position",
            number,
        )
        number, kind, title, created_at = rows[0]
        return Job(number, kind, title, created_at, [JobMessage(*row) for row in messages])

    def _write_body(
        self,
        message_type: str,
        position: int,
        members: Mapping[str, Any],
        serial_numbers: list[str] | None,
    ) -> JobMessage:
        transaction_id = self.ids.new(message_type)
        body = {"transactionId": transaction_id, **members}
        if serial_numbers is not None:
            body["serialNumbers"] = serial_numbers
        message = JobMessage(transaction_id, message_type, position, len(serial_numbers or ()), 0)
        packed = gzip.compress(msgspec.json.encode(body), _GZIP_LEVEL, mtime=0)
        with self.body_of(message).open("xb") as file:
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        message.packed_bytes = len(packed)
        return message

    def _remove_orphans(self) -> None:
        """Remove bodies that a crash left behind before their job was stored."""
        for path in self._bodies.glob("*.json.gz"):
            known = self._database.rows(
                "select 1 from message where transaction_id = ?", path.name.removesuffix(".json.gz")
            )
            if not known and path.stat().st_mtime < time.time() - _ORPHAN_AGE_S:
                path.unlink(missing_ok=True)


def _parts(serial_numbers: Iterable[str] | None, per_message: int) -> Iterable[list[str] | None]:
    """Return the lists of serial numbers; a message without any is one part."""
    return [None] if serial_numbers is None else split(serial_numbers, per_message=per_message)


def _insert_message(database: sqlite3.Connection, number: int, message: JobMessage) -> None:
    database.execute(
        "insert into message (job, position, message_type, transaction_id, serial_count,"
        " packed_bytes) values (?, ?, ?, ?, ?, ?)",
        (
            number,
            message.position,
            message.message_type,
            message.transaction_id,
            message.serial_count,
            message.packed_bytes,
        ),
    )
