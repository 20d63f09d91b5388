"""The command `pharmacy testbook`: its options, and what it shows while it runs.

What it does is `testbook.command`'s, which loads when the command runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pharmacy_client.cli_output import printable
from pharmacy_client.exit_codes import ExitCode
from pharmacy_client.testbook.book import Role

if TYPE_CHECKING:
    from pharmacy_client.testbook.book import Case, Step
    from pharmacy_client.testbook.report import CaseResult

_SYSTEM = "System"
_RUN = "What is run"
_REPORT = "Report"
_CLEAR_LINE = "\r\x1b[2K"

Finish = Callable[[Callable[[], ExitCode]], None]
"""Runs a command and exits with its code, whatever goes wrong."""


class TerminalProgress:
    """A line for each case; on a terminal also the step that is on its way."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._is_terminal = sys.stdout.isatty()

    def preparing(self, what: str) -> None:
        self._passing(f"· {what}")

    def step(self, case: Case, number: int, step: Step) -> None:
        if self._is_terminal:
            self._passing(f"· {case.number} {case.name} {number}/{len(case.steps)} {step.text}")

    def case_done(self, result: CaseResult) -> None:
        from pharmacy_client.testbook.report import Verdict  # noqa: PLC0415
        from pharmacy_client.testbook.report_text import case_line, step_lines  # noqa: PLC0415

        lines = [case_line(result)]
        for step in result.steps:
            if self._verbose or step.verdict is Verdict.FAIL:
                lines += step_lines(step)
        self.lines(lines)

    def lines(self, lines: list[str]) -> None:
        """Print lines that stay."""
        start = _CLEAR_LINE if self._is_terminal else ""
        for line in lines:
            print(start + printable(line), flush=True)

    def _passing(self, line: str) -> None:
        if self._is_terminal:
            print(_CLEAR_LINE + printable(line)[:78], end="", flush=True)
        else:
            print(printable(line), flush=True)


def register(app: typer.Typer, finish: Finish) -> None:
    """Add the command."""

    @app.command()
    def testbook(  # noqa: PLR0913, PLR0917 - typer calls it by name: each parameter is an option.
        self_contained: Annotated[
            bool,
            typer.Option(
                "--self-contained",
                help="Start a system for this run, and remove it afterwards.",
                rich_help_panel=_SYSTEM,
            ),
        ] = False,
        endpoints: Annotated[
            Path | None,
            typer.Option(
                help="endpoints.json of a running simulator; else .emvs/endpoints.json.",
                rich_help_panel=_SYSTEM,
            ),
        ] = None,
        profile: Annotated[
            Path | None,
            typer.Option(
                help="Profile of another system. Steps that need a stand are N/A.",
                rich_help_panel=_SYSTEM,
            ),
        ] = None,
        market: Annotated[
            str | None,
            typer.Option(
                help="Market with REST: GR, or the first in the endpoints file.",
                rich_help_panel=_SYSTEM,
            ),
        ] = None,
        participant: Annotated[
            int,
            typer.Option(
                help="Which participant of the role, counted from 0.",
                min=0,
                rich_help_panel=_SYSTEM,
            ),
        ] = 0,
        packs: Annotated[
            Path | None,
            typer.Option(
                help="JSON of scans by purpose, for a system that cannot be loaded.",
                rich_help_panel=_SYSTEM,
            ),
        ] = None,
        role: Annotated[
            Role, typer.Option(help="Whose software is qualified.", rich_help_panel=_RUN)
        ] = Role.PHARMACY,
        case: Annotated[
            list[str] | None,
            typer.Option(help="Run this case alone; may be repeated.", rich_help_panel=_RUN),
        ] = None,
        repeat_limit: Annotated[
            int | None,
            typer.Option(
                help="Double-dispense limit: repeats of a supply without an alert; else the"
                " market's usual one.",
                min=0,
                max=20,
                rich_help_panel=_RUN,
            ),
        ] = None,
        keep_clock: Annotated[
            bool,
            typer.Option(
                "--keep-clock",
                help="Leave out the step that moves the clocks by eleven days.",
                rich_help_panel=_RUN,
            ),
        ] = False,
        json_file: Annotated[
            Path | None,
            typer.Option("--json", help="Write the result as JSON.", rich_help_panel=_REPORT),
        ] = None,
        html_file: Annotated[
            Path | None,
            typer.Option("--html", help="Write it as a page.", rich_help_panel=_REPORT),
        ] = None,
        text_file: Annotated[
            Path | None,
            typer.Option("--text", help="Write it as text.", rich_help_panel=_REPORT),
        ] = None,
        verbose: Annotated[
            bool, typer.Option("--verbose", "-v", help="Show every step.", rich_help_panel=_REPORT)
        ] = False,
    ) -> None:
        """Run the qualification test book. Exit code: 0 all passed, 1 a step failed, 2 wrong
        usage, 5 login refused, 6 the system cannot be reached."""

        def run() -> ExitCode:
            from pharmacy_client.testbook.command import Options, run_command  # noqa: PLC0415

            options = Options(
                self_contained=self_contained,
                endpoints=endpoints,
                profile=profile,
                market=market,
                participant=participant,
                packs=packs,
                role=role,
                cases=tuple(case or ()),
                repeat_limit=repeat_limit,
                keep_clock=keep_clock,
                json_file=json_file,
                html_file=html_file,
                text_file=text_file,
            )
            return run_command(options, TerminalProgress(verbose=verbose))

        finish(run)
