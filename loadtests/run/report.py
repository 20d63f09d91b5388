"""The report of a run as one HTML file. Everything in it comes from `Results`."""

from __future__ import annotations

from html import escape
from pathlib import Path

from loadtests.pages.bar_charts import Bar, bar_chart
from loadtests.pages.frame import bullets, card, page, table, verdict, verdict_cell
from loadtests.pages.line_charts import Line, Mark, line_chart
from loadtests.run.results import Results
from loadtests.run.verdict import LIMITS

_ART_35 = Mark("300 ms (Art. 35)", LIMITS["p95_ms"])


def write_report(results: Results, path: Path) -> None:
    """Write the page."""
    plan = results.plan
    markets = ", ".join(plan.market_shares)
    title = f"Load test {plan.preset}: {results.rate:,.0f}/s for {_span(plan.duration_s)}"
    body = (
        f"<h1>{escape(title)}</h1>"
        f'<p class="sub">{escape(markets)} · seed {plan.seed} · {plan.model} model · finished'
        f" {escape(results.finished)} · {escape(results.machine)}</p>"
        f"{_head(results)}{_charts(results)}{_tables(results)}{_foot()}"
    )
    path.write_text(page(title, body), encoding="utf-8")


def kept_cell(*, kept: bool) -> str:
    """Return a cell that says whether limits were kept."""
    return verdict_cell("kept" if kept else "broken", is_good=kept)


