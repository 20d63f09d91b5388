"""Keeps PostgreSQL, the hub and the national systems running, and stops them in order.

A system that dies is started again on its ports. One that dies too often ends everything: a test
bed that limps is worse than one that says why it stopped.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from emvs.infra.launch.data_directory import DataDirectory, SupervisorState, SystemState
from emvs.infra.launch.errors import LaunchError, SystemLostError
from emvs.infra.launch.http_calls import HttpCalls
from emvs.infra.launch.postgres_keeper import PostgresKeeper
from emvs.infra.launch.reporting import Reporter
from emvs.infra.launch.restart_budget import RestartBudget
from emvs.infra.launch.settings import Settings
from emvs.infra.launch.specs import hub_spec, national_specs
from emvs.infra.launch.system_process import SystemProcess, describe_exit
from emvs.infra.postgres_dsn import parse_dsn

_LOG_CHECK_INTERVAL_S: Final = 5.0

_Result = TypeVar("_Result")


class Supervisor:
    """The systems of one data directory, which must be locked. `async with` runs them."""

    def __init__(
        self,
        data: DataDirectory,
        settings: Settings,
        calls: HttpCalls,
        *,
        reporter: Reporter,
        pg_bin: Path | None = None,
    ) -> None:
        self._data = data
        self._settings = settings
        self._calls = calls
        self._reporter = reporter
        self._postgres = PostgresKeeper(
            data.postgres,
            port=settings.postgres_port,
            dsn=settings.dsn,
            pg_bin=pg_bin,
            on_change=self._on_change,
        )
        self._processes: list[SystemProcess] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._phase = "starting"

    async def __aenter__(self) -> Supervisor:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Return what `work` returns. Raises SystemLostError if a system is lost meanwhile."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, *self._keepers}, return_when=asyncio.FIRST_COMPLETED)
            for keeper in self._keepers:
                if keeper.done():
                    keeper.result()
            return await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def say_ready(self) -> None:
        """Tell `emvs status` that the start is over."""
        self._phase = "ready"
        self._write_state()

    async def _start(self) -> None:
        self._write_state()
        self._reporter.step(
            "PostgreSQL"
            if self._settings.dsn is None
            else f"PostgreSQL {parse_dsn(self._settings.dsn)}"
        )
        await self._postgres.start()
        self._keep(self._postgres_forever())
        self._keep(self._bound_logs_forever())
        dsn = self._postgres.dsn
        names = ", ".join(self._settings.running)
        self._reporter.step(f"the hub and the national systems of {names}")
        specs = [hub_spec(self._settings, dsn), *national_specs(self._settings, dsn)]
        self._processes = [SystemProcess(spec, self._data) for spec in specs]
        self._write_state()
        await self.run(self._start_processes())
        for process in self._processes:
            self._keep(self._keep_process(process))
        self._write_state()

    async def _start_processes(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for process in self._processes:
                    group.create_task(process.start(self._calls))
        except ExceptionGroup as errors:
            # One sentence is enough, and the others often follow from it.
            raise errors.exceptions[0] from None

    async def _postgres_forever(self) -> None:
        await self._postgres.keep()
        await asyncio.Event().wait()  # Somebody else's server: nothing to be kept.

    async def _bound_logs_forever(self) -> None:
        while True:
            await asyncio.sleep(_LOG_CHECK_INTERVAL_S)
            await asyncio.to_thread(self._data.bound_logs)

    async def _keep_process(self, process: SystemProcess) -> None:
        """Start a system again whenever it has ended. Raises SystemLostError at last."""
        budget = RestartBudget()
        name = process.spec.name
        while True:
            status = await process.wait()
            wait_s = budget.take(time.monotonic())
            if wait_s is None:
                words = process.last_words()
                raise SystemLostError(
                    f"{name} ended too often to be started once more; the last time with"
                    f" {describe_exit(status)}.{' ' if words else ''}{words} Its log is"
                    f" {process.log_path}"
                )
            self._on_change(f"{name} ended ({describe_exit(status)}) and is started again")
            await asyncio.sleep(wait_s)
            await self._postgres.running.wait()
            process.restarts += 1
            try:
                await process.start(self._calls)
            except LaunchError as error:
                self._reporter.remark(str(error))
                await process.stop()
            self._write_state()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        self._keepers.append(asyncio.get_running_loop().create_task(work))

    def _on_change(self, sentence: str) -> None:
        self._reporter.remark(sentence)
        self._write_state()

    async def _stop(self) -> None:
        """Stop the hub, then the national systems, then PostgreSQL."""
        self._phase = "stopping"
        self._write_state()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        # The hub first, so that it does not count deliveries to stopped systems as failed.
        hub, national = self._processes[:1], self._processes[1:]
        for group in (hub, national):
            await asyncio.gather(*(process.stop() for process in group))
        await self._postgres.stop()

    def _write_state(self) -> None:
        states = [
            SystemState(
                name=process.spec.name,
                pid=process.pid,
                address=process.spec.address,
                management=process.spec.management,
                log=str(process.log_path),
                restarts=process.restarts,
            )
            for process in self._processes
        ]
        if self._postgres.running.is_set() and not self._postgres.is_external:
            states.insert(
                0,
                SystemState(
                    name="postgres",
                    pid=self._postgres.pid,
                    address=f"127.0.0.1:{self._postgres.port}",
                    management=None,
                    log=str(self._postgres.log_path),
                    restarts=self._postgres.restarts,
                ),
            )
        self._data.write_state(SupervisorState(os.getpid(), self._phase, states))
