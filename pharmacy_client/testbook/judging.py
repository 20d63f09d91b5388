"""Holds an answer against what is expected of it. Pure: no connection enters.

Every answer is held against the general form of answers too: a flat JSON object with an operation
code of eight characters as a string, exactly one of `information` and `warning`, an HTTP status
that agrees with the code's first character.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pharmacy_client.exchange import HttpReply
from pharmacy_client.testbook.book import Expected

STATUS_OF_CLASS: Final = {"1": 200, "2": 202, "3": 403, "4": 404, "5": 409, "6": 422, "7": 429}
"""HTTP status by the first character of an operation code; of 7 it is inferred."""
_CODE: Final = re.compile(r"[0-9A-Z]{8}")
_SHOWN_MAX: Final = 60


class Answer(NamedTuple):
    """What came back, taken apart."""

    http_status: int | None = None
    members: Mapping[str, Any] = {}
    headers: Mapping[str, str] = {}
    body: bytes = b""
    problem: str | None = None
    """Why there are no members."""

    def text(self, name: str) -> str | None:
        """Return a member if it is a text that says something."""
        value = self.members.get(name)
        return value if isinstance(value, str) and value else None


def read_answer(reply: HttpReply) -> Answer:
    """Return a reply's members, or what kept it from having some."""
    members: object = None
    problem: str | None = None
    try:
        members = json.loads(reply.body)
    except (ValueError, RecursionError):
        problem = "the body is no JSON"
    if not isinstance(members, dict):
        return Answer(
            reply.status, {}, reply.headers, reply.body, problem or "the body is no JSON object"
        )
    return Answer(reply.status, members, reply.headers, reply.body)


def problems_of(answer: Answer, expected: Expected, *, text_needed: bool = True) -> list[str]:
    """Return, in sentences, what about an answer is not as expected."""
    if answer.problem is not None:
        return [f"HTTP {answer.http_status}: {answer.problem}"]
    code = answer.members.get("operationCode")
    problems = form_problems(answer, text_needed=text_needed)
    if not any(_fits(code, pattern) for pattern in expected.codes):
        right = " or ".join(expected.codes)
        told = answer.text("warning") or answer.text("information") or ""
        problems.insert(0, f"operation code {_shown(code)}, expected {right}. {told}".rstrip(". "))
    problems += _alert_problems(answer, expected)
    if expected.state is not None and not _same_word(answer.members.get("state"), expected.state):
        problems.append(f"state {_shown(answer.members.get('state'))}, expected {expected.state}")
    for name, value in expected.members.items():
        if answer.members.get(name) != value:
            problems.append(f"{name} {_shown(answer.members.get(name))}, expected {value}")
    return problems


def form_problems(answer: Answer, *, text_needed: bool = True) -> list[str]:
    """Return what is wrong with an answer whatever was asked."""
    code = answer.members.get("operationCode")
    if not isinstance(code, str) or _CODE.fullmatch(code) is None:
        return [f"operationCode {_shown(code)} is no text of eight digits and capitals"]
    problems = []
    status = STATUS_OF_CLASS.get(code[0])
    if answer.http_status is not None and status is not None and answer.http_status != status:
        problems.append(f"HTTP {answer.http_status} with operation code {code}, expected {status}")
    texts = [name for name in ("information", "warning") if answer.text(name)]
    if text_needed and len(texts) != 1:
        problems.append(f"{' and '.join(texts) or 'neither information nor warning'} in the answer")
    return problems


def _alert_problems(answer: Answer, expected: Expected) -> list[str]:
    alert_id = answer.members.get("alertId")
    if expected.alert is False and alert_id:
        return [f"alert {_shown(alert_id)}, expected none"]
    if expected.alert is True and not answer.text("alertId"):
        return ["no alert id, expected an alert"]
    alert_code = answer.text("alertCode")
    if alert_id and alert_code and expected.alert_codes and alert_code not in expected.alert_codes:
        return [f"alert code {alert_code}, expected {' or '.join(expected.alert_codes)}"]
    return []


def _fits(code: object, pattern: str) -> bool:
    """Whether a code is the one of a pattern, in which dots stand for any character."""
    return (
        isinstance(code, str)
        and len(code) == len(pattern)
        and all(wanted in (".", found) for wanted, found in zip(pattern, code, strict=True))
    )


def _same_word(told: object, expected: str) -> bool:
    """States are read in any case, with or without blank and hyphen, as deployed clients do."""
    if not isinstance(told, str):
        return False
    return told.replace(" ", "").replace("-", "").casefold() == expected.casefold()


def _shown(value: object) -> str:
    return "missing" if value is None else repr(value)[:_SHOWN_MAX]
