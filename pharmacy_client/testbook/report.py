"""The result of a run, and its form as JSON: a public contract, kept in docs/testbook.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

FORMAT: Final = 1
"""Grows when a member of the JSON changes its meaning; members may be added without."""


class Verdict(StrEnum):
    """How a step or case ended."""

    PASS = "Pass"  # noqa: S105 - a verdict
    FAIL = "Fail"
    NOT_APPLICABLE = "N/A"


@dataclass(frozen=True, slots=True)
class Sent:
    """One request and its answer as they went over the wire, without secrets."""

    request: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """How a step ended."""

    number: int
    text: str
    verdict: Verdict
    completed_at: datetime
    expected: str = ""
    reason: str = ""
    """Why it failed or does not apply."""
    operation_code: str | None = None
    told: str | None = None
    """Text of the answer."""
    alert_ids: tuple[str, ...] = ()
    exchanges: tuple[Sent, ...] = ()
    """Of a step that failed."""

    @property
    def was_left_out(self) -> bool:
        """Whether nothing was sent. (What was sent may turn out not to be applicable.)"""
        return self.verdict is Verdict.NOT_APPLICABLE and self.operation_code is None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """How a case ended."""

    number: str
    name: str
    started_at: datetime
    completed_at: datetime
    steps: tuple[StepResult, ...]

    @property
    def verdict(self) -> Verdict:
        """Fail if a step failed, N/A if none could be run."""
        return joint_verdict([step.verdict for step in self.steps])

    def count(self, verdict: Verdict) -> int:
        """Return how many steps ended so."""
        return sum(step.verdict is verdict for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookResult:
    """How a run ended."""

    system: str
    market: str
    role: str
    login: str
    repeat_limit: int
    software: str
    started_at: datetime
    ended_at: datetime
    cases: tuple[CaseResult, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """Fail if a case failed, N/A if no step could be run."""
        return joint_verdict([case.verdict for case in self.cases])

    def count(self, verdict: Verdict) -> int:
        """Return how many steps ended so."""
        return sum(case.count(verdict) for case in self.cases)


def joint_verdict(verdicts: list[Verdict]) -> Verdict:
    """Return the verdict on a whole whose parts ended so."""
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.PASS if Verdict.PASS in verdicts else Verdict.NOT_APPLICABLE


def utc(at: datetime) -> str:
    """Return an instant as the book wants it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def result_object(result: BookResult) -> dict[str, Any]:
    """Return the result as an object to be written as JSON."""
    return {
        "format": FORMAT,
        "verdict": result.verdict,
        "system": result.system,
        "market": result.market,
        "role": result.role,
        "login": result.login,
        "repeatLimit": result.repeat_limit,
        "software": result.software,
        "startedAt": utc(result.started_at),
        "endedAt": utc(result.ended_at),
        "passed": result.count(Verdict.PASS),
        "failed": result.count(Verdict.FAIL),
        "notApplicable": result.count(Verdict.NOT_APPLICABLE),
        "cases": [_case_object(case) for case in result.cases],
    }


def _case_object(case: CaseResult) -> dict[str, Any]:
    return {
        "number": case.number,
        "name": case.name,
        "verdict": case.verdict,
        "startedAt": utc(case.started_at),
        "completedAt": utc(case.completed_at),
        "steps": [
            {
                "number": step.number,
                "text": step.text,
                "verdict": step.verdict,
                "completedAt": utc(step.completed_at),
                "expected": step.expected,
                "reason": step.reason,
                "operationCode": step.operation_code,
                "told": step.told,
                "alertIds": list(step.alert_ids),
                "exchanges": [
                    {"request": sent.request, "answer": sent.answer} for sent in step.exchanges
                ],
            }
            for step in case.steps
        ],
    }
