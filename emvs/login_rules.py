"""What time and wrong passwords do to a login of the SOAP-built systems. Pure, no I/O, no clock.

Public texts of the national organisations give validity, reminder, history and policy of passwords;
how many failures lock, for how long, and how long a replaced password lives on are not public and
marked as our choice. All times are milliseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple

DAY_S: Final = 86_400
DAY_MS: Final = DAY_S * 1000
NEVER_MS: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class LoginRules:
    """What a market may set about logins. Raises ValueError for figures out of range."""

    failures_max: int = 5
    """The failure that makes so many in a row locks the login (our choice; 3 to 5 are usual)."""
    lock_s: int = 1_800
    """How long it stays locked; 0: until somebody unlocks it (our choice)."""
    password_life_s: int = 90 * DAY_S
    """0: for ever. The United Kingdom has 365 days, the shortest seen is 42."""
    reminder_s: int = 10 * DAY_S
    """How long before its end a password is reminded of. The United Kingdom has 30 days."""
    grace_s: int = 7 * DAY_S
    """How long a password that its user has replaced still logs in (our choice)."""
    history_count: int = 20
    """So many former passwords cannot be taken again."""
    password_length_min: int = 8
    """The United Kingdom has 10."""
    registered_is_initial: bool = False
    """Whether a password set by registration must be changed first, as in the real systems. Off,
    so that a registered login works at once (our choice)."""
    certificate_before_duties: bool = True
    """Whether a client certificate is handed out although the password must be changed, or terms
    accepted, first (inferred: with neither a new user could not begin)."""
    terms_reminder_s: int = 10 * DAY_S
    """How long before their last day to accept, terms are reminded of as urgent (our choice)."""

    def __post_init__(self) -> None:
        if not 1 <= self.failures_max <= 1_000:
            raise ValueError("failures_max is from 1 to 1000")
        if not 0 <= self.history_count <= 100:
            raise ValueError("history_count is from 0 to 100")
        if not 8 <= self.password_length_min <= 60:
            raise ValueError("password_length_min is from 8 to 60")
        times = (self.lock_s, self.password_life_s, self.reminder_s, self.grace_s)
        if not all(0 <= time_s <= 20 * 366 * DAY_S for time_s in (*times, self.terms_reminder_s)):
            raise ValueError("times are from 0 seconds to twenty years")


class LoginState(NamedTuple):
    """All that the rules ask of one login."""

    assigned_at_ms: int
    """When its password was set."""
    is_initial: bool = False
    """Whether the password was given to the user and must be changed first."""
    expires: bool = True
    """Whether the password ends with time: some logins are exempted."""
    former_until_ms: int = 0
    """Until when the password before it logs in, too."""
    failure_count: int = 0
    """Wrong passwords since the last right one."""
    locked_at_ms: int | None = None
    is_locked_by_hand: bool = False
    """Whether the lock stays until somebody ends it."""
    accepted_version: int = 0
    """The newest terms that the user has accepted; 0: none."""


class TermsDates(NamedTuple):
    """Terms and conditions as the rules see them."""

    version: int
    starts_at_ms: int
    accept_by_ms: int


class Duty(Enum):
    """What a user must do before anything else is done for them."""

    CHANGE_PASSWORD = auto()
    ACCEPT_TERMS = auto()


class NoticeKind(Enum):
    """What a user is told along with an answer."""

    FORMER_PASSWORD = auto()
    """A replaced password is still in use."""
    PASSWORD_EXPIRES = auto()
    TERMS_ANNOUNCED = auto()
    """They are not in force yet and can be accepted."""
    TERMS_IN_FORCE = auto()
    TERMS_URGENT = auto()


class Notice(NamedTuple):
    """One thing to tell, and in how many days it comes true."""

    kind: NoticeKind
    days: int


class Standing(NamedTuple):
    """How a login stands at a moment."""

    duty: Duty | None
    notices: tuple[Notice, ...]
    calm_until_ms: int
    """Until then there is neither duty nor notice, if nobody changes anything; 0 if there is."""


def is_locked(state: LoginState, now_ms: int, rules: LoginRules) -> bool:
    """Whether a login is locked."""
    if state.locked_at_ms is None:
        return False
    if state.is_locked_by_hand or not rules.lock_s:
        return True
    return now_ms < state.locked_at_ms + rules.lock_s * 1000


def after_failure(state: LoginState, now_ms: int, rules: LoginRules) -> LoginState:
    """Return the state after a wrong password on a login that is not locked.

    A lock whose time is over has wiped the slate.
    """
    before = 0 if state.locked_at_ms is not None else state.failure_count
    failed = state._replace(failure_count=before + 1, locked_at_ms=None)
    if failed.failure_count < rules.failures_max:
        return failed
    return failed._replace(locked_at_ms=now_ms, is_locked_by_hand=False)


def after_success(state: LoginState) -> LoginState:
    """Return the state after a right password on a login that is not locked."""
    return state._replace(failure_count=0, locked_at_ms=None, is_locked_by_hand=False)


def after_change(state: LoginState, now_ms: int, rules: LoginRules) -> LoginState:
    """Return the state after its user has changed the password. One that was only handed out, or
    has expired, does not live on."""
    is_good = not state.is_initial and now_ms < expires_at_ms(state, rules)
    until_ms = now_ms + rules.grace_s * 1000 if is_good and rules.grace_s else 0
    return state._replace(assigned_at_ms=now_ms, is_initial=False, former_until_ms=until_ms)


def expires_at_ms(state: LoginState, rules: LoginRules) -> int:
    """Return when the password ends."""
    if not (state.expires and rules.password_life_s):
        return NEVER_MS
    return state.assigned_at_ms + rules.password_life_s * 1000


def standing(
    state: LoginState,
    terms: Sequence[TermsDates],
    now_ms: int,
    rules: LoginRules,
    *,
    uses_former: bool = False,
) -> Standing:
    """Return what a user who has shown a right password must do, and is told.

    `terms`: all on file. Who accepts a version has accepted all before it.
    """
    end_ms = expires_at_ms(state, rules)
    waiting = [each for each in terms if each.version > state.accepted_version]
    notices: list[Notice] = []
    duty = None
    if state.is_initial or (now_ms >= end_ms and not uses_former):
        duty = Duty.CHANGE_PASSWORD
    elif waiting and any(each.accept_by_ms <= now_ms for each in waiting):
        duty = Duty.ACCEPT_TERMS
    if uses_former:
        days = _days(state.former_until_ms - now_ms)
        notices.append(Notice(NoticeKind.FORMER_PASSWORD, days))
    elif end_ms - rules.reminder_s * 1000 <= now_ms < end_ms:
        notices.append(Notice(NoticeKind.PASSWORD_EXPIRES, _days(end_ms - now_ms)))
    first = min(waiting, key=lambda each: each.accept_by_ms, default=None)
    if first is not None and now_ms < first.accept_by_ms:
        days = _days(first.accept_by_ms - now_ms)
        notices.append(Notice(_terms_kind(first, now_ms, rules), days))
    is_calm = duty is None and not notices
    return Standing(duty, tuple(notices), end_ms - rules.reminder_s * 1000 if is_calm else 0)


def _terms_kind(terms: TermsDates, now_ms: int, rules: LoginRules) -> NoticeKind:
    if now_ms >= terms.accept_by_ms - rules.terms_reminder_s * 1000:
        return NoticeKind.TERMS_URGENT
    return NoticeKind.TERMS_ANNOUNCED if now_ms < terms.starts_at_ms else NoticeKind.TERMS_IN_FORCE


def _days(duration_ms: int) -> int:
    """Return days, begun ones counted."""
    return -(-duration_ms // DAY_MS)


def fits_policy(password: str, rules: LoginRules) -> bool:
    """Whether a password may be chosen: 8 to 60 characters, at least one of each kind."""
    return (
        rules.password_length_min <= len(password) <= 60
        and any(character.islower() for character in password)
        and any(character.isupper() for character in password)
        and any(character.isdigit() for character in password)
        and any(not character.isalnum() for character in password)
    )
