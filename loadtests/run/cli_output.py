"""What `emvs load` prints: what happens meanwhile, the verdict of a run, the capacity found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from emvs.infra.launch.reporting import TerminalReporter
from loadtests.run.capacity import Step
from loadtests.run.results import Results
from loadtests.run.running import Talk
from loadtests.run.verdict import rows_to_print


@contextmanager
def talking(console: Console) -> Iterator[Talk]:
    """Yield who is told what happens. Bars go in any case; lines may be told afterwards, too."""
    reporter = TerminalReporter(console)
    try:
        yield Talk(
            step=reporter.step,
            progress=reporter.progress,
            live=lambda line: console.print(line, markup=False, highlight=False),
        )
    finally:
        reporter.finish()


def print_results(results: Results, folder: Path, console: Console) -> None:
    """Print the verdict of a run, what to know of it, and where the report is."""
    table = Table("of", "what", "value", "limit", "", title="Verdict")
    shown = rows_to_print(results.rows)
    for row in results.rows:
        if row not in shown:
            continue
        verdict = "[green]kept[/]" if row.kept else "[red]broken[/]"
        table.add_row(row.subject, row.meaning, row.shown, f"{row.limit:g}", verdict)
    console.print(table)
    for sentence in results.bottleneck.sentences:
        console.print(f"! {sentence}", markup=False, highlight=False)
    console.print(
        f"{results.sent:,} transactions, {results.rate:,.1f}/s;"
        f" seed {results.plan.seed}; report: {folder / 'report.html'}",
        highlight=False,
        soft_wrap=True,
    )


def print_capacity(best: Step | None, folder: Path, console: Console, *, most: float) -> None:
    """Print the highest rate that keeps the verdict; `most` is the highest to be tried."""
    if best is None:
        console.print("no rate kept the verdict")
        return
    lower = " (the generator gave out above it)" if best.is_generators else ""
    if best.rate >= most:
        lower += " (nothing above --most was tried)"
    console.print(
        f"{best.rate:,.0f} transactions/s keep the verdict{lower}; p95"
        f" {best.p95_ms:.1f} ms; report: {folder / 'capacity.html'}",
        highlight=False,
        soft_wrap=True,
    )
