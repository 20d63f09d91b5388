"""National systems as processes of their own, so that they can really be killed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from emvs.infra.loopback_ports import free_port

START_S_MAX = 120.0


class SystemProcess:
    """One `python -m MODULE` with its ready file; ports stay the same over restarts."""

    def __init__(self, module: str, config: dict[str, Any], folder: Path) -> None:
        self._module = module
        # Outside the range of outgoing connections: they are taken again after a kill.
        names = ["port", "management_port"]
        if module == "nmvs":
            names.append("interconnect_port")
        self._config = {name: free_port() for name in names} | config
        self._folder = folder
        self._ready = folder / f"{module}-ready.json"
        self._process: asyncio.subprocess.Process | None = None
        self.ready: dict[str, Any] = {}

    async def start(self) -> None:
        """Start it and wait until it listens."""
        self._ready.unlink(missing_ok=True)
        path = self._folder / f"{self._module}.json"
        path.write_text(json.dumps({**self._config, "ready_file": str(self._ready)}))
        log = (self._folder / f"{self._module}.log").open("ab")
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, "--config", str(path), stderr=log
            )
        finally:
            log.close()
        async with asyncio.timeout(START_S_MAX):
            while not self._ready.exists():
                assert self._process.returncode is None, self.log
                await asyncio.sleep(0.02)
        self.ready = json.loads(self._ready.read_text())

    @property
    def memory_bytes_max(self) -> int:
        """The most memory it has had resident."""
        status = Path(f"/proc/{self.ready['pid']}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    @property
    def log(self) -> str:
        """What it has written."""
        return (self._folder / f"{self._module}.log").read_text()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM; give the exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await asyncio.wait_for(self._process.wait(), 20)


@asynccontextmanager
async def running_process(
    module: str, config: dict[str, Any], folder: Path
) -> AsyncIterator[SystemProcess]:
    """Run a process for the length of a block."""
    process = SystemProcess(module, config, folder)
    await process.start()
    try:
        yield process
    finally:
        await process.stop()
