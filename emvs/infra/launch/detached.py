"""`emvs up --detach`: a supervisor in a process of its own, and the wait until it is ready.

Options go in by standard input, because a DSN holds a password and arguments are public; news
come back through a pipe.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import orjson
from rich.console import Console

from emvs.infra.launch.data_directory import DataDirectory
from emvs.infra.launch.errors import ExitCode, LaunchError
from emvs.infra.launch.outcome import print_error, run_guarded
from emvs.infra.launch.reporting import PipeReporter, TerminalReporter, replay
from emvs.infra.launch.signals import run_until_signal
from emvs.infra.launch.things_to_try import print_welcome
from emvs.infra.launch.up import Running, UpOptions, serve

LOG_NAME = "supervisor"


def start_detached(options: UpOptions, console: Console) -> ExitCode:
    """Return when everything is ready, or with a sentence and the code of what went wrong."""
    data = DataDirectory(Path(options.data))
    data.lock()  # To make the directory, and to say at once if something runs there.
    data.unlock()
    reporter = TerminalReporter(console)
    read_end, write_end = os.pipe()
    log = data.open_log(LOG_NAME)
    try:
        supervisor = subprocess.Popen(  # noqa: S603 - our own program.
            [sys.executable, "-m", "emvs.infra.launch", str(write_end)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(write_end,),
            start_new_session=True,
        )
    finally:
        os.close(write_end)
        os.close(log)
    end = _follow(supervisor, options, read_end, reporter)
    if end is None:
        raise LaunchError(
            f"the supervisor ended while it was starting; its log is {data.log_path(LOG_NAME)}"
        )
    if end["error"] is not None:
        supervisor.wait()
        print_error(f"{end['error']} (log: {data.log_path(LOG_NAME)})")
        return ExitCode(end["exit_code"])
    print_welcome(console, orjson.loads(data.endpoints.read_bytes()), data.endpoints)
    reporter.step(f"everything runs in the background; `emvs down --data {data.shown}` stops it")
    return ExitCode.OK


def _follow(
    supervisor: subprocess.Popen[bytes],
    options: UpOptions,
    read_end: int,
    reporter: TerminalReporter,
) -> dict[str, Any] | None:
    """Hand over the options, show the news, return the last one; None if there was none."""
    try:
        assert supervisor.stdin is not None
        with suppress(BrokenPipeError):
            supervisor.stdin.write(msgspec.json.encode(options))
            supervisor.stdin.close()
        with os.fdopen(read_end, "rb") as news:
            for line in news:
                message: dict[str, Any] = orjson.loads(line)
                if "end" in message:
                    return message
                replay(message, reporter)
    except KeyboardInterrupt:
        # It is in a session of its own and did not get the Ctrl-C.
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait()
        raise
    finally:
        reporter.finish()
    return None


def run_detached(descriptor: int) -> ExitCode:
    """Be the supervisor: options from standard input, news to the pipe."""
    options = msgspec.json.decode(sys.stdin.buffer.read(), type=UpOptions)
    reporter = PipeReporter(descriptor, Console(file=sys.stdout, soft_wrap=True))
    data = DataDirectory(Path(options.data))

    def on_ready(_: Running) -> None:
        reporter.end()

    def on_error(sentence: str, code: ExitCode) -> None:
        reporter.end(error=sentence, exit_code=code)

    return run_guarded(
        lambda: run_until_signal(serve(data, options, reporter, on_ready)), on_error=on_error
    )