def _span(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 and seconds % 60 == 0 else f"{seconds:g} s"


def _head(results: Results) -> str:
    broken = [row for row in results.rows if not row.kept]
    told = verdict(
        "All limits are kept."
        if results.kept
        else f"{len(broken)} of {len(results.rows)} limits are not kept.",
        is_good=results.kept,
    )
    remarks = ""
    if results.bottleneck.sentences:
        lead = (
            "<b>The load generator was the bottleneck.</b> The figures are a lower bound of what"
            " the servers hold."
            if results.bottleneck.is_generator
            else "<b>To be known when reading the figures:</b>"
        )
        remarks = f'<div class="remark">{lead}{bullets(results.bottleneck.sentences)}</div>'
    single = [group for group in results.groups if group.is_single]
    errors = sum(group.errors for group in results.groups)
    unexpected = sum(group.unexpected for group in results.groups)
    worst = max((group.latency.planned["p95"] for group in single), default=0.0)
    cards = [
        card(f"{results.sent:,}", "transactions"),
        card(f"{results.rate:,.1f}/s", "mean rate sent"),
        card(
            f"{max(results.series.rate, default=0):,.0f}/s", f"busiest {results.series.slot_s:g} s"
        ),
        card(f"{worst:,.1f} ms", "worst p95 of an operation"),
        card(f"{errors:,}", "without a usable answer"),
        card(f"{unexpected:,}", "unexpected answers"),
        card(_lost(results), "lost / doubled"),
        card(f"{results.lateness.own['p95']:.1f} ms", "generator's lateness, p95"),
    ]
    return f'{told}{remarks}<div class="cards">{"".join(cards)}</div>'


def _lost(results: Results) -> str:
    if not results.audits:
        return "not checked"
    lost = sum(audit.lost for audit in results.audits)
    doubled = sum(audit.doubled for audit in results.audits)
    return f"{lost} / {doubled}"


def _charts(results: Results) -> str:
    series, server = results.series, results.server_series
    latency = [Line(name, series.at, values) for name, values in series.planned.items()]
    charts = [
        line_chart(
            "Rate",
            [
                Line("answered", series.at, series.answered),
                Line("planned", series.at, results.planned_rate, dashed=True),
                Line("bad answers", series.at, series.bad_rate),
            ],
            x_unit="seconds",
            y_unit="transactions/s",
        ),
        line_chart(
            "Latency from the planned moment",
            latency,
            x_unit="seconds",
            y_unit="ms",
            marks=[_ART_35],
            log=True,
        ),
        line_chart(
            "Inside the servers, apart from the wire: means",
            [
                Line("service: read until durable", server.at, server.service_ms),
                Line("of it in the ledger's queue and commit", server.at, server.ledger_ms),
            ],
            x_unit="seconds",
            y_unit="ms",
        ),
        line_chart(
            "Lateness of sending, p95",
            [
                Line("late", series.at, series.late_ms),
            ],
            x_unit="seconds",
            y_unit="ms",
        ),
        line_chart(
            "Processor",
            [
                *(
                    Line(f"generator {number}", at, cores)
                    for number, (at, cores) in enumerate(results.generator_cpu)
                ),
                *(Line(name, server.at, cores) for name, cores in server.cpu.items()),
            ],
            x_unit="seconds",
            y_unit="cores",
        ),
        line_chart(
            "Requests under way",
            [Line("lanes that wait for an answer", *results.busy)],
            x_unit="seconds",
            y_unit="requests",
        ),
    ]
    bars = [
        Bar(code["code"], code["count"], f"{code['count']:,}", code["verdict"].lower())
        for code in results.codes[:16]
    ]
    charts.append(bar_chart("Codes (logarithmic)", bars, log=True))
    return f'<h2>Over time</h2><div class="charts">{"".join(charts)}</div>'


def _tables(results: Results) -> str:
    limits = [
        [
            escape(row.subject),
            escape(row.meaning),
            row.shown,
            f"{row.limit:g}",
            kept_cell(kept=row.kept),
        ]
        for row in results.rows
    ]
    names = ("p50", "p95", "p99", "p99.9")
    groups = [
        [
            escape(f"{group.market} {group.dialect}"),
            escape(group.operation),
            f"{group.requests:,}",
            f"{group.rate:,.1f}",
            *(f"{group.latency.planned[name]:,.1f}" for name in names),
            f"{group.latency.planned_max:,.0f}",
            *(f"{group.latency.measured[name]:,.1f}" for name in names[:3]),
            f"{group.errors:,}",
            f"{group.unexpected:,}",
        ]
        for group in results.groups
    ]
    server = [
        [
            escape(one.market),
            escape(one.operation),
            f"{one.requests:,}",
            f"{one.service_mean:.2f}",
            f"{one.service_p95:.2f}",
            f"{one.ledger_mean:.2f}",
            f"{one.ledger_p95:.2f}",
        ]
        for one in results.server_times
    ]
    audit = [
        [
            escape(one.market),
            f"{one.checked:,}",
            f"{one.entries:,}",
            str(one.lost),
            str(one.doubled),
            str(one.unasked),
            str(one.unanswered_done),
        ]
        for one in results.audits
    ]
    late = results.lateness
    lateness = [
        ["a lane waited: the generator's own", *(f"{late.own[name]:,.2f}" for name in names)],
        ["all requests", *(f"{late.all[name]:,.2f}" for name in names)],
    ]
    heads = ["market", "operation", "count", "per s", *names, "max", "p50", "p95", "p99"]
    codes = [
        [escape(one["code"]), escape(one["verdict"].lower()), f"{one['count']:,}"]
        for one in results.codes
    ]
    note = f'<p class="none">{escape(results.audit_note)}</p>' if results.audit_note else ""
    return (
        "<h2>Verdict</h2>"
        + table(["of", "what", "value", "limit", ""], limits, texts=range(2))
        + "<h2>Latency in milliseconds: from the planned moment, then as measured from the sending"
        "</h2>" + table([*heads, "errors", "unexpected"], groups, texts=range(2))
        + "<h2>Inside the servers, milliseconds: means and bounds of p95</h2>"
        + table(
            ["market", "operation", "count", "service", "p95 below", "ledger", "p95 below"],
            server,
            texts=range(2),
        )
        + "<h2>Lateness of sending, milliseconds</h2>"
        + table(["of", *names], lateness)
        + "<h2>Against the audit trails</h2>"
        + (
            note
            or table(
                ["market", "told as done", "changes recorded", "lost", "doubled", "unasked",
                 "done without an answer"],
                audit,
            )
        )
        + "<h2>Codes</h2>"
        + table(["code", "judged", "count"], codes, texts=range(2))
    )  # fmt: skip


def _foot() -> str:
    return (
        "<footer>Latency from the planned moment holds the time a request waited to be sent, so a"
        " server that stalls cannot hide it. Raw samples: <code>samples.csv</code>; figures:"
        " <code>report.json</code>. NOT FOR PRODUCTION.</footer>"
    )
