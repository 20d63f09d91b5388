"""Background work that goes on by itself after trouble: the one owner of every loop in the hub.

A worker drains what there is and waits for its bell. If the database is away it waits a little
longer each time; a defect of ours is logged and shown by `GET /health`, and the work tried again,
so that one bad row does not silence all other queues.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from emvs.infra.database import CONNECTION_ERRORS
from emvs.infra.logs import get_logger

_FIRST_WAIT_S: Final = 0.1
_WAIT_S_MAX: Final = 5.0

_log = get_logger(__name__)


class Worker:
    """One loop. `drain` returns when there is nothing left to do."""

    def __init__(
        self,
        name: str,
        drain: Callable[[], Awaitable[None]],
        bell: asyncio.Event,
        *,
        period_s: float | None = None,
    ) -> None:
        self.name = name
        self.defect: str | None = None
        """What stopped the last drain, unless that was the database."""
        self._drain = drain
        self._bell = bell
        self._period_s = period_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """End, wherever the work is; everything durable is in the database."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        wait_s = _FIRST_WAIT_S
        while True:
            self._bell.clear()
            try:
                await self._drain()
            except CONNECTION_ERRORS as error:
                _log.warning(
                    "work waits for the database",
                    action="work_waits",
                    worker=self.name,
                    error=repr(error),
                    wait_s=wait_s,
                )
            except Exception as error:  # noqa: BLE001 - see the module's docstring.
                self.defect = repr(error)
                _log.exception("work failed", action="work_failed", worker=self.name)
            else:
                self.defect = None
                wait_s = _FIRST_WAIT_S
                await self._wait_for_bell()
                continue
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _WAIT_S_MAX)

    async def _wait_for_bell(self) -> None:
        try:
            async with asyncio.timeout(self._period_s):
                await self._bell.wait()
        except TimeoutError:
            return
