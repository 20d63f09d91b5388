"""How the commands print and end. Imports what it needs when it runs: `--help` is there at once."""

# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import typer

from emvs.infra.launch.errors import ExitCode

_WIDTH_MIN = 120


def make_console() -> Any:
    """Return the console to print on."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:  # Tables in a file need not fit a screen.
        console = Console(width=max(console.width, _WIDTH_MIN))
    return console


def end(command: Callable[[], ExitCode]) -> NoReturn:
    """Run a command and leave with its exit code."""
    from emvs.infra.launch.outcome import run_guarded

    raise typer.Exit(run_guarded(command))
