"""What the user sees while something takes time: steps, progress, remarks.

Three ways: a terminal with bars, plain lines for logs and pipes, and a pipe to the process that
waits for a detached start.
"""

from __future__ import annotations

import os
from typing import Any, Final, Protocol

import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

_PLAIN_PARTS: Final = 10  # A line for each tenth, where there is no bar.


class Reporter(Protocol):
    """Somebody who is told what happens."""

    def step(self, text: str) -> None:
        """Something begins."""

    def progress(self, what: str, done: int, total: int) -> None:
        """So much of it is done."""

    def remark(self, text: str) -> None:
        """Something happened that was not asked for."""


class TerminalReporter:
    """Bars where there is a terminal, lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._parts: dict[str, int] = {}

    def step(self, text: str) -> None:
        self._line(f"· {text}")

    def remark(self, text: str) -> None:
        self._line(f"! {text}")

    def progress(self, what: str, done: int, total: int) -> None:
        if self._console.is_terminal:
            self._show_bar(what, done, total)
            return
        part = done * _PLAIN_PARTS // max(total, 1)
        if part > self._parts.get(what, 0):
            self._parts[what] = part
            self._line(f"  {what}: {done:,} of {total:,}")

    def finish(self) -> None:
        """Leave the terminal as lines are printed to it: to be called however the work ended."""
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._tasks = None, {}

    def _show_bar(self, what: str, done: int, total: int) -> None:
        if self._bars is None:
            columns = (
                TextColumn("  {task.description:<12}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._bars = Progress(*columns, console=self._console)
            self._bars.start()
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total)
        self._bars.update(self._tasks[what], completed=done, total=total)
        if self._bars.finished:
            self.finish()

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class PipeReporter:
    """Tells a waiting process, as JSON lines, until it is told the end; then only the log."""

    def __init__(self, descriptor: int, log: Console) -> None:
        self._descriptor: int | None = descriptor
        self._log = TerminalReporter(log)

    def step(self, text: str) -> None:
        self._log.step(text)
        self._send({"step": text})

    def remark(self, text: str) -> None:
        self._log.remark(text)
        self._send({"remark": text})

    def progress(self, what: str, done: int, total: int) -> None:
        self._log.progress(what, done, total)
        self._send({"progress": what, "done": done, "total": total})

    def end(self, *, error: str | None = None, exit_code: int = 0) -> None:
        """Say how the start ended, or later the whole, and close the pipe."""
        if error is not None:
            self._log.remark(error)
        self._send({"end": True, "error": error, "exit_code": exit_code})
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _send(self, message: dict[str, Any]) -> None:
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, orjson.dumps(message) + b"\n")
        except OSError:  # Nobody waits any more; the start goes on all the same.
            os.close(self._descriptor)
            self._descriptor = None


def replay(message: dict[str, Any], reporter: Reporter) -> None:
    """Tell a reporter what a `PipeReporter` has sent."""
    if "step" in message:
        reporter.step(message["step"])
    elif "remark" in message:
        reporter.remark(message["remark"])
    elif "progress" in message:
        reporter.progress(message["progress"], message["done"], message["total"])
