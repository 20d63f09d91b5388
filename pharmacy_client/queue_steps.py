"""Steps of queue entries that several changes share, as statements inside one transaction."""

from __future__ import annotations

from typing import Final

import msgspec

from pharmacy_client.queue_entries import Entry, Outcome, Standing
from pharmacy_client.queue_schema import Execute

IS_OPEN: Final = "standing IN ('waiting', 'sending', 'doubtful')"
FIRST_OF_PACK: Final = f"number IN (SELECT min(number) FROM entries WHERE {IS_OPEN} GROUP BY pack)"  # noqa: S608
"""The first open entry of each pack: only these may be sent."""
SETTLED_KEPT_MAX: Final = 20_000
"""Entries whose outcome is kept for reports; beyond, the oldest go (our choice)."""
ATTEMPTS_MAX: Final = 100
"""How often an entry is sent before somebody has to look at it: some four days (our choice)."""
FIRST_PUT_OFF_S: Final = 30.0
LONGEST_PUT_OFF_S: Final = 3600.0
"""How long an entry waits that the system could not answer, doubled each time (our choice)."""
NOT_PUT_OFF: Final = "NOT (not_before > :now AND not_before <= :now + 3600.0)"
"""Whether an entry's turn has come; a clock that has gone back far puts nothing off for ever."""


def settle(
    execute: Execute, entry: Entry, outcome: Outcome, standing: Standing, now_s: float
) -> None:
    """Write the outcome of an entry."""
    execute(
        "UPDATE entries SET standing = ?, outcome = ?, settled_at = ?, submission = NULL,"
        " doubtful_since = NULL WHERE number = ?",
        (standing.value, msgspec.json.encode(outcome), now_s, entry.number),
    )


def put_off(execute: Execute, entry: Entry, now_s: float) -> None:
    """Let an entry wait, ever longer: the system could not answer about this one."""
    execute(
        "UPDATE entries SET not_before = ? + min(?, ? * (1 << min(attempts, 10))) WHERE number = ?",
        (now_s, LONGEST_PUT_OFF_S, FIRST_PUT_OFF_S, entry.number),
    )


def give_up(execute: Execute, now_s: float) -> None:
    """Give up what was sent too often."""
    outcome = Outcome(
        category="unavailable",
        advice="The system gave no answer however often it was asked. Verify the pack.",
    )
    execute(
        "UPDATE entries SET standing = 'given_up', outcome = ?, settled_at = ?,"
        " doubtful_since = NULL WHERE standing IN ('waiting', 'doubtful') AND attempts >= ?",
        (msgspec.json.encode(outcome), now_s, ATTEMPTS_MAX),
    )


def forget(execute: Execute) -> None:
    """Forget the oldest entries that have an outcome, or were given up, beyond those kept."""
    for standing in (Standing.SETTLED.value, Standing.GIVEN_UP.value):
        execute(
            "DELETE FROM entries WHERE standing = ? AND number <= (SELECT number FROM"
            " entries WHERE standing = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
            (standing, standing, SETTLED_KEPT_MAX),
        )


def mind_clock(execute: Execute, now_s: float) -> None:
    """Start pauses anew that began in the future: how long ago it was, nobody knows.

    A bulk of which nobody knows whether it arrived is then as good as lost.
    """
    execute(
        "UPDATE entries SET doubtful_since = ? WHERE standing = 'doubtful' AND doubtful_since > ?",
        (now_s, now_s),
    )
    for number, ticket in execute(
        "SELECT number, ticket FROM submissions WHERE begun_at > ?", (now_s,)
    ).fetchall():
        if ticket is None:
            lose(execute, number, now_s)
        else:
            execute("UPDATE submissions SET begun_at = ? WHERE number = ?", (now_s, number))


def lose(execute: Execute, submission: int, since_s: float) -> None:
    """Make each entry of a bulk one whose pack has to be looked at."""
    execute(
        "UPDATE entries SET standing = 'doubtful', doubtful_since = ?, submission = NULL"
        " WHERE submission = ?",
        (since_s, submission),
    )
    execute("DELETE FROM submissions WHERE number = ?", (submission,))
