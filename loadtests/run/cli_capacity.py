"""The command `capacity`: the highest rate that keeps the verdict."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Annotated

import typer

from emvs.errors import UsageError
from emvs.infra.launch.ending import end, make_console
from emvs.infra.launch.errors import ExitCode
from loadtests.run.capacity_run import find_capacity
from loadtests.run.cli_options import (
    ClientOption,
    DataOption,
    ErrorsOption,
    FreshOption,
    LanesOption,
    LimitsOption,
    MarketsOption,
    OutOption,
    P95Option,
    PlainOption,
    PresetArgument,
    ProcessesOption,
)
from loadtests.run.cli_output import print_capacity, talking
from loadtests.run.locust_process import need_locust
from loadtests.run.options import LANES_DEFAULT, make_options
from loadtests.run.running import new_folder, over_systems
from loadtests.run.systems import Systems, choose_systems
from loadtests.run.verdict import read_limits


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(capacity)


def capacity(  # noqa: PLR0913, PLR0917 - typer calls it by name: each parameter is an option.
    preset: PresetArgument = "germany",
    step: Annotated[str, typer.Option(help="Length of each step.")] = "20s",
    start: Annotated[float, typer.Option(help="First rate, transactions/s.")] = 200.0,
    most: Annotated[float, typer.Option(help="Highest rate to try.")] = 20_000.0,
    markets: MarketsOption = None,
    client: ClientOption = "wire",
    plain: PlainOption = False,
    processes: ProcessesOption = None,
    lanes: LanesOption = LANES_DEFAULT,
    data: DataOption = None,
    fresh: FreshOption = False,
    out: OutOption = None,
    limits: LimitsOption = None,
    p95_ms: P95Option = None,
    error_share: ErrorsOption = None,
) -> None:
    """Find the highest rate that keeps the verdict, and draw latency against rate."""

    def command() -> ExitCode:
        need_locust()
        if not 0 < start <= most:
            raise UsageError("--start is above 0 and at most --most")
        options = make_options(
            preset, duration=step, rate=start, curve="peak", markets=markets, client=client,
            processes=processes, lanes=lanes, cpus=os.cpu_count() or 1,
        )  # fmt: skip
        wanted = read_limits(limits, {"p95_ms": p95_ms, "error_share": error_share})
        options = replace(options, plain=plain, data=data, out=out, thresholds=wanted)
        console = make_console()
        options, chosen = choose_systems(options, fresh=fresh)
        folder = new_folder(options)
        found: list[bool] = []

        async def work(systems: Systems) -> ExitCode:
            best = await find_capacity(options, systems, folder, talk, start=start, most=most)
            found.append(best is not None)
            print_capacity(best, folder, console, most=most)
            return ExitCode.OK

        with talking(console) as talk:
            code = over_systems(options, chosen, folder, talk, work)
        if code is ExitCode.OK and not all(found):
            return ExitCode.LIMIT_BROKEN
        return code

    end(command)
