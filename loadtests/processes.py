"""Other programs, started and ended within bounds: nothing waits for ever."""

from __future__ import annotations

import asyncio
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

from emvs.errors import EmvsError

_END_S_MAX: Final = 30.0
_POLL_S: Final = 0.01


class Ended(NamedTuple):
    """What a program left."""

    code: int
    output: str
    errors: str


def start(
    exits: ExitStack, command: Sequence[str], *, env: Mapping[str, str] | None = None, **pipes: Any
) -> subprocess.Popen[str]:
    """Start a program that `exits` ends: asked to first, killed if it takes too long."""
    process = subprocess.Popen(command, env=env, text=True, **pipes)  # noqa: S603 - our callers' own.
    exits.callback(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_END_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def wait_for_file(process: subprocess.Popen[str], path: Path, seconds_max: float) -> None:
    """Return when a program has made a file. Raises EmvsError if it ends or takes too long."""
    deadline = time.monotonic() + seconds_max
    while not path.exists():
        if process.poll() is not None:
            raise EmvsError(f"{_name(process)} did not start; what it said stands above")
        if time.monotonic() > deadline:
            raise EmvsError(f"{_name(process)} was not ready within {seconds_max:g} s")
        time.sleep(_POLL_S)


def read_line(process: subprocess.Popen[str], seconds_max: float) -> str:
    """Return the first line a program prints. Raises EmvsError if none comes in time."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], seconds_max)
    line = process.stdout.readline() if readable else ""
    if not line:
        raise EmvsError(f"{_name(process)} did not start within {seconds_max:g} s")
    return line


def _name(process: subprocess.Popen[str]) -> str:
    return " ".join(map(str, process.args)) if isinstance(process.args, list) else "the program"


async def run(command: Sequence[str], *, seconds_max: float) -> Ended:
    """Run a program to its end; kill it and raise EmvsError if it takes longer."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), seconds_max)
    except TimeoutError:
        raise EmvsError(f"{command[0]} did not end within {seconds_max:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ended(
        process.returncode, output.decode(errors="replace"), errors.decode(errors="replace")
    )
