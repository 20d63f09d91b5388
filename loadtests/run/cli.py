"""The command behind `emvs load`: run, capacity, presets, prepare, report. A thin caller."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from emvs.errors import UsageError
from emvs.infra.launch.ending import end, make_console
from emvs.infra.launch.errors import ExitCode, LaunchError
from emvs.infra.launch.reporting import TerminalReporter
from emvs.infra.launch.signals import run_until_signal
from loadtests.run.capacity_run import find_capacity
from loadtests.run.locust_process import need_locust
from loadtests.run.options import LANES_DEFAULT, RunOptions, make_options
from loadtests.run.results import ROWS_NAME, Results
from loadtests.run.running import Talk, finish, generate, new_folder, prepare_plan
from loadtests.run.systems import choose_systems, find_systems, systems_for
from loadtests.run.verdict import LIMITS, read_limits, rows_to_print
from loadtests.scenarios.presets import PRESETS

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

Preset = Annotated[str, typer.Argument(help=f"One of {', '.join(PRESETS)}.")]
Duration = Annotated[str | None, typer.Option(help="Length, such as 30s, 5m, 1h.")]
Rate = Annotated[
    float | None, typer.Option(help="Transactions per second, in place of the preset's peak.")
]
Curve = Annotated[
    str | None,
    typer.Option(help="peak (constant), day, week, morning or ramp, compressed to the duration."),
]
Markets = Annotated[str | None, typer.Option(help="In place of the preset's: DE=0.6,IE:rest=0.4.")]
Share = float | None
Alerts = Annotated[
    Share, typer.Option(help="Alerts per transaction; 0.0002 is today's, 0.03 2019's.")
]
Intermarket = Annotated[Share, typer.Option(help="Share about packs of another market.")]
Manual = Annotated[Share, typer.Option(help="Share typed in by hand.")]
Duplicates = Annotated[Share, typer.Option(help="Share of supplies sent twice.")]
Bulk = Annotated[Share, typer.Option(help="Share of hospital and wholesale packs that go in bulk.")]
Recalls = Annotated[int | None, typer.Option(help="Batches recalled during the run.")]
RecallShare = Annotated[
    Share, typer.Option(help="Share of new packs that are of a batch which is recalled.")
]
Model = Annotated[str, typer.Option(help="open: arrivals keep their schedule; closed: tills wait.")]
Client = Annotated[
    str, typer.Option(help="wire: cheap connections of ours; fasthttp: Locust's own client.")
]
Plain = Annotated[bool, typer.Option("--plain", help="Without TLS and client certificates.")]
Processes = Annotated[
    int | None, typer.Option(help="Locust processes; without it one for each two cores.")
]
Lanes = Annotated[int, typer.Option(help="Requests one process has under way at most.")]
Seed = Annotated[
    int | None, typer.Option(help="Of packs and traffic; a new one without it.", min=0, max=999_999)
]
Packs = Annotated[
    int | None, typer.Option(help="Packs to prepare; as many as needed without it.", min=1)
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Data directory of systems that run; without it those of EMVS_DATA or .emvs, if they"
        " run with the markets, and otherwise fresh ones."
    ),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start systems for this run in any case.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the results.")]
Limits = Annotated[Path | None, typer.Option(help=r"TOML file with a table \[limits].")]
P95 = Annotated[float | None, typer.Option(help=f"Limit of p95, ms [{LIMITS['p95_ms']:g}].")]
Errors = Annotated[
    float | None,
    typer.Option(help=f"Limit of unusable answers, share [{LIMITS['error_share']:g}]."),
]
Unexpected = Annotated[
    float | None,
    typer.Option(help=f"Limit of unexpected answers, share [{LIMITS['unexpected_share']:g}]."),
]


@app.command()
def run(  # noqa: PLR0913, PLR0917 - typer calls it by name: each parameter is an option.
    preset: Preset,
    duration: Duration = None,
    rate: Rate = None,
    curve: Curve = None,
    markets: Markets = None,
    alerts: Alerts = None,
    intermarket: Intermarket = None,
    manual: Manual = None,
    duplicates: Duplicates = None,
    bulk: Bulk = None,
    recalls: Recalls = None,
    recall_share: RecallShare = None,
    model: Model = "open",
    client: Client = "wire",
    plain: Plain = False,
    processes: Processes = None,
    lanes: Lanes = LANES_DEFAULT,
    seed: Seed = None,
    packs: Packs = None,
    data: Data = None,
    fresh: Fresh = False,
    out: Out = None,
    limits: Limits = None,
    p95_ms: P95 = None,
    error_share: Errors = None,
    unexpected_share: Unexpected = None,
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
        _print_results(results, folder, console)
        return ExitCode.OK if results.kept else ExitCode.LIMIT_BROKEN

    end(command)


def _run(
    options: RunOptions, chosen: str, console: Console, *, with_audit: bool
) -> tuple[Results, Path]:
    folder = new_folder(options)
    talk, finished = _talk(console)
    talk.step(f"results go to {folder}")
    found: list[Results] = []

    async def work(options: RunOptions) -> ExitCode:
        plan = await prepare_plan(options, systems, folder, talk)
        talk.step(
            f"{plan.preset}: {plan.transactions:,.0f} transactions in {plan.duration_s:g} s,"
            f" {options.processes} Locust process{'es' if options.processes > 1 else ''}"
        )
        await generate(plan, folder, processes=options.processes, talk=talk)
        found.append(
            await finish(folder, limits=options.thresholds, talk=talk, with_audit=with_audit)
        )
        return ExitCode.OK

    talk.step(chosen)
    try:
        with systems_for(options, folder) as systems:
            code = run_until_signal(work(options))
    finally:
        finished()
        with suppress(OSError):
            folder.rmdir()  # If nothing came of it.
    if code is not ExitCode.OK:
        if (folder / ROWS_NAME).exists():
            audit = " --no-audit" if options.data is None else ""
            talk.step(f"`emvs load report {folder}{audit}` makes a report of what was sent")
        raise KeyboardInterrupt
    return found[0], folder


def _talk(console: Console) -> tuple[Talk, Callable[[], None]]:
    reporter = TerminalReporter(console)
    return (
        Talk(
            step=reporter.step,
            progress=reporter.progress,
            live=lambda line: console.print(line, markup=False, highlight=False),
        ),
        reporter.finish,
    )


def _print_results(results: Results, folder: Path, console: Console) -> None:
    table = Table("of", "what", "value", "limit", "", title="Verdict")
    shown = rows_to_print(results.rows)
    for row in results.rows:
        if row not in shown:
            continue
        verdict = "[green]kept[/]" if row.kept else "[red]broken[/]"
        table.add_row(row.subject, row.meaning, row.shown, f"{row.limit:g}", verdict)
    console.print(table)
    for sentence in results.bottleneck.sentences:
        console.print(f"! {sentence}", markup=False, highlight=False)
    console.print(
        f"{results.sent:,} transactions, {results.rate:,.1f}/s;"
        f" seed {results.plan.seed}; report: {folder / 'report.html'}",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def capacity(  # noqa: PLR0913, PLR0917 - typer calls it by name: each parameter is an option.
    preset: Preset = "germany",
    step: Annotated[str, typer.Option(help="Length of each step.")] = "20s",
    start: Annotated[float, typer.Option(help="First rate, transactions/s.")] = 200.0,
    most: Annotated[float, typer.Option(help="Highest rate to try.")] = 20_000.0,
    markets: Markets = None,
    client: Client = "wire",
    plain: Plain = False,
    processes: Processes = None,
    lanes: Lanes = LANES_DEFAULT,
    data: Data = None,
    fresh: Fresh = False,
    out: Out = None,
    limits: Limits = None,
    p95_ms: P95 = None,
    error_share: Errors = None,
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
        talk, finished = _talk(console)
        talk.step(f"results go to {folder}")
        talk.step(chosen)
        found: list[bool] = []

        async def work() -> ExitCode:
            best = await find_capacity(options, systems, folder, talk, start=start, most=most)
            found.append(best is not None)
            if best is None:
                console.print("no rate kept the verdict")
            else:
                lower = " (the generator gave out above it)" if best.is_generators else ""
                if best.rate >= most:
                    lower += " (nothing above --most was tried)"
                console.print(
                    f"{best.rate:,.0f} transactions/s keep the verdict{lower}; p95"
                    f" {best.p95_ms:.1f} ms; report: {folder / 'capacity.html'}",
                    highlight=False,
                    soft_wrap=True,
                )
            return ExitCode.OK

        try:
            with systems_for(options, folder) as systems:
                code = run_until_signal(work())
        finally:
            finished()
        if code is ExitCode.OK and not all(found):
            return ExitCode.LIMIT_BROKEN
        return code

    end(command)


@app.command()
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


@app.command()
def prepare(  # noqa: PLR0913, PLR0917 - typer calls it by name: each parameter is an option.
    preset: Preset,
    duration: Duration = None,
    rate: Rate = None,
    curve: Curve = None,
    markets: Markets = None,
    alerts: Alerts = None,
    model: Model = "open",
    client: Client = "wire",
    plain: Plain = False,
    processes: Processes = 1,
    lanes: Lanes = LANES_DEFAULT,
    seed: Seed = None,
    packs: Packs = None,
    data: Annotated[Path, typer.Option(help="Data directory of systems that run.")] = Path(".emvs"),
    out: Out = None,
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
        talk, finished = _talk(Console(stderr=True, quiet=quiet))
        try:
            asyncio.run(prepare_plan(options, systems, folder, talk))
        finally:
            finished()
        typer.echo(
            f"EMVS: afterwards `emvs load report {folder}` writes verdict and report", err=True
        )
        typer.echo((folder / "plan.json").absolute())
        return ExitCode.OK

    end(command)


@app.command()
def report(  # noqa: PLR0917 - typer calls it by name: each parameter is an option.
    folder: Annotated[Path, typer.Argument(help="Folder of a run, with its plan and samples.")],
    limits: Limits = None,
    p95_ms: P95 = None,
    error_share: Errors = None,
    unexpected_share: Unexpected = None,
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
        talk, finished = _talk(console)
        try:
            results = asyncio.run(finish(folder, limits=wanted, talk=talk, with_audit=audit))
        finally:
            finished()
        _print_results(results, folder, console)
        return ExitCode.OK if results.kept else ExitCode.LIMIT_BROKEN

    end(command)


def main() -> None:
    """Run the command."""
    app(prog_name="emvs load")
