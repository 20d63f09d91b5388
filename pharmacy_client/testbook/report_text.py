"""The result as text, for terminals, logs and mails."""

from __future__ import annotations

from pharmacy_client.testbook.report import BookResult, CaseResult, StepResult, Verdict, utc

_MARKS = {Verdict.PASS: "Pass", Verdict.FAIL: "FAIL", Verdict.NOT_APPLICABLE: "N/A "}


def case_line(case: CaseResult) -> str:
    """Return how a case ended, in one line."""
    counts = [f"{case.count(Verdict.PASS)} passed"]
    if failed := case.count(Verdict.FAIL):
        counts.append(f"{failed} failed")
    if skipped := case.count(Verdict.NOT_APPLICABLE):
        counts.append(f"{skipped} n/a")
    took_s = (case.completed_at - case.started_at).total_seconds()
    line = (
        f"{_MARKS[case.verdict]} {case.number} {case.name:<21} {', '.join(counts)}, {took_s:.1f} s"
    )
    reasons = {step.reason for step in case.steps}
    if case.verdict is Verdict.NOT_APPLICABLE and len(reasons) == 1:
        line += f": {reasons.pop()}"
    return line


def step_lines(step: StepResult) -> list[str]:
    """Return a step with all that is to be said about it but the raw exchange."""
    at = utc(step.completed_at)[11:]
    code = step.operation_code or "-"
    lines = [f"  {_MARKS[step.verdict]} {step.number:>2} {at} {code:<8} {step.text}"]
    indent = " " * 23
    if step.verdict is Verdict.FAIL:
        lines.append(f"{indent}expected {step.expected}")
    if step.reason:
        lines.append(f"{indent}{step.reason}")
    lines += [f"{indent}alert {alert_id}" for alert_id in step.alert_ids]
    return lines


def summary_lines(result: BookResult) -> list[str]:
    """Return the outcome of the whole."""
    took_s = (result.ended_at - result.started_at).total_seconds()
    counts = ", ".join(
        f"{result.count(verdict)} {word}"
        for verdict, word in (
            (Verdict.PASS, "steps passed"),
            (Verdict.FAIL, "failed"),
            (Verdict.NOT_APPLICABLE, "n/a"),
        )
    )
    when = f"{utc(result.started_at)} to {utc(result.ended_at)}, {took_s:.1f} s"
    return [f"{_MARKS[result.verdict].strip()}: {counts}; {when}"]


def text_report(result: BookResult) -> str:
    """Return the whole result, with request and answer of every step that failed."""
    lines = [
        "EMVS qualification test book, as a run of emvs (not the official document)",
        f"system {result.system}, market {result.market}",
        f"role {result.role}, login {result.login}, software {result.software}",
        f"double-dispense limit {result.repeat_limit}",
        f"started {utc(result.started_at)}, ended {utc(result.ended_at)}",
        "",
    ]
    for case in result.cases:
        lines.append(f"{case_line(case)}; completed {utc(case.completed_at)}")
        for step in case.steps:
            lines += step_lines(step)
            for sent in step.exchanges:
                lines += [f"      > {line}" for line in sent.request.splitlines()]
                lines += [f"      < {line}" for line in sent.answer.splitlines()]
        lines.append("")
    return "\n".join([*lines, *summary_lines(result), ""])
