"""The command `emvs`: a thin caller of `emvs.infra.launch`. Options in, exit codes out.

Commands import what they need when they run, so that `emvs --help` is there at once.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from emvs.clients.streams import make_streams_usable
from emvs.clients.version import options
from emvs.infra.launch import cli_certificates, defaults
from emvs.infra.launch.ending import end, make_console
from emvs.infra.launch.errors import MEANINGS, ExitCode

app = typer.Typer(
    name="emvs",
    help="The European Medicines Verification System in a box. NOT FOR PRODUCTION.",
    epilog="Exit codes:\n\n"
    + "\n\n".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items()),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(options)
clock_app = typer.Typer(help="Show or move the clock of all systems.", no_args_is_help=False)
app.add_typer(clock_app, name="clock")
app.add_typer(cli_certificates.app, name="cert")

_DATA_OPTION = typer.Option(help="Data directory of the systems.", envvar="EMVS_DATA")
Data = Annotated[Path, _DATA_OPTION]
# May stand before the subcommand as well, where the variable counts.
ClockData = Annotated[Path | None, typer.Option(help="Data directory of the systems.")]


@app.command()
def up(  # noqa: PLR0917 - typer calls it by name: each parameter is an option.
    data: Data = defaults.DATA,
    markets: Annotated[
        str | None,
        typer.Option(
            help="Markets, each with its own dialect or with those named, such as"
            f" IE,FI:soap+rest. At the first start {defaults.MARKETS}, then those of the last.",
        ),
    ] = None,
    port_base: Annotated[
        int | None,
        typer.Option(
            help="First port; 0: free ones. At the first start"
            f" {defaults.PORT_BASE}, then those of the last.",
            min=0,
            max=65_535,
        ),
    ] = None,
    dsn: Annotated[
        str | None,
        typer.Option(
            help="A PostgreSQL 15 or newer that runs already, in place of the embedded one.",
            envvar="EMVS_DSN",
        ),
    ] = None,
    pg_bin: Annotated[
        Path | None, typer.Option(help="Folder of PostgreSQL programs for the embedded server.")
    ] = None,
    packs: Annotated[
        int,
        typer.Option(
            help="Packs to add, beside those that endpoints.json names.",
            min=0,
            max=defaults.STOCK_COUNT_MAX,
        ),
    ] = defaults.STOCK_COUNT,
    settings: Annotated[
        Path | None,
        typer.Option(
            help='JSON file with settings of systems, such as {"FI": {"rules":'
            ' {"typing_tolerance": 5}}}; without it those of the last start.',
        ),
    ] = None,
    soap_ports: Annotated[
        str | None,
        typer.Option(
            help="Each SOAP service on a port of its own, too: real (8443 to 8458), or N in place"
            " of 8443; the next market's are 20 higher. off: none. Otherwise as at the last start.",
            metavar="real|N|off",
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when everything is ready.")
    ] = False,
) -> None:
    """Start the hub and the national systems with demo data, and stay until Ctrl-C."""

    def run() -> ExitCode:
        from emvs.infra.launch.markets_choice import parse_markets
        from emvs.infra.launch.overrides import read_overrides
        from emvs.infra.launch.settings import Wishes, parse_soap_ports
        from emvs.infra.launch.up import UpOptions, run_up

        wishes = Wishes(
            markets=None if markets is None else parse_markets(markets),
            port_base=port_base,
            dsn=dsn,
            overrides=None if settings is None else read_overrides(settings),
            soap_ports=None if soap_ports is None else parse_soap_ports(soap_ports),
        )
        options = UpOptions(
            data=str(data),
            stock_count=packs,
            wishes=wishes,
            pg_bin=None if pg_bin is None else str(pg_bin),
        )
        if not detach:
            return run_up(options, make_console())
        from emvs.infra.launch.detached import start_detached

        return start_detached(options, make_console())

    end(run)


@app.command()
def demo(
    data: Annotated[
        Path | None,
        typer.Option(help="Data directory to keep; without it everything is removed afterwards."),
    ] = None,
    packs: Annotated[
        int,
        typer.Option(help="Packs to upload before the story.", min=0, max=defaults.STOCK_COUNT_MAX),
    ] = defaults.DEMO_STOCK_COUNT,
) -> None:
    """Start fresh systems on free ports, load them, and play a story against them."""

    def run() -> ExitCode:
        from emvs.infra.launch.demo import run_demo

        return run_demo(data, stock_count=packs, console=make_console())

    end(run)


@app.command()
def status(data: Data = defaults.DATA) -> None:
    """Show what runs, and whether it is healthy."""

    def run() -> ExitCode:
        from emvs.infra.launch.data_directory import DataDirectory
        from emvs.infra.launch.running_systems import show_status

        return show_status(DataDirectory(data), make_console())

    end(run)


@app.command()
def check(data: Data = defaults.DATA) -> None:
    """Compare what the national systems hold in memory with what they have stored."""

    def run() -> ExitCode:
        from emvs.infra.launch.check_systems import check_all
        from emvs.infra.launch.data_directory import DataDirectory

        return check_all(DataDirectory(data), make_console())

    end(run)


@app.command()
def down(data: Data = defaults.DATA) -> None:
    """Stop everything, and return when nothing runs any more."""

    def run() -> ExitCode:
        from emvs.infra.launch.data_directory import DataDirectory
        from emvs.infra.launch.running_systems import stop_all

        return stop_all(DataDirectory(data), make_console())

    end(run)


@app.command("callback-receiver")
def callback_receiver(
    port: Annotated[
        int, typer.Option(help="Port on 127.0.0.1; 0: a free one.", min=0, max=65_535)
    ] = defaults.CALLBACK_RECEIVER_PORT,
    secret: Annotated[
        str | None,
        typer.Option(
            help="Secret of the subscription: signatures are checked with it.",
            envvar="EMVS_CALLBACK_SECRET",
        ),
    ] = None,
    fail: Annotated[
        int, typer.Option(help="Answer so many notices with 503 before taking one.", min=0)
    ] = 0,
    raw: Annotated[bool, typer.Option("--json", help="Print each notice as JSON.")] = False,
) -> None:
    """Receive the hub's callbacks at a developer's desk, and print them, until Ctrl-C."""

    def run() -> ExitCode:
        from emvs.infra.callback_receiver import receive
        from emvs.infra.launch.signals import run_until_signal

        return run_until_signal(receive(port=port, secret=secret, fail_count=fail, raw=raw))

    end(run)


@app.command(
    "load",
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
)
def load(context: typer.Context) -> None:
    """Load tests: run PRESET, capacity, presets, prepare, report. `emvs load --help` tells more."""
    # By name and as a program of its own: it needs all packages, and this one needs none of them.
    os.execv(sys.executable, [sys.executable, "-m", "loadtests.run", *context.args])  # noqa: S606


@clock_app.callback(invoke_without_command=True)
def clock(context: typer.Context, data: Data = defaults.DATA) -> None:
    """Show or move the clock of all systems."""
    context.obj = data
    if context.invoked_subcommand is None:
        clock_show(context)


@clock_app.command("show")
def clock_show(context: typer.Context, data: ClockData = None) -> None:
    """Show what time each system has."""

    def run() -> ExitCode:
        from emvs.infra.launch.data_directory import DataDirectory
        from emvs.infra.launch.running_systems import show_clock

        return show_clock(DataDirectory(data or context.obj), make_console())

    end(run)


@clock_app.command("advance")
def clock_advance(
    context: typer.Context,
    duration: Annotated[str, typer.Argument(help="By how much: 30s, 15m, 241h, 10d.")],
    data: ClockData = None,
) -> None:
    """Move the clocks forward. They never go back."""

    def run() -> ExitCode:
        from emvs.infra.launch.data_directory import DataDirectory
        from emvs.infra.launch.durations import parse_duration_s
        from emvs.infra.launch.running_systems import advance_clock

        seconds = parse_duration_s(duration)
        return advance_clock(DataDirectory(data or context.obj), make_console(), seconds)

    end(run)


def main() -> None:
    """Run the command."""
    make_streams_usable()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
