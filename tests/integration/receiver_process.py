"""`emvs callback-receiver` as a process of its own."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_LINE_S_MAX = 30.0
COMMAND = "from emvs.cli import main; main()"


class ReceiverProcess:
    """A receiver that runs, and what it prints."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self.url = url

    async def line(self) -> str:
        """Return the next line of its standard output."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), _LINE_S_MAX)
        return line.decode().rstrip("\n")

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; return its exit code."""
        if self._process.returncode is None:
            self._process.send_signal(number)
        await asyncio.wait_for(self._process.communicate(), _LINE_S_MAX)
        assert self._process.returncode is not None
        return self._process.returncode


@asynccontextmanager
async def receiving(*arguments: str) -> AsyncIterator[ReceiverProcess]:
    """Run a receiver on a free port for the length of a block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, "callback-receiver", "--port", "0", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    said = (await asyncio.wait_for(process.stderr.readline(), _LINE_S_MAX)).decode()
    assert "register this with the hub: " in said, said
    receiver = ReceiverProcess(process, said.split(": ")[1].split()[0])
    try:
        yield receiver
    finally:
        await receiver.stop()
