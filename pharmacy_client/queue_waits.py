"""Why what is open in the offline queue is not sent now, and until when. For reading only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pharmacy_client.queue_entries import Standing, moment
from pharmacy_client.queue_steps import FIRST_OF_PACK, IS_OPEN, NOT_PUT_OFF

Read = Callable[..., list[Any]]

# Times in seconds; 0 for what has none.
_COLUMNS: Final = (
    f"number, standing, {FIRST_OF_PACK} AS is_first,"  # noqa: S608
    f" CASE WHEN {NOT_PUT_OFF} THEN 0.0 ELSE not_before END AS put_off,"
    " coalesce(doubtful_since + :pause, 0.0) AS looked_at,"
    " (SELECT ticket IS NOT NULL FROM submissions WHERE submissions.number = submission),"
    " (SELECT begun_at + :pause FROM submissions WHERE submissions.number = submission)"
)


class Reason(StrEnum):
    """What is waited for."""

    SYSTEM_AWAY = "system_away"
    """It did not answer several times in a row and is left alone for a while."""
    SYSTEM_BUSY = "system_busy"
    """It asked for time (Retry-After)."""
    PUT_OFF = "put_off"
    """It could not answer about this entry."""
    RESULT_NOT_READY = "result_not_ready"
    """It has taken a bulk and works on it."""
    ANSWER_LOST = "answer_lost"
    """It gets time for what it may have taken before that is looked at."""
    BEHIND_ANOTHER = "behind_another"
    """Something earlier about the same pack is open."""


_SENTENCES: Final = {
    Reason.SYSTEM_AWAY: "the system cannot be reached, and is tried again",
    Reason.SYSTEM_BUSY: "the system asked for time, and is asked again",
    Reason.PUT_OFF: "the system could not answer about it, and is asked again",
    Reason.RESULT_NOT_READY: "the system works on it; its result is asked for",
    Reason.ANSWER_LOST: "the answer was lost; that is looked into",
    Reason.BEHIND_ANOTHER: "something earlier about the same pack is open",
}


class Wait(NamedTuple):
    """What is waited for, and until when, if that is known."""

    reason: Reason
    until_at: datetime | None = None

    @property
    def sentence(self) -> str:
        """The reason in words, with the time on this computer's clock."""
        words = _SENTENCES[self.reason]
        if self.until_at is None:
            return words
        return f"{words} at {self.until_at.astimezone():%H:%M:%S %Z}"

    def to_object(self) -> dict[str, object]:
        """Return it as members of a JSON object."""
        until = None if self.until_at is None else self.until_at.isoformat(timespec="seconds")
        return {"for": self.reason.value, "until": until}


def next_wait(read: Read, now_s: float, doubt_pause_s: float) -> Wait | None:
    """Return what is waited for while no bulk is on its way; None if something can be done.

    What was put off is told of only if that is all.

    `doubt_pause_s`: see ReplayPlan.
    """
    for row in read(
        f"SELECT {_COLUMNS} FROM entries WHERE standing IN ('waiting', 'doubtful')"  # noqa: S608
        f" AND {FIRST_OF_PACK} ORDER BY put_off > 0, max(put_off, looked_at) LIMIT 1",
        {"now": now_s, "pause": doubt_pause_s},
    ):
        return _wait_of(row, now_s)
    return None


def waits(
    read: Read, now_s: float, doubt_pause_s: float, *, first: int, last: int
) -> dict[int, Wait]:
    """Return what the open entries of these numbers wait for; those whose turn it is are left out.

    `doubt_pause_s`: see ReplayPlan.
    """
    rows = read(
        f"SELECT {_COLUMNS} FROM entries WHERE {IS_OPEN} AND number BETWEEN :first AND :last",  # noqa: S608
        {"now": now_s, "pause": doubt_pause_s, "first": first, "last": last},
    )
    found = ((row[0], _wait_of(row, now_s)) for row in rows)
    return {number: wait for number, wait in found if wait is not None}


def _wait_of(row: Sequence[Any], now_s: float) -> Wait | None:
    _, standing, is_first, put_off_s, looked_at_s, is_taken, looked_for_s = row
    if not is_first:
        return Wait(Reason.BEHIND_ANOTHER)
    if standing == Standing.SENDING and is_taken:
        return Wait(Reason.RESULT_NOT_READY)
    if standing == Standing.SENDING:
        return Wait(Reason.ANSWER_LOST, moment(looked_for_s))
    if looked_at_s > max(now_s, put_off_s):
        return Wait(Reason.ANSWER_LOST, moment(looked_at_s))
    return Wait(Reason.PUT_OFF, moment(put_off_s)) if put_off_s else None
