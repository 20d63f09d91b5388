"""A whole system for the length of a block: started as a process, and removed after it.

For programs that need one for a while and know no server. They speak to the launcher
(`emvs.infra.launch.attached`) by pipe: the systems live as long as that pipe is open, so they end
with this process, however it ends, and the launcher removes the folder. Nothing of the launcher is
imported here.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from emvs.errors import EmvsError

_LAUNCHER_MODULE: Final = "emvs.infra.launch.attached"
_START_S_MAX: Final = 180.0
_STOP_S_MAX: Final = 30.0
ENDPOINTS_FILE: Final = "endpoints.json"


class AttachedSystemError(EmvsError):
    """The system could not be started."""

    title = "No system"


class _Message(msgspec.Struct):
    """What the launcher says, a line each."""

    step: str | None = None
    end: bool = False
    error: str | None = None


@asynccontextmanager
async def attached_system(
    markets: str, tell: Callable[[str], None], *, name: str
) -> AsyncIterator[Path]:
    """Run a hub and national systems for the length of a block; yield their `endpoints.json`.

    `tell` hears what the start is busy with; `name` begins that of the folder. Raises
    AttachedSystemError.
    """
    # A short path: the database's socket has to fit into some hundred characters.
    folder = Path(tempfile.mkdtemp(prefix=f"emvs-{name}-"))
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _LAUNCHER_MODULE, str(folder), markets),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C is for us: the launcher is told by the pipe, and stops in order.
            start_new_session=True,
        )
        try:
            await _until_ready(process, tell)
            yield folder / ENDPOINTS_FILE
        finally:
            await _stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _until_ready(process: asyncio.subprocess.Process, tell: Callable[[str], None]) -> None:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_S_MAX):
            async for line in process.stdout:
                message = msgspec.json.decode(line, type=_Message)
                if message.step is not None:
                    tell(message.step)
                if message.end:
                    if message.error is not None:
                        text = f"The system could not be started: {message.error}"
                        raise AttachedSystemError(text)
                    return
    except TimeoutError as error:
        text = f"The system did not start within {_START_S_MAX:g} s."
        raise AttachedSystemError(text) from error
    raise AttachedSystemError("The system ended while it was started.")


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Close the pipe, and wait until everything has ended."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_S_MAX):
            await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
