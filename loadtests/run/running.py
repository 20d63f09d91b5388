"""One run from beginning to end. What it needs comes in; its results come out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from emvs.infra.launch.errors import ExitCode, LaunchError
from emvs.infra.launch.signals import run_until_signal
from loadtests.run.audit_check import AuditResult, check_market
from loadtests.run.locust_process import last_words, locust_running, need_locust
from loadtests.run.options import RunOptions
from loadtests.run.preparing import Progress, prepare
from loadtests.run.progress import LiveFigures
from loadtests.run.results import CSV_NAME, REPORT_NAME, ROWS_NAME, Results, as_json, evaluate
from loadtests.run.systems import Systems, systems_for
from loadtests.run.watching import watch_servers
from loadtests.scenarios.plan import Plan, read_plan
from loadtests.scenarios.samples import Rows, read_rows

_POLL_S: Final = 2.0
_START_S_MAX: Final = 120.0
"""Locust's start, logins and serial numbers before the first request."""


class Talk(NamedTuple):
    """Who is told what happens."""

    step: Callable[[str], None]
    progress: Progress
    live: Callable[[str], None]


def new_folder(options: RunOptions) -> Path:
    """Make and return the folder of a run's results. Raises LaunchError."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = options.out or Path("load-results") / f"{options.preset.name}-{stamp}"
    try:
        folder.mkdir(parents=True, exist_ok=options.out is not None)
        for name in (ROWS_NAME, REPORT_NAME, CSV_NAME):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise LaunchError(f"{folder}: {error.strerror}") from error
    return folder


def over_systems(
    options: RunOptions,
    chosen: str,
    folder: Path,
    talk: Talk,
    work: Callable[[Systems], Coroutine[Any, Any, ExitCode]],
) -> ExitCode:
    """Return what `work` returns, over systems that are found or started for it and that it is
    told about; a signal ends it in order. `chosen` says which systems these are."""
    talk.step(f"results go to {folder}")
    talk.step(chosen)
    with systems_for(options, folder) as systems:
        return run_until_signal(work(systems))


async def prepare_plan(options: RunOptions, systems: Systems, folder: Path, talk: Talk) -> Plan:
    """Return the plan after writing it into the folder."""
    plan = await prepare(options, systems, generators=options.processes, progress=talk.progress)
    path = folder / "plan.json"
    path.touch(mode=0o600)
    path.write_bytes(plan.to_json())
    return plan


async def generate(plan: Plan, folder: Path, *, processes: int, talk: Talk) -> None:
    """Run Locust over a plan, and watch the servers meanwhile. Raises LaunchError."""
    need_locust()
    watcher = asyncio.create_task(watch_servers(plan.managements, plan.processes, folder))
    live = LiveFigures(folder)
    deadline = asyncio.get_running_loop().time() + plan.duration_s + _START_S_MAX + plan.timeout_s
    try:
        with locust_running(plan, folder, processes=processes) as locust:
            while locust.poll() is None:
                await asyncio.sleep(_POLL_S)
                if line := live.line():
                    talk.live(line)
                if asyncio.get_running_loop().time() > deadline:
                    raise LaunchError(f"Locust did not end in time: {last_words(folder)}")
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
    if not (folder / ROWS_NAME).exists():
        raise LaunchError(f"Locust sent nothing; its last words: {last_words(folder)}")


async def audit(plan: Plan, rows: Rows, talk: Talk) -> tuple[list[AuditResult], str]:
    """Return the comparisons with the markets' audit trails, or why there are none."""
    if not plan.managements:
        return [], "no management port is known, so the audit trail was not read"
    talk.step("audit trails")
    async with aiohttp.ClientSession() as http:
        # All at once: each market's system renders its own trail.
        results = await asyncio.gather(
            *(check_market(http, plan, rows, market) for market in plan.managements)
        )
    return results, ""


async def finish(
    folder: Path, *, limits: dict[str, float], talk: Talk, with_audit: bool = True
) -> Results:
    """Return the results of the run in a folder after writing report, JSON and CSV."""
    # Charts and tables take a while to import: not before the load.
    from loadtests.run.report import write_report  # noqa: PLC0415
    from loadtests.run.results import write_csv  # noqa: PLC0415

    plan = read_plan(folder / "plan.json")
    rows = read_rows(folder / ROWS_NAME)
    audits, note = (await audit(plan, rows, talk)) if with_audit else ([], "not asked for")
    results = evaluate(plan, rows, folder, audits=audits, audit_note=note, limits=limits)
    (folder / REPORT_NAME).write_bytes(as_json(results))
    write_csv(rows, plan, folder / CSV_NAME)
    write_report(results, folder / "report.html")
    return results
