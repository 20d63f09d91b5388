"""PostgreSQL for the systems: an embedded server that is kept running, or somebody else's.

A server that dies is started again on its port and recovers; the systems wait for it meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from emvs.infra.embedded_postgres import EmbeddedPostgres
from emvs.infra.launch.errors import LaunchError, SystemLostError
from emvs.infra.launch.restart_budget import RestartBudget
from emvs.infra.launch.system_process import describe_exit
from emvs.infra.postgres_dsn import check_external
from emvs.infra.postgres_errors import EmvsInfraError

_POLL_S: Final = 0.1


class PostgresKeeper:
    """The database server. `start`, then `keep` in the background, at the end `stop`."""

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int,
        dsn: str | None,
        pg_bin: Path | None,
        on_change: Callable[[str], None],
    ) -> None:
        """`on_change` is told in a sentence when the server was started again."""
        self._external_dsn = dsn
        self._server = EmbeddedPostgres(data_dir, port=port, pg_bin=pg_bin)
        self._on_change = on_change
        self._starting: asyncio.Future[None] | None = None
        self.running = asyncio.Event()
        self.restarts = 0

    @property
    def is_external(self) -> bool:
        """Whether somebody else runs the server."""
        return self._external_dsn is not None

    @property
    def dsn(self) -> str:
        """Address with password; after `start`."""
        return self._external_dsn or self._server.dsn()

    @property
    def pid(self) -> int | None:
        """The embedded server's process."""
        return self._server.pid if self._server.is_running() else None

    @property
    def port(self) -> int:
        """The embedded server's port; after `start`."""
        return self._server.port

    @property
    def log_path(self) -> Path:
        """The embedded server's log."""
        return self._server.log_path

    async def start(self) -> None:
        """Return when the server can be used. Raises LaunchError."""
        try:
            if self._external_dsn is not None:
                await check_external(self._external_dsn)
            else:
                await self._start_embedded()
        except EmvsInfraError as error:
            raise LaunchError(str(error).rstrip(".")) from error
        self.running.set()

    async def _start_embedded(self) -> None:
        # A thread cannot be cancelled: whoever stops us meanwhile waits for it in `stop`.
        self._starting = asyncio.ensure_future(asyncio.to_thread(self._server.start))
        await asyncio.shield(self._starting)

    async def keep(self) -> None:
        """Start the server again whenever it has died. Raises SystemLostError at last."""
        if self.is_external:
            return
        budget = RestartBudget()
        while True:
            await asyncio.sleep(_POLL_S)
            status = self._server.poll()
            if status is None:
                continue
            self.running.clear()
            wait_s = budget.take(time.monotonic())
            if wait_s is None:
                raise SystemLostError(
                    "PostgreSQL ended too often to be started once more; the last time with"
                    f" {describe_exit(status)}. Its log is {self._server.log_path}"
                )
            await asyncio.sleep(wait_s)
            try:
                await self.start()
            except LaunchError as error:
                raise SystemLostError(f"PostgreSQL could not be started again: {error}") from error
            self.restarts += 1
            self._on_change(f"PostgreSQL ended ({describe_exit(status)}) and was started again")

    async def stop(self) -> None:
        """Stop the embedded server with a checkpoint."""
        if self.is_external:
            return
        if self._starting is not None:
            await asyncio.wait({self._starting})
        self.running.clear()
        await asyncio.to_thread(self._server.stop)
