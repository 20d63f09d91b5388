"""The command `presets`: what there is to run."""

from __future__ import annotations

import typer
from rich.table import Table

from emvs.infra.launch.ending import end, make_console
from emvs.infra.launch.errors import ExitCode
from loadtests.scenarios.presets import PRESETS


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(presets)


def presets() -> None:
    """List the presets."""

    def command() -> ExitCode:
        table = Table("preset", "markets", "rate/s", "curve", "alerts", "intermarket", "what")
        for one in PRESETS.values():
            table.add_row(
                one.name,
                ",".join(one.markets),
                f"{one.peak_second:,.0f}" if one.curve == "peak" else f"{one.hour_mean:,.0f} mean",
                one.curve,
                f"{one.alerts:.3%}",
                f"{one.intermarket:.1%}",
                one.text,
            )
        make_console().print(table)
        return ExitCode.OK

    end(command)
