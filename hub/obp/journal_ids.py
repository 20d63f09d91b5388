"""Transaction ids: each stands on disk before anybody sees it, so that none is given out twice."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final

from emvs.transaction_ids import IdentifierType, make_transaction_id
from hub.obp.journal_database import JournalDatabase, owner_of
from hub.obp.profile import Profile

_MS_PER_DAY: Final = 86_400_000
_STEPS_PER_MS: Final = 1_000
"""References of one millisecond; with these a day's fit into the eleven digits of a `PSUDC`."""


class JournalIds:
    """The transaction ids of one client."""

    def __init__(
        self, database: JournalDatabase, profile: Profile, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._profile = profile
        self._now = now
        self._owner = owner_of(profile)

    def new(self, message_type: str) -> str:
        """Return an id that was never given out: it stands on disk before anybody sees it."""
        now = self._now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        now_ms = int((now - midnight).total_seconds() * 1000) % _MS_PER_DAY
        by_clock = now_ms * _STEPS_PER_MS + secrets.randbelow(_STEPS_PER_MS)
        with self._database.transaction() as database:
            day = f"{now:%Y%j}"
            row = database.execute(
                "select number from last_reference where day = ?", (day,)
            ).fetchone()
            number = max(by_clock, row[0] + 1 if row else 0)
            database.execute(
                "insert into last_reference values (?, ?) on conflict (day) do update"
                " set number = excluded.number",
                (day, number),
            )
        profile = self._profile
        return make_transaction_id(
            message_type,
            IdentifierType.REQUEST,
            profile.actor,
            organisation_id=profile.organisation_id,
            client_id=profile.client_id,
            now=now,
            number=number,
        )

    def pending(self, message_type: str) -> str:
        """Return the id of a message without a job whose answer is not known to have come; a new
        one if there is none."""
        query = "select transaction_id from pending where owner = ? and message_type = ?"
        if found := self._database.rows(query, self._owner, message_type):
            return str(found[0][0])
        transaction_id = self.new(message_type)
        with self._database.transaction() as database:
            database.execute(
                "insert into pending values (?, ?, ?)", (self._owner, message_type, transaction_id)
            )
        return transaction_id

    def settled(self, message_type: str) -> None:
        """Note that the answer to the pending message of this type has come and is kept."""
        with self._database.transaction() as database:
            database.execute(
                "delete from pending where owner = ? and message_type = ?",
                (self._owner, message_type),
            )
