"""What `obp` prints for people: tables, and what became of a job.

Texts come from the network: nothing of them may steer the terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from emvs.obp_messages import Defect, RequestStatus
from hub.obp.cli_running import printable
from hub.obp.jobs import ENDED, Job, JobEnd

_SHOWN_MAX: Final = 10
"""Defects and refused packs that are printed; `--json` has all."""
_WORTH_A_LINE: Final = 10_000
"""Without a terminal, progress of less than this is not told."""
_ENDS: Final = {
    "STVA": "valid",
    "STIV": "INVALID: nothing of it was distributed",
    "STLD": "loaded into the hub",
    "STDS": "distributed",
    "STDF": "DISTRIBUTION FAILED",
}
_WAYS_OUT: Final = {
    "unknown_product": "`obp product` does that",
    "batch_exists": "`obp upload --add` does that",
    "unknown_batch": "a batch is made by `obp upload` without --add",
    "other_expiry": "a batch has one expiry date; is it written as in the barcode?",
    "national_code_obligatory": "name it after the market: --market AT:1234567",
    "market_not_connected": "is the market among those that run? `emvs status` shows them",
}


def job_object(end: JobEnd) -> dict[str, Any]:
    """Return what became of a job as a JSON object."""
    job = end.job
    return {
        "ok": end.is_done,
        "job": job.number,
        "kind": job.kind,
        "title": job.title,
        "resumed": job.resumed,
        "serialCount": job.serial_count,
        "messageCount": len(job.messages),
        "alertCount": end.alert_count,
        "loaded": end.loaded,
        "outcomes": end.outcomes,
        "messages": msgspec.to_builtins(end.statuses),
    }


def sent_object(job: Job) -> dict[str, Any]:
    """Return a job that is not waited for as a JSON object."""
    return {"ok": True, "job": job.number, "kind": job.kind, "title": job.title} | {
        "messages": msgspec.to_builtins(job.messages)
    }


def print_job(end: JobEnd) -> None:
    """Print what became of a job."""
    job = end.job
    if job.resumed:
        print("This was in the journal already; the same transaction ids were kept.")
    for status in end.statuses:
        print_status(status)
    left_out = len(job.messages) - len(end.statuses)
    if left_out:
        print(f"  {left_out} further messages were not sent")
    if end.alert_count:
        print(f"  {end.alert_count} answers raised an alert: `obp alerts` lists them")


def print_status(status: RequestStatus) -> None:
    """Print what became of a request."""
    about = " ".join(
        filter(None, (status.productCode, status.batchId and f"batch {status.batchId}"))
    )
    count = f", {status.serialCount:,} serial numbers" if status.serialCount else ""
    word = _ENDS.get(status.status, status.status)
    print(printable(f"{status.messageType} {about}{count}: {word} ({status.status})"))
    print(f"  {status.transactionId}")
    print_defects(status.defects, status.defectCount)
    for warning in status.warnings[:_SHOWN_MAX]:
        print(printable(f"  warning    {warning.field}: {warning.text}"))
    _print_progress(status)
    for entry in status.markets:
        told = [f"  {entry.market:<10} {entry.status.value}"]
        if entry.loadedCount:
            told.append(f"{entry.loadedCount:,} packs")
        if entry.refusedCount:
            told.append(f"{entry.refusedCount:,} refused")
        told += [f"{name} {number:,}" for name, number in entry.outcomes.items()]
        if entry.lastError and entry.status.value != "Distributed":
            told.append(f"after {entry.attempts} attempts: {entry.lastError}")
        print(printable(", ".join(told)))
        for pack in entry.refusedSerials[:_SHOWN_MAX]:
            print(printable(f"    refused  {pack.serialNumber} {pack.code}"))
        if entry.refusedSerials and entry.refusedCount > _SHOWN_MAX:
            more = entry.refusedCount - _SHOWN_MAX
            print(f"    and {more:,} more: `obp status ID --json` lists them")


def _print_progress(status: RequestStatus) -> None:
    """Print how far a large message is and how good its serial numbers are."""
    for entry in status.progress if status.status not in ENDED else []:
        place = f" {entry.system}" if entry.system else ""
        print(printable(f"  {entry.stage}{place}: {entry.count:,} of {entry.total:,}"))
    quality = status.serialQuality
    for finding in () if quality is None else quality.findings:
        told = f"{finding.rule}, {finding.serialCount:,} serial numbers: {finding.text}"
        print(printable(f"  {finding.severity:<10} {told}"))


def print_defects(defects: Sequence[Defect], count: int) -> None:
    """Print what is wrong with a message, and what to do about it where that is known."""
    for defect in defects[:_SHOWN_MAX]:
        value = "" if defect.value is None else f" {defect.value!a}"
        place = f"{defect.field}{value}" + (f" in {defect.market}" if defect.market else "")
        print(printable(f"  {defect.code or 'warning':<10} {place}: {defect.text} ({defect.rule})"))
        if defect.rule in _WAYS_OUT:
            print(f"  {'':<10} {_WAYS_OUT[defect.rule]}")
    if count > _SHOWN_MAX:
        print(f"  and {count - _SHOWN_MAX:,} more defects: `obp status ID --json` lists them")


def print_table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows in columns as wide as they need; without heads if all are empty."""
    texts = [["" if cell is None else printable(_cell(cell)) for cell in row] for row in rows]
    if not texts:
        print("none")
        return
    widths = [max(map(len, column)) for column in zip(heads, *texts, strict=True)]
    if any(heads):
        print(_line(heads, widths))
    for row in texts:
        print(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


class Screen:
    """Progress of something long on standard error: bars on a terminal, a line for each tenth
    elsewhere, and nothing there when there is little to do."""

    def __init__(self) -> None:
        self._reporter: Any = None
        self._totals: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._units: dict[str, str] = {}

    def plan(self, what: str, total: int, *, unit: str = "") -> None:
        """Say how much of it there is."""
        self._totals[what] = total
        self._units[what] = unit

    def at(self, what: str, done: int) -> None:
        """So much of it is done."""
        total = self._totals.get(what, 0)
        done = min(done, total)  # A repeated request sends its bytes again.
        if done <= self._done.get(what, 0):
            return
        self._done[what] = done
        if total >= _WORTH_A_LINE or sys.stderr.isatty():
            unit = self._units[what]
            self._reporting().progress(f"{what} {unit}".rstrip(), done, total)

    def more(self, what: str, count: int) -> None:
        """So much more of it is done."""
        self.at(what, self._done.get(what, 0) + count)

    def step(self, text: str) -> None:
        """Something begins."""
        self._reporting().step(text)

    def finish(self) -> None:
        """Leave the terminal as lines are printed to it."""
        if self._reporter is not None:
            self._reporter.finish()

    def _reporting(self) -> Any:
        if self._reporter is None:
            from rich.console import Console  # noqa: PLC0415 - loads slowly.

            from emvs.infra.launch.reporting import TerminalReporter  # noqa: PLC0415

            self._reporter = TerminalReporter(Console(file=sys.stderr))
        return self._reporter
