"""The commands `prepare` and `report`: what is before and after a Locust started by hand."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emvs.infra.launch.ending import end, make_console
from emvs.infra.launch.errors import ExitCode, LaunchError
from loadtests.run.cli_options import (
    AlertsOption,
    ClientOption,
    CurveOption,
    DurationOption,
    ErrorsOption,
    LanesOption,
    LimitsOption,
    MarketsOption,
    ModelOption,
    OutOption,
    P95Option,
    PacksOption,
    PlainOption,
    PresetArgument,
    ProcessesOption,
    RateOption,
    SeedOption,
    UnexpectedOption,
)
from loadtests.run.cli_output import print_results, talking
from loadtests.run.options import LANES_DEFAULT, make_options
from loadtests.run.running import finish, new_folder, prepare_plan
from loadtests.run.systems import find_systems
from loadtests.run.verdict import read_limits


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(prepare)
    app.command()(report)


def prepare(  # noqa: PLR0913, PLR0917 - typer calls it by name: each parameter is an option.
    preset: PresetArgument,
    duration: DurationOption = None,
    rate: RateOption = None,
    curve: CurveOption = None,
    markets: MarketsOption = None,
    alerts: AlertsOption = None,
    model: ModelOption = "open",
    client: ClientOption = "wire",
    plain: PlainOption = False,
    processes: ProcessesOption = 1,
    lanes: LanesOption = LANES_DEFAULT,
    seed: SeedOption = None,
    packs: PacksOption = None,
    data: Annotated[Path, typer.Option(help="Data directory of systems that run.")] = Path(".emvs"),
    out: OutOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the plan's path only.")] = False,
) -> None:
    """Make logins, packs and the plan of a run for Locust; print where the plan is."""

    def command() -> ExitCode:
        options = make_options(
            preset, duration=duration, rate=rate, curve=curve, markets=markets, model=model,
            client=client, processes=processes, lanes=lanes, alerts=alerts,
        )  # fmt: skip
        options = replace(options, plain=plain, seed=seed, packs=packs, data=data, out=out)
        systems = find_systems(options, data)
        folder = new_folder(options)
        with talking(Console(stderr=True, quiet=quiet)) as talk:
            asyncio.run(prepare_plan(options, systems, folder, talk))
        typer.echo(
            f"EMVS: afterwards `emvs load report {folder}` writes verdict and report", err=True
        )
        typer.echo((folder / "plan.json").absolute())
        return ExitCode.OK

    end(command)


def report(  # noqa: PLR0917 - typer calls it by name: each parameter is an option.
    folder: Annotated[Path, typer.Argument(help="Folder of a run, with its plan and samples.")],
    limits: LimitsOption = None,
    p95_ms: P95Option = None,
    error_share: ErrorsOption = None,
    unexpected_share: UnexpectedOption = None,
    audit: Annotated[
        bool, typer.Option(help="Compare with the audit trails; the systems must run.")
    ] = True,
) -> None:
    """Write the report of a run that Locust has made by itself, or write it again."""

    def command() -> ExitCode:
        if not (folder / "plan.json").exists():
            raise LaunchError(f"{folder} holds no plan.json: it is no folder of a run")
        wanted = read_limits(
            limits,
            {"p95_ms": p95_ms, "error_share": error_share, "unexpected_share": unexpected_share},
        )
        console = make_console()
        with talking(console) as talk:
            results = asyncio.run(finish(folder, limits=wanted, talk=talk, with_audit=audit))
        print_results(results, folder, console)
        return ExitCode.OK if results.kept else ExitCode.LIMIT_BROKEN

    end(command)
