"""From an `Answer` to the JSON object on the wire. No rule and no HTTP enters.

One flat object for every outcome; a member is there only when it says something. The superset of
all versions goes to every client: the differences between them are additions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, Final

import orjson

from emvs.outcomes import Outcome
from emvs.scanner_hints import Hint
from emvs.states import Operation, State
from nmvs.requests import Answer
from nmvs.rest.codes import http_status, operation_code, text_member
from nmvs.rest.texts import display_text

STATE_NAMES: Final[dict[State, str]] = {
    State.ACTIVE: "Active",
    State.SUPPLIED: "Supplied",
    State.DESTROYED: "Destroyed",
    State.LOCKED: "Locked",
    State.EXPORTED: "Exported",
    State.SAMPLE: "Sample",
    State.STOLEN: "Stolen",
    State.FREE_SAMPLE: "FreeSample",
    State.CHECKED_OUT: "CheckedOut",
    State.RECALLED: "Recalled",
    State.EXPIRED: "Expired",
    State.WITHDRAWN: "Withdrawn",
}
assert STATE_NAMES.keys() == set(State), "every state has its literal"


def render_answer(
    answer: Answer,
    operation: Operation,
    ams_url: str,
    language: str = "en",
    hidden: Sequence[str] = (),
) -> tuple[int, bytes]:
    """Return HTTP status and body. `ams_url` followed by the alert's id is its link; members in
    `hidden` are left out."""
    status, body = answer_members(answer, operation, ams_url, language)
    if hidden:
        for name in hidden:
            body.pop(name, None)
    return status, orjson.dumps(body)


def answer_members(
    answer: Answer, operation: Operation, ams_url: str, language: str = "en"
) -> tuple[int, dict[str, Any]]:
    """Return HTTP status and the members of the body."""
    (
        outcome,
        _,
        at_ms,
        state,
        effective,
        here,
        undo_until_s,
        alert,
        product,
        batch,
        foreign,
        hint,
    ) = answer
    status, members = _head(outcome, operation, effective, here, hint, language)
    body = members.copy()
    if alert is not None:
        body["alertId"] = alert.alert_id
        body["alertCode"] = "#" + alert.hub_code
        body["amsLink"] = ams_url + alert.alert_id
    if product is not None:
        body["productName"] = product.name
        if product.national_code is not None:
            body["nhrn"] = product.national_code
    if effective is not None or foreign:
        body["isIntermarket"] = foreign
    if state is not None and state is not State.ACTIVE:
        _add_undo(body, answer, at_ms // 1000, undo_until_s)
    if batch is not None:
        if status == 409:
            body["batchState"] = "Recalled" if batch.facts.recalled else "Active"
        if batch.recall_reason is not None:
            body["batchRecallReason"] = batch.recall_reason
    if product is not None and product.withdrawal_reason is not None:
        body["productWithdrawalReason"] = product.withdrawal_reason
    return status, body


def render_code(code: str, language: str = "en") -> bytes:
    """Return the body of a refusal that no outcome stands for."""
    return orjson.dumps({"operationCode": code, text_member(code): display_text(code, language)})


# As many entries as there are outcomes, operations, states, places and languages: some thousand.
@cache
def _head(  # noqa: PLR0917 - all that a code depends on; keywords would cost the hot path its time
    outcome: Outcome,
    operation: Operation,
    effective: State | None,
    here: bool,
    hint: Hint | None,
    language: str,
) -> tuple[int, dict[str, Any]]:
    """Return the status and the members that follow from the arguments. Copy before adding."""
    code = operation_code(outcome, operation, effective, here=here, hint=hint)
    members: dict[str, Any] = {"operationCode": code}
    if effective is not None:
        members["state"] = STATE_NAMES[effective]
    members[text_member(code)] = display_text(code, language)
    return http_status(code), members


def _add_undo(body: dict[str, Any], answer: Answer, now_s: int, undo_until_s: int | None) -> None:
    """Tell whether the caller may undo, and how long. A lock can be undone without limit."""
    if answer.effective is not answer.state:
        body["canReactivate"] = False
    elif undo_until_s is None:
        body["canReactivate"] = answer.state is State.LOCKED and answer.here
    elif now_s > undo_until_s:
        body["canReactivate"] = False
    else:
        body["canReactivate"] = True
        body["canReactivateUntil"] = timestamp(undo_until_s)


@lru_cache(maxsize=1024)
def timestamp(at_s: int) -> str:
    """Return an instant with three digits and a Z: other forms break one client or another."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
