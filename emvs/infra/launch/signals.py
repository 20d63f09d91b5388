"""Ctrl-C, SIGTERM and a closed terminal: all end the work in order, and only once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final

from emvs.infra.launch.errors import ExitCode

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_signal(work: Coroutine[Any, Any, ExitCode]) -> ExitCode:
    """Return what `work` returns; a signal cancels it, further ones change nothing.

    Work that does not take the cancelling as its ordinary end has been interrupted.
    """
    return asyncio.run(_run(work))


async def _run(work: Coroutine[Any, Any, ExitCode]) -> ExitCode:
    task = asyncio.ensure_future(work)
    is_stopping = False

    def stop() -> None:
        nonlocal is_stopping
        if not is_stopping:  # A second one would break off the stopping itself.
            is_stopping = True
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        return ExitCode.INTERRUPTED
