"""The command `run`: systems, packs, load, verdict and report, one after the other."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emvs.infra.launch.ending import end, make_console
from emvs.infra.launch.errors import ExitCode
from loadtests.run.cli_options import (
    AlertsOption,
    BulkOption,
    ClientOption,
    CurveOption,
    DataOption,
    DuplicatesOption,
    DurationOption,
    ErrorsOption,
    FreshOption,
    IntermarketOption,
    LanesOption,
    LimitsOption,
    ManualOption,
    MarketsOption,
    ModelOption,
    OutOption,
    P95Option,
    PacksOption,
    PlainOption,
    PresetArgument,
    ProcessesOption,
    RateOption,
    RecallShareOption,
    RecallsOption,
    SeedOption,
    UnexpectedOption,
)
from loadtests.run.cli_output import print_results, talking
from loadtests.run.locust_process import need_locust
from loadtests.run.options import LANES_DEFAULT, RunOptions, make_options
from loadtests.run.results import ROWS_NAME, Results
from loadtests.run.running import Talk, finish, generate, new_folder, over_systems, prepare_plan
from loadtests.run.systems import Systems, choose_systems
from loadtests.run.verdict import read_limits


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(run)


def run(  # noqa: PLR0913, PLR0917 - typer calls it by name: each parameter is an option.
    preset: PresetArgument,
    duration: DurationOption = None,
    rate: RateOption = None,
    curve: CurveOption = None,
    markets: MarketsOption = None,
    alerts: AlertsOption = None,
    intermarket: IntermarketOption = None,
    manual: ManualOption = None,
    duplicates: DuplicatesOption = None,
    bulk: BulkOption = None,
    recalls: RecallsOption = None,
    recall_share: RecallShareOption = None,
    model: ModelOption = "open",
    client: ClientOption = "wire",
    plain: PlainOption = False,
    processes: ProcessesOption = None,
    lanes: LanesOption = LANES_DEFAULT,
    seed: SeedOption = None,
    packs: PacksOption = None,
    data: DataOption = None,
    fresh: FreshOption = False,
    out: OutOption = None,
    limits: LimitsOption = None,
    p95_ms: P95Option = None,
    error_share: ErrorsOption = None,
    unexpected_share: UnexpectedOption = None,
    audit: Annotated[bool, typer.Option(help="Compare with the audit trails afterwards.")] = True,
) -> None:
    """Prepare systems and packs, drive the load, judge it, and write the report."""

    def command() -> ExitCode:
        need_locust()
        options = make_options(
            preset, duration=duration, rate=rate, curve=curve, markets=markets, model=model,
            client=client, processes=processes, lanes=lanes, cpus=os.cpu_count() or 1,
            alerts=alerts, intermarket=intermarket, manual=manual, duplicates=duplicates, bulk=bulk,
            recalls=recalls, recall_share=recall_share,
        )  # fmt: skip
        wanted = read_limits(
            limits,
            {"p95_ms": p95_ms, "error_share": error_share, "unexpected_share": unexpected_share},
        )
        options = replace(
            options, plain=plain, seed=seed, packs=packs, data=data, out=out, thresholds=wanted
        )
        console = make_console()
        options, chosen = choose_systems(options, fresh=fresh)
        results, folder = _run(options, chosen, console, with_audit=audit)
        print_results(results, folder, console)
        return ExitCode.OK if results.kept else ExitCode.LIMIT_BROKEN

    end(command)


def _run(
    options: RunOptions, chosen: str, console: Console, *, with_audit: bool
) -> tuple[Results, Path]:
    folder = new_folder(options)
    found: list[Results] = []

    async def work(systems: Systems) -> ExitCode:
        found.append(await _drive(options, systems, folder, talk, with_audit=with_audit))
        return ExitCode.OK

    try:
        with talking(console) as talk:
            code = over_systems(options, chosen, folder, talk, work)
    finally:
        with suppress(OSError):
            folder.rmdir()  # If nothing came of it.
    if code is not ExitCode.OK:
        if (folder / ROWS_NAME).exists():
            audit = " --no-audit" if options.data is None else ""
            talk.step(f"`emvs load report {folder}{audit}` makes a report of what was sent")
        raise KeyboardInterrupt
    return found[0], folder


async def _drive(
    options: RunOptions, systems: Systems, folder: Path, talk: Talk, *, with_audit: bool
) -> Results:
    plan = await prepare_plan(options, systems, folder, talk)
    talk.step(
        f"{plan.preset}: {plan.transactions:,.0f} transactions in {plan.duration_s:g} s,"
        f" {options.processes} Locust process{'es' if options.processes > 1 else ''}"
    )
    await generate(plan, folder, processes=options.processes, talk=talk)
    return await finish(folder, limits=options.thresholds, talk=talk, with_audit=with_audit)
