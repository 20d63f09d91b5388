"""Commands whose messages are being written, noted on disk until that is done.

Whoever is killed while a large file is still read would else leave a journal in which nothing is
left to be sent, as if all had been.
"""

from __future__ import annotations

from hub.obp.journal_database import JournalDatabase


class BegunJobs:
    """What one client has begun. A command's head is all of it but the serial numbers."""

    def __init__(self, database: JournalDatabase, owner: str) -> None:
        self._database = database
        self._owner = owner

    def note(self, head: bytes, title: str, begun_at: str) -> None:
        """Note that a command has begun to write its messages."""
        with self._database.transaction() as database:
            database.execute(
                "insert or replace into begun values (?, ?, ?, ?)",
                (self._owner, head, title, begun_at),
            )

    def forget(self, head: bytes | None = None) -> None:
        """Forget a command, or all: it is prepared, was refused, or nobody wants it."""
        with self._database.transaction() as database:
            database.execute(
                "delete from begun where owner = ? and (?2 is null or head = ?2)",
                (self._owner, head),
            )

    def titles(self) -> list[str]:
        """Return what was begun and not prepared to its end, oldest first."""
        query = "select title from begun where owner = ? order by begun_at, title"
        return [str(title) for (title,) in self._database.rows(query, self._owner)]
