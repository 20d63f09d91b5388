"""The command `pharmacy scan`: a till in the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from pharmacy_client.cli_finish import Finish
from pharmacy_client.cli_options import SystemOptions, open_queue, profile_of, with_groups
from pharmacy_client.cli_output import error_object, print_json, printable, result_object
from pharmacy_client.errors import PharmacyClientError
from pharmacy_client.exit_codes import ExitCode
from pharmacy_client.offline_queue import OfflineQueue
from pharmacy_client.results import Result
from pharmacy_client.terminal_till import (
    HELP,
    Mode,
    TerminalTill,
    raw_terminal,
    read_input,
    show_on_stdout,
)
from pharmacy_client.till import Till


def register(app: typer.Typer, finish: Finish) -> None:
    """Add the command to an application."""

    @app.command()
    @with_groups
    def scan(
        system: SystemOptions,
        mode: Annotated[Mode, typer.Option(help="What a scan asks, to begin with.")] = Mode.VERIFY,
    ) -> None:
        """Be a till: read scans from the keyboard wedge, show the answers large, keep what cannot
        be sent and send it later. Exit code: 0, or 8 if something still waits."""

        def run() -> ExitCode:
            with open_queue(system, profile_of(system)) as queue:
                with contextlib.suppress(KeyboardInterrupt):
                    asyncio.run(_serve(system, queue, mode))
                return ExitCode.QUEUED if queue.open_count else ExitCode.OK

        finish(run, as_json=system.as_json)


async def _serve(system: SystemOptions, queue: OfflineQueue, mode: Mode) -> None:
    def show(line: str) -> None:
        if not system.as_json:
            show_on_stdout(line)

    def notice(sentence: str) -> None:
        line = f"· {printable(sentence)}"
        show(f"\n{line}" if prompted else line)
        for terminal in prompted:
            _prompt(terminal)

    descriptor = sys.stdin.fileno()
    prompted: list[TerminalTill] = []  # While the last line on the screen is its prompt.
    async with Till(profile_of(system), queue, on_notice=notice) as till:
        terminal = TerminalTill(till, mode, show)
        with raw_terminal(descriptor) as is_terminal:
            if queue.open_count:
                terminal.tell_waiting()
            background = [
                asyncio.ensure_future(till.keep_replaying(terminal.tell_waiting)),
                asyncio.ensure_future(_upkeep(till, notice)),
            ]
            try:
                if system.as_json:
                    await _take_all(
                        terminal, descriptor, _nothing, lambda: _print_last(till, terminal)
                    )
                elif is_terminal:
                    show(HELP)

                    def echo(text: str) -> None:
                        if _echo(text):
                            prompted.clear()

                    def prompt() -> None:
                        prompted[:] = [terminal]
                        _prompt(terminal)

                    prompt()
                    await _take_all(terminal, descriptor, echo, prompt)
                else:
                    await _take_all(terminal, descriptor, _nothing, lambda: None)
            finally:
                for task in background:
                    task.cancel()
                await asyncio.gather(*background, return_exceptions=True)


async def _take_all(
    terminal: TerminalTill,
    descriptor: int,
    echo: Callable[[str], None],
    after: Callable[[], None],
) -> None:
    async for line in read_input(descriptor, echo):
        if not await terminal.take(line):
            return
        after()


def _nothing(text: str) -> None:
    """Where a terminal or nobody echoes."""


def _echo(text: str) -> bool:
    """Show what was typed; tell whether a line ended."""
    shown = "".join(letter for letter in text if letter.isprintable())
    ending = "\n" if text.endswith(("\r", "\n")) else ""
    sys.stdout.write(shown + ending)
    sys.stdout.flush()
    return bool(ending)


async def _upkeep(till: Till, notice: Callable[[str], None]) -> None:
    try:
        await till.upkeep()
    except PharmacyClientError as error:
        notice(f"Password or certificate could not be seen to: {error}")


def _prompt(terminal: TerminalTill) -> None:
    sys.stdout.write(terminal.prompt)
    sys.stdout.flush()


def _print_last(till: Till, terminal: TerminalTill) -> None:
    last = terminal.last
    if last is None:
        return
    told = (
        result_object(last, profile_source=till.profile.source, raw=False)
        if isinstance(last, Result)
        else error_object(last, raw=False)
    )
    wait = till.wait
    print_json({**told, "waiting_count": till.waiting_count, "wait": wait and wait.to_object()})
    sys.stdout.flush()
