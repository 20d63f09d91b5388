"""The command behind `emvs load`: run, capacity, presets, prepare, report. A thin caller."""

from __future__ import annotations

import typer

from loadtests.run import cli_by_hand, cli_capacity, cli_presets, cli_run

app = typer.Typer(
    name="emvs load",
    help="Load tests: Locust scenarios over the systems, with report and verdict.",
    epilog="Exit codes:\n\n0 every limit is kept\n\n1 it could not be run, one sentence says why"
    "\n\n2 wrong usage\n\n4 a limit is broken\n\n130 interrupted",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli_run.register(app)
cli_capacity.register(app)
cli_presets.register(app)
cli_by_hand.register(app)


def main() -> None:
    """Run the command."""
    app(prog_name="emvs load")
