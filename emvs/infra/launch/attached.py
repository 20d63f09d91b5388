"""`python -m emvs.infra.launch.attached FOLDER MARKETS`: systems that last as long as their parent.

For programs that need a whole system for a while and may not import one. Says on standard output
what it does, a JSON object a line (`PipeReporter`), and stays until standard input ends: the parent
closes it, or has died. Then FOLDER is removed with all that is in it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

from rich.console import Console

from emvs.infra.launch.data_directory import DataDirectory
from emvs.infra.launch.errors import ExitCode
from emvs.infra.launch.markets_choice import parse_markets
from emvs.infra.launch.outcome import run_guarded
from emvs.infra.launch.reporting import PipeReporter
from emvs.infra.launch.settings import Wishes
from emvs.infra.launch.signals import run_until_signal
from emvs.infra.launch.up import UpOptions, running_environment


def run_attached(folder: Path, markets: str) -> ExitCode:
    """Start systems on free ports, stay until standard input ends; return the exit code."""
    log = Console(file=sys.stderr, quiet=True)
    reporter = PipeReporter(os.dup(sys.stdout.fileno()), log)
    try:
        return run_guarded(
            lambda: run_until_signal(_serve_while_attached(folder, markets, reporter)),
            on_error=lambda sentence, code: reporter.end(error=sentence, exit_code=code),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _serve_while_attached(folder: Path, markets: str, reporter: PipeReporter) -> ExitCode:
    """Serve until standard input ends; it may end while things are being started."""
    serving = asyncio.ensure_future(_serve(folder, markets, reporter))
    watching = asyncio.ensure_future(_until_input_ends())
    try:
        await asyncio.wait({serving, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watching.cancel()
        if not serving.done():
            serving.cancel()
            await asyncio.wait({serving})
    return ExitCode.OK if serving.cancelled() else serving.result()


async def _serve(folder: Path, markets: str, reporter: PipeReporter) -> ExitCode:
    wishes = Wishes(markets=parse_markets(markets), port_base=0)
    options = UpOptions(data=str(folder), stock_count=0, wishes=wishes)
    async with running_environment(DataDirectory(folder), options, reporter) as running:
        reporter.end()
        await running.supervisor.run(asyncio.Event().wait())
    return ExitCode.OK


async def _until_input_ends() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while await reader.read(1024):
            pass
    finally:
        transport.close()


if __name__ == "__main__":
    sys.exit(run_attached(Path(sys.argv[1]), sys.argv[2]))
