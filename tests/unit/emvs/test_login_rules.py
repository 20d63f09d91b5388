"""The life of a login by the clock, as tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emvs.login_rules import (
    DAY_MS,
    Duty,
    LoginRules,
    LoginState,
    Notice,
    NoticeKind,
    TermsDates,
    after_change,
    after_failure,
    after_success,
    fits_policy,
    is_locked,
    standing,
)

RULES = LoginRules()
FRESH = LoginState(assigned_at_ms=0)
EXPIRES, FORMER = NoticeKind.PASSWORD_EXPIRES, NoticeKind.FORMER_PASSWORD
ANNOUNCED, IN_FORCE = NoticeKind.TERMS_ANNOUNCED, NoticeKind.TERMS_IN_FORCE
URGENT = NoticeKind.TERMS_URGENT
CHANGE, ACCEPT = Duty.CHANGE_PASSWORD, Duty.ACCEPT_TERMS
TERMS = (TermsDates(3, 20 * DAY_MS, 50 * DAY_MS),)

# Day, state, terms, and what is due and told. Passwords live 90 days, the reminder comes 10 days
# before; terms start on day 20 and are to be accepted by day 50, urgently from day 40 on.
LIVES = [
    (0, FRESH, (), None, []),
    (79.99, FRESH, (), None, []),
    (80, FRESH, (), None, [(EXPIRES, 10)]),
    (89.5, FRESH, (), None, [(EXPIRES, 1)]),
    (90, FRESH, (), CHANGE, []),
    (900, FRESH._replace(expires=False), (), None, []),
    (0, FRESH._replace(is_initial=True), (), CHANGE, []),
    (0, FRESH, TERMS, None, [(ANNOUNCED, 50)]),
    (20, FRESH, TERMS, None, [(IN_FORCE, 30)]),
    (40, FRESH, TERMS, None, [(URGENT, 10)]),
    (49.9, FRESH, TERMS, None, [(URGENT, 1)]),
    (50, FRESH, TERMS, ACCEPT, []),
    (50, FRESH._replace(accepted_version=3), TERMS, None, []),
    (50, FRESH._replace(accepted_version=4), TERMS, None, []),
    (50, FRESH._replace(accepted_version=2), TERMS, ACCEPT, []),
    (85, FRESH, TERMS, ACCEPT, [(EXPIRES, 5)]),
    (90, FRESH, TERMS, CHANGE, []),  # First the password, then the terms.
    (45, FRESH._replace(is_initial=True), TERMS, CHANGE, [(URGENT, 5)]),
]


@pytest.mark.parametrize(("day", "state", "terms", "duty", "notices"), LIVES)
def test_what_is_due_and_told(
    day: float,
    state: LoginState,
    terms: tuple[TermsDates, ...],
    duty: Duty | None,
    notices: list[tuple[NoticeKind, int]],
) -> None:
    found = standing(state, terms, int(day * DAY_MS), RULES)
    assert (found.duty, found.notices) == (duty, tuple(Notice(*each) for each in notices))


def test_who_has_accepted_a_newer_version_owes_no_older_one() -> None:
    two = (*TERMS, TermsDates(4, 60 * DAY_MS, 100 * DAY_MS))
    state = FRESH._replace(expires=False)
    assert standing(state, two, 55 * DAY_MS, RULES).duty is ACCEPT
    assert standing(state._replace(accepted_version=4), two, 55 * DAY_MS, RULES).duty is None
    found = standing(state._replace(accepted_version=3), two, 55 * DAY_MS, RULES)
    assert found.notices == (Notice(ANNOUNCED, 45),)


@given(
    day=st.floats(0, 200),
    initial=st.booleans(),
    expires=st.booleans(),
    accepted=st.sampled_from([0, 3]),
)
def test_a_calm_login_has_nothing_to_be_told_until_then(
    day: float, initial: bool, expires: bool, accepted: int
) -> None:
    state = LoginState(0, initial, expires, accepted_version=accepted)
    now_ms = int(day * DAY_MS)
    found = standing(state, TERMS, now_ms, RULES)
    assert (found.calm_until_ms > now_ms) == (found.duty is None and not found.notices)
    if found.calm_until_ms > now_ms and expires:
        at_the_end = standing(state, TERMS, found.calm_until_ms, RULES)
        just_before = standing(state, TERMS, found.calm_until_ms - 1, RULES)
        assert at_the_end.notices
        assert (just_before.duty, just_before.notices) == (None, ())


def test_the_failure_that_reaches_the_limit_locks() -> None:
    state = FRESH
    for count in range(1, RULES.failures_max):
        state = after_failure(state, 1_000, RULES)
        assert (state.failure_count, is_locked(state, 1_000, RULES)) == (count, False)
    state = after_failure(state, 1_000, RULES)
    end_ms = 1_000 + RULES.lock_s * 1000
    assert [is_locked(state, at_ms, RULES) for at_ms in (1_000, end_ms - 1, end_ms)] == [
        True,
        True,
        False,
    ]
    again = after_failure(state, end_ms, RULES)
    assert (again.failure_count, again.locked_at_ms) == (1, None)
    assert after_success(state) == FRESH


def test_a_right_password_wipes_the_slate() -> None:
    state = after_failure(after_failure(FRESH, 0, RULES), 0, RULES)
    assert after_success(state) == FRESH


def test_locks_that_time_does_not_end() -> None:
    by_hand = FRESH._replace(locked_at_ms=0, is_locked_by_hand=True)
    assert is_locked(by_hand, 10_000 * DAY_MS, RULES)
    for_good = LoginRules(failures_max=1, lock_s=0)
    assert is_locked(after_failure(FRESH, 0, for_good), 10_000 * DAY_MS, for_good)


def test_a_replaced_password_lives_on_for_the_grace_period() -> None:
    changed = after_change(FRESH, 5 * DAY_MS, RULES)
    assert changed == LoginState(assigned_at_ms=5 * DAY_MS, former_until_ms=12 * DAY_MS)
    told = standing(changed, (), 6 * DAY_MS, RULES, uses_former=True)
    assert (told.duty, told.notices) == (None, (Notice(FORMER, 6),))
    assert standing(changed, (), 6 * DAY_MS, RULES).notices == ()


@pytest.mark.parametrize(
    ("state", "day", "rules"),
    [
        (FRESH._replace(is_initial=True), 1, RULES),
        (FRESH, 91, RULES),
        (FRESH, 1, LoginRules(grace_s=0)),
    ],
)
def test_an_initial_or_expired_password_does_not_live_on(
    state: LoginState, day: int, rules: LoginRules
) -> None:
    assert after_change(state, day * DAY_MS, rules).former_until_ms == 0


@pytest.mark.parametrize(
    ("password", "fits"),
    [
        ("Demo-Pass-1", True),
        ("Dm-1" + 4 * "x", True),
        ("Dm-1xxx", False),
        ("Dm-1" + 56 * "x", True),
        ("Dm-1" + 57 * "x", False),
        ("demo-pass-1", False),
        ("DEMO-PASS-1", False),
        ("Demo-Pass-x", False),
        ("DemoPass1", False),
        ("Ärger-ßß1", True),
    ],
)
def test_the_policy(password: str, fits: bool) -> None:
    assert fits_policy(password, RULES) is fits


def test_a_market_may_want_longer_passwords() -> None:
    assert not fits_policy("Demo-Pa-1", LoginRules(password_length_min=10))


@pytest.mark.parametrize(
    "wrong",
    [{"failures_max": 0}, {"history_count": -1}, {"password_length_min": 7}, {"grace_s": -1}],
)
def test_figures_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="from"):
        LoginRules(**wrong)
