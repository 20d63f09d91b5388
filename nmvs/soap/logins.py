"""What this dialect says of logins: codes of refusals and of notifications, as tables.

Which of the three notifications about terms is sent when is inferred from their texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from emvs.login_rules import Duty, Notice, NoticeKind
from emvs.outcomes import OUTCOMES, Outcome
from nmvs.logins.registry import LoginRefusal, Logins, Visit
from nmvs.operations import Operations
from nmvs.soap.bulk_messages import BulkCall
from nmvs.soap.catalogue import Shape, Version
from nmvs.soap.codes import PREFIX, notification_codes, report_in
from nmvs.soap.messages import AccountCall, DataCall, PackCall, Refusal


class _Refused(NamedTuple):
    code: str
    outcome: Outcome
    """For the counters."""
    text: str


def _of_outcome(code: str, outcome: Outcome) -> _Refused:
    return _Refused(code, outcome, OUTCOMES[outcome].text)


_REFUSED: Final[dict[LoginRefusal | Duty, _Refused]] = {
    LoginRefusal.WRONG: _of_outcome("FE_AU_01", Outcome.LOGIN_WRONG),
    LoginRefusal.LOCKED: _of_outcome("FE_AU_02", Outcome.LOGIN_LOCKED),
    LoginRefusal.LOCKED_NOW: _Refused(
        "FE_AU_05", Outcome.LOGIN_LOCKED, "Login refused: too many failures, the user is now locked"
    ),
    LoginRefusal.SUB_USER_MISSING: _Refused(
        "FE_TX_10", Outcome.NOT_PERMITTED, "Requests of this client must hold a SubUserId"
    ),
    LoginRefusal.OVERLOADED: _of_outcome("TE_TX_03", Outcome.OVERLOADED),
    LoginRefusal.UNAVAILABLE: _of_outcome("TE_REQ_01", Outcome.UNAVAILABLE),
    Duty.CHANGE_PASSWORD: _Refused(
        "FE_AU_11", Outcome.NOT_PERMITTED, "The password has expired or is the initial one"
    ),
    Duty.ACCEPT_TERMS: _Refused(
        "FE_AU_23", Outcome.NOT_PERMITTED, "The terms and conditions were not accepted in time"
    ),
}
assert _REFUSED.keys() == {*LoginRefusal, *Duty}, "must be total"

PASSES: Final[dict[Duty, frozenset[Shape]]] = {
    Duty.CHANGE_PASSWORD: frozenset({Shape.CHANGE_PASSWORD}),
    Duty.ACCEPT_TERMS: frozenset({Shape.CHANGE_PASSWORD, Shape.LOAD_TERMS, Shape.CONFIRM_TERMS}),
}
"""What a user may ask for although a duty waits. That nothing else passes before a password is
changed is inferred; whether a certificate does is a setting of the logins."""

# Codes in order of choice: the first that a version knows.
_NOTICES: Final = {
    NoticeKind.FORMER_PASSWORD: ("NOTIFY_AU_01",),
    NoticeKind.PASSWORD_EXPIRES: ("NOTIFY_AU_02",),
    NoticeKind.TERMS_ANNOUNCED: ("NOTIFY_PMS_04", "NOTIFY_PMS_01"),
    NoticeKind.TERMS_IN_FORCE: ("NOTIFY_PMS_01",),
    NoticeKind.TERMS_URGENT: ("NOTIFY_PMS_03", "NOTIFY_PMS_01"),
}
_NOTICE_TEXTS: Final = {
    NoticeKind.FORMER_PASSWORD: "An old password is still in use; it ends in {}",
    NoticeKind.PASSWORD_EXPIRES: "The password expires in {}",
    NoticeKind.TERMS_ANNOUNCED: "New terms and conditions can be accepted; {} to accept them",
    NoticeKind.TERMS_IN_FORCE: "New terms and conditions: {} to accept them",
    NoticeKind.TERMS_URGENT: "The terms and conditions must be accepted within {}",
}
assert _NOTICES.keys() == _NOTICE_TEXTS.keys() == set(NoticeKind), "must be total"


def render_notices(notices: Iterable[Notice], version: Version) -> str:
    """Return the elements that tell a user of these, for the header of a reply."""
    known = notification_codes(version.number)
    parts = []
    for notice in notices:
        code = next(code for code in _NOTICES[notice.kind] if code in known)
        days = "1 day" if notice.days == 1 else f"{notice.days} days"
        parts.append(
            f'<ns1:Notification ns1:notificationCode="{PREFIX}{code}"'
            f' ns1:notificationDesc="{_NOTICE_TEXTS[notice.kind].format(days)}"/>'
        )
    return "".join(parts)


async def admit(
    logins: Logins, operations: Operations, call: PackCall | BulkCall | AccountCall | DataCall
) -> Visit | Refusal:
    """Return who asks, or why they are refused: by the login, then by a duty."""
    frame, endpoint = call.frame, call.endpoint
    visit = await logins.enter(
        frame.client_login_id, frame.user_id, call.password, frame.sub_user_id
    )
    notifications = ""
    why: LoginRefusal | Duty
    if isinstance(visit, Visit):
        shape = endpoint.row.shape
        if visit.duty is None or shape in PASSES[visit.duty]:
            return visit
        if shape is Shape.CERTIFICATE and logins.rules.certificate_before_duties:
            return visit
        why = visit.duty
        notifications = render_notices(visit.notices, endpoint.version)
    else:
        why = visit
    refused = _REFUSED[why]
    operations.metrics.count(refused.outcome)
    return Refusal(
        *report_in(endpoint.version, refused.code, refused.text),
        endpoint.version,
        endpoint,
        frame,
        notifications=notifications,
    )
