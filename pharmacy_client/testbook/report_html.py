"""The result as one HTML page that loads nothing from elsewhere, to be printed or sent."""

from __future__ import annotations

from html import escape
from typing import Final

from pharmacy_client.testbook.report import BookResult, CaseResult, StepResult, Verdict, utc

_CLASSES: Final = {Verdict.PASS: "pass", Verdict.FAIL: "fail", Verdict.NOT_APPLICABLE: "na"}
_STYLE: Final = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em }
table { border-collapse: collapse; width: 100%; margin-bottom: 2em }
th, td { border: 1px solid #bbb; padding: .3em .6em; text-align: left; vertical-align: top }
td.when, td.code { white-space: nowrap; font-variant-numeric: tabular-nums }
.pass { color: #14662b } .fail { color: #b00020; font-weight: bold } .na { color: #666 }
.alert { background: #fff3d6 }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3em 0 }
"""


def html_report(result: BookResult) -> str:
    """Return the page."""
    facts = {
        "Result": f"{result.verdict}: {result.count(Verdict.PASS)} steps passed,"
        f" {result.count(Verdict.FAIL)} failed, {result.count(Verdict.NOT_APPLICABLE)} n/a",
        "System": f"{result.system}, market {result.market}",
        "Role": result.role,
        "Login": result.login,
        "Software": result.software,
        "Double-dispense limit": str(result.repeat_limit),
        "Started": utc(result.started_at),
        "Ended": utc(result.ended_at),
    }
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items()
    )
    contents = "".join(
        f'<tr><td><a href="#case-{escape(case.number)}">{escape(case.number)}</a></td>'
        f"<td>{escape(case.name)}</td>{_verdict_cell(case.verdict)}"
        f"<td>{case.count(Verdict.PASS)}</td><td>{case.count(Verdict.FAIL)}</td>"
        f"<td>{case.count(Verdict.NOT_APPLICABLE)}</td>"
        f'<td class="when">{utc(case.completed_at)}</td></tr>'
        for case in result.cases
    )
    cases = "".join(_case(case) for case in result.cases)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Test book: {result.verdict}</title><style>{_STYLE}</style></head><body>"
        "<h1>Qualification test book</h1><p>A run of emvs, a simulator's client; not the official"
        f" document.</p><table>{rows}</table>"
        "<table><tr><th>Case</th><th>Name</th><th>Result</th><th>Passed</th><th>Failed</th>"
        f"<th>N/A</th><th>Completed (UTC)</th></tr>{contents}</table>{cases}</body></html>\n"
    )


def _case(case: CaseResult) -> str:
    steps = "".join(_step(step) for step in case.steps)
    return (
        f'<h2 id="case-{escape(case.number)}">{escape(case.number)} {escape(case.name)}:'
        f' <span class="{_CLASSES[case.verdict]}">{case.verdict}</span></h2>'
        f"<p>Started {utc(case.started_at)}, completed {utc(case.completed_at)}</p>"
        "<table><tr><th>Step</th><th>What</th><th>Expected</th><th>Result</th>"
        f"<th>Completed (UTC)</th><th>Answer</th></tr>{steps}</table>"
    )


def _step(step: StepResult) -> str:
    alerts = "".join(f"<br>Alert <b>{escape(alert_id)}</b>" for alert_id in step.alert_ids)
    answer = f"{escape(step.operation_code or '')} {escape(step.told or '')}{alerts}"
    reason = f"<br>{escape(step.reason)}" if step.reason else ""
    raw = "".join(
        f"<pre>{escape(sent.request)}</pre><pre>{escape(sent.answer)}</pre>"
        for sent in step.exchanges
    )
    details = f"<details><summary>Request and answer</summary>{raw}</details>" if raw else ""
    mark = ' class="alert"' if step.alert_ids else ""
    return (
        f"<tr{mark}><td>{step.number}</td><td>{escape(step.text)}{reason}{details}</td>"
        f"<td>{escape(step.expected)}</td>{_verdict_cell(step.verdict)}"
        f'<td class="when">{utc(step.completed_at)}</td><td>{answer}</td></tr>'
    )


def _verdict_cell(verdict: Verdict) -> str:
    return f'<td class="{_CLASSES[verdict]}">{verdict}</td>'
