"""Comparing this computer's clock with the system's: which clocks its replies tell, and what of it.

Two clocks may stand behind a reply: that of the machine (HTTP's Date), and the one that the system
decides by, as SOAP's Timestamp and the time at which a REST token was issued. A simulator can have
the second one moved.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

import msgspec

from pharmacy_client.doctor_checks import Check, Verdict
from pharmacy_client.exchange import HttpReply

_DAY: Final = timedelta(days=1)
_APART_MAX: Final = timedelta(seconds=60)
"""Tokens and certificates suffer from clocks that differ by more (our choice)."""
_TIMESTAMP: Final = re.compile(rb"<(?:\w+:)?Timestamp>\s*([^<\s]{1,40})\s*</")
_DATE: Final = "HTTP's Date"
_TIMESTAMP_NAME: Final = "the Timestamp of its replies"
_ISSUED_NAME: Final = "the time its token was issued (iat)"


class Clock(NamedTuple):
    """A clock of the system, and what it showed when a reply came."""

    name: str
    at: datetime


class _Token(msgspec.Struct):
    access_token: str = ""


class _Claims(msgspec.Struct):
    iat: float


def machine_clock(reply: HttpReply) -> Clock | None:
    """Return the clock of the machine that sent a reply, if it tells one."""
    try:
        at = parsedate_to_datetime(reply.headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return Clock(_DATE, at if at.tzinfo else at.replace(tzinfo=UTC))


def deciding_clock(reply: HttpReply) -> Clock | None:
    """Return the clock that the system decides by, if a reply of either dialect tells it.

    A Timestamp without a time zone tells nothing: nobody knows where it is meant.
    """
    if (found := _TIMESTAMP.search(reply.body)) is not None:
        try:
            at = datetime.fromisoformat(found[1].decode())
        except ValueError:
            return None
        return Clock(_TIMESTAMP_NAME, at) if at.tzinfo else None
    try:
        token = msgspec.json.decode(reply.body, type=_Token).access_token
        claims = token.split(".")[1]
        padded = claims + "=" * (-len(claims) % 4)
        issued_s = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Claims).iat
        return Clock(_ISSUED_NAME, datetime.fromtimestamp(issued_s, UTC))
    # No token, one that tells nothing, or a time beyond all calendars.
    except (msgspec.MsgspecError, IndexError, binascii.Error, ValueError, OverflowError, OSError):
        return None


def check_clock(machine: Clock | None, deciding: Clock | None, now: datetime) -> Check:
    """Return what this computer's clock is worth. `now` is its time when the replies came."""
    if deciding and machine and deciding.name == _ISSUED_NAME:
        # A token service may hand out one that it has issued before.
        deciding = deciding if deciding.at > machine.at - _APART_MAX else None
    clock = deciding or machine
    if clock is None:
        return Check("clock", Verdict.WARNING, "the system tells no time", "Look at it by hand.")
    found = f"this computer is {_apart(now - clock.at)} the system, by {clock.name}"
    if abs(now - clock.at) <= _APART_MAX:
        return Check("clock", Verdict.OK, found)
    if machine is None or abs(now - machine.at) > _APART_MAX:
        advice = "Let this computer set its clock by the network (NTP)."
        return Check("clock", Verdict.FAILED, found, advice)
    return Check(
        "clock",
        Verdict.WARNING,
        f"{found}; but by {machine.name} it is right",
        "Leave this computer's clock as it is. A simulator whose clock was moved (`emvs clock`)"
        " judges expiry dates, undo, passwords and certificates by its own.",
    )


def _apart(ahead: timedelta) -> str:
    amount = abs(ahead)
    told = (
        f"{round(amount / _DAY)} days" if amount >= 2 * _DAY else f"{amount.total_seconds():.0f} s"
    )
    return f"{told} {'ahead of' if ahead > timedelta(0) else 'behind'}"
