"""`emvs demo`: fresh systems on free ports, a load of packs, and the story played against them.

The story is the pharmacy client's; it is a process that gets endpoints.json and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console

from emvs.infra.launch.data_directory import DataDirectory
from emvs.infra.launch.errors import ExitCode, LaunchError
from emvs.infra.launch.reporting import TerminalReporter
from emvs.infra.launch.settings import Wishes
from emvs.infra.launch.signals import run_until_signal
from emvs.infra.launch.up import UpOptions, running_environment

STORY_MODULE: Final = "pharmacy_client.demo"
_STORY_S_MAX: Final = 600.0
_STORY_STOP_S_MAX: Final = 5.0


def run_demo(data: Path | None, *, stock_count: int, console: Console) -> ExitCode:
    """Return how the story ended. Without a directory everything is removed afterwards."""
    folder = data if data is not None else Path(tempfile.mkdtemp(prefix="emvs-demo-"))
    reporter = TerminalReporter(console)
    try:
        return run_until_signal(_play(DataDirectory(folder), stock_count, reporter))
    finally:
        reporter.finish()
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)


async def _play(data: DataDirectory, stock_count: int, reporter: TerminalReporter) -> ExitCode:
    options = UpOptions(data=str(data.path), stock_count=stock_count, wishes=Wishes(port_base=0))
    async with running_environment(data, options, reporter) as running:
        reporter.finish()
        reporter.step("the story")
        status = await running.supervisor.run(_tell_story(data.endpoints))
        reporter.step("stopping")
    if status < 0:
        raise LaunchError(f"the story ended with signal {-status}")
    if status != 0:
        raise LaunchError(f"the story ended with exit status {status}")
    return ExitCode.OK


async def _tell_story(endpoints: Path) -> int:
    """Return the exit status of the story's process, whose output is ours."""
    sys.stdout.flush()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", STORY_MODULE, "--endpoints", str(endpoints)),
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_STORY_S_MAX):
            return await process.wait()
    except TimeoutError as error:
        raise LaunchError(f"the story did not end within {_STORY_S_MAX:g} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(_STORY_STOP_S_MAX):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
