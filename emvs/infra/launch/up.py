"""`emvs up`: everything started, filled, written down, shown, and kept until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.console import Console

from emvs.infra.launch.client_certificates import provide_certificates
from emvs.infra.launch.data_directory import DataDirectory
from emvs.infra.launch.errors import ExitCode
from emvs.infra.launch.free_ports import FreePorts, any_taken, refuse_taken_ports
from emvs.infra.launch.http_calls import HttpCalls
from emvs.infra.launch.papers import demo_document, endpoints_document, stock_document
from emvs.infra.launch.population import new_run_id, populate
from emvs.infra.launch.reporting import Reporter, TerminalReporter
from emvs.infra.launch.settings import Settings, Wishes, choose_settings, with_new_ports
from emvs.infra.launch.signals import run_until_signal
from emvs.infra.launch.supervisor import Supervisor
from emvs.infra.launch.things_to_try import print_welcome


class UpOptions(msgspec.Struct, frozen=True):
    """What the user asked of `emvs up`."""

    data: str
    stock_count: int
    """Packs beside those that endpoints.json and demo.json name."""
    wishes: Wishes = Wishes()
    pg_bin: str | None = None


class Running(NamedTuple):
    """An environment that is ready."""

    supervisor: Supervisor
    endpoints: dict[str, Any]


@asynccontextmanager
async def running_environment(
    data: DataDirectory, options: UpOptions, reporter: Reporter
) -> AsyncIterator[Running]:
    """Start everything, fill it, and write endpoints.json; stop it all in the end.

    Raises LaunchError or UsageError with a sentence.
    """
    data.lock()
    try:
        data.forget_state()
        settings = _choose_settings(data, options)
        pg_bin = Path(options.pg_bin) if options.pg_bin else None
        async with (
            HttpCalls() as calls,
            Supervisor(data, settings, calls, reporter=reporter, pg_bin=pg_bin) as supervisor,
        ):
            filling = populate(
                settings, calls, reporter, stock_count=options.stock_count, run_id=new_run_id()
            )
            batches = await supervisor.run(filling)
            await supervisor.run(provide_certificates(settings, calls, data.path))
            endpoints = endpoints_document(settings, batches)
            data.write(data.demo, demo_document(settings, batches))
            data.write(data.stock, stock_document(batches))
            data.write(data.endpoints, endpoints)
            supervisor.say_ready()
            yield Running(supervisor, endpoints)
    finally:
        with suppress(OSError):
            data.forget_state()
        data.unlock()


def _choose_settings(data: DataDirectory, options: UpOptions) -> Settings:
    ports = FreePorts()
    settings = choose_settings(data.read_settings(), options.wishes, pick_port=ports.pick)
    if settings.port_base == 0 and any_taken(settings):
        settings = with_new_ports(settings, pick_port=ports.pick)
    refuse_taken_ports(settings)
    data.write_settings(settings)
    return settings


async def serve(
    data: DataDirectory, options: UpOptions, reporter: Reporter, on_ready: Callable[[Running], None]
) -> ExitCode:
    """Start everything, call `on_ready`, and stay until this task is cancelled."""
    async with running_environment(data, options, reporter) as running:
        on_ready(running)
        try:
            await running.supervisor.run(asyncio.Event().wait())
        except asyncio.CancelledError:
            reporter.step("stopping")
    return ExitCode.OK


def run_up(options: UpOptions, console: Console) -> ExitCode:
    """Run everything in this process until Ctrl-C or SIGTERM; return the exit code."""
    data = DataDirectory(Path(options.data))
    reporter = TerminalReporter(console)

    def on_ready(running: Running) -> None:
        reporter.finish()
        print_welcome(console, running.endpoints, data.endpoints)
        reporter.step("everything runs; Ctrl-C stops it")

    try:
        return run_until_signal(serve(data, options, reporter, on_ready))
    finally:
        reporter.finish()
