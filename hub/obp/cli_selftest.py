"""The command `obp selftest`: its options, its system, and what it shows."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hub.obp import cli_output
from hub.obp.cli_running import Done, JsonOption, finish, printable
from hub.obp.exit_codes import ExitCode
from hub.obp.serial_sources import SERIALS_MAX

if TYPE_CHECKING:
    from hub.obp.selftest.steps import SelftestResult, Step

_INTERRUPTED: Final = "interrupted; what was started for the test alone is removed."
_START_S_MAX: Final = 300.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(selftest)


def selftest(
    serials: Annotated[
        int, typer.Option(help="Serial numbers of the batch.", min=1, max=SERIALS_MAX)
    ] = 1_000_000,
    markets: Annotated[
        str, typer.Option(help="Markets of the system that is started, as for `emvs up`.")
    ] = "IE,AT",
    keep: Annotated[
        Path | None,
        typer.Option(
            help="Data directory for the system: it is kept, and goes on running until"
            " `emvs down --data` it."
        ),
    ] = None,
    endpoints: Annotated[
        Path | None,
        typer.Option(
            "--from-endpoints",
            "--endpoints",
            help="Test the system that runs already, in all its markets, instead.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start a system, upload a batch to every market, reconcile, verify, and remove it all.

    Exit code 0 if everything is as it must be, 1 if a step found something.
    """
    if keep is not None and endpoints is not None:
        raise typer.BadParameter("--keep is for a system that is started here", param_hint="--keep")

    def run() -> Done:
        from hub.obp.selftest.steps import SelftestResult  # noqa: PLC0415

        result = SelftestResult(serials, [], kept=None if keep is None else str(keep))
        screen = cli_output.Screen()
        try:
            asyncio.run(
                _run(
                    result,
                    screen,
                    markets=markets,
                    keep=keep,
                    endpoints=endpoints,
                    as_json=as_json,
                )
            )
        finally:
            screen.finish()
        code = ExitCode.OK if result.ok else ExitCode.REFUSED
        return Done(code, result.as_object(), lambda: _print(result))

    finish(run, as_json=as_json, interrupted=_INTERRUPTED)


async def _run(
    result: SelftestResult,
    screen: cli_output.Screen,
    *,
    markets: str,
    keep: Path | None,
    endpoints: Path | None,
    as_json: bool,
) -> None:
    from hub.obp.selftest.running import Selftest  # noqa: PLC0415

    def progress(what: str, done: int, total: int) -> None:
        screen.plan(what, total)
        screen.at(what, done)

    def tell(step: Step) -> None:
        if as_json:
            screen.step(_line(step))
        else:
            screen.finish()
            print(_line(step), flush=True)

    async with _system(markets, keep, endpoints, screen) as found:
        await Selftest(found, result, tell=tell, progress=progress).run()


@asynccontextmanager
async def _system(
    markets: str, keep: Path | None, endpoints: Path | None, screen: cli_output.Screen
) -> AsyncIterator[Path]:
    from emvs.infra.launch.attaching import ENDPOINTS_FILE, attached_system  # noqa: PLC0415

    if endpoints is not None:
        yield endpoints
    elif keep is not None:
        await _start_kept(markets, keep, screen)
        yield keep / ENDPOINTS_FILE
    else:
        async with attached_system(markets, screen.step, name="selftest") as found:
            yield found


async def _start_kept(markets: str, keep: Path, screen: cli_output.Screen) -> None:
    from emvs.infra.launch.attaching import AttachedSystemError  # noqa: PLC0415

    screen.step(f"starting a system in {keep}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from emvs.cli import main; main()", "up", "--detach"),
        *("--packs", "0", "--port-base", "0"),
        *("--markets", markets, "--data", str(keep)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1"},
    )
    try:
        async with asyncio.timeout(_START_S_MAX):
            _, errors = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise AttachedSystemError(f"no system within {_START_S_MAX:g} s") from error
    if process.returncode:
        told = errors.decode("utf-8", "replace").strip()
        raise AttachedSystemError(f"`emvs up` could not start one: {told}")


def _line(step: Step) -> str:
    mark = {True: "ok", False: "FAILED", None: "cut off"}[step.ok]
    rate = f"{step.per_s:,.0f}/s" if step.per_s is not None and step.count >= 1_000 else ""
    told = f"{mark:<8} {step.seconds:7.2f} s {rate:>13}  {step.name}"
    return printable(told + (f": {step.detail}" if step.detail else ""))


def _print(result: SelftestResult) -> None:
    word = "passed" if result.ok else "FAILED"
    where = ", ".join(result.markets)
    print(f"{word}: {result.serial_count:,} serial numbers, {where}, {result.seconds:.1f} s")
    if result.kept is not None:
        print(f"The system goes on running: emvs down --data {result.kept}")
