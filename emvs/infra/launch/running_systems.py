"""`emvs status`, `emvs clock`, `emvs down`: asking, moving and stopping what runs."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import Any, Final, NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

from emvs.infra.launch.data_directory import DataDirectory, SupervisorState, SystemState
from emvs.infra.launch.errors import ExitCode, LaunchError, NotRunningError
from emvs.infra.launch.http_calls import CallError, HttpCalls

_ASK_S_MAX: Final = 5.0
_STOP_S_MAX: Final = 180.0  # PostgreSQL may need a minute for its last checkpoint.
_STOP_POLL_S: Final = 0.05
_UNKNOWN: Final = "-"


class _Answer(NamedTuple):
    system: SystemState
    is_healthy: bool
    health: str
    packs: str
    clock: str


def show_status(data: DataDirectory, console: Console) -> ExitCode:
    """Print what runs; return OK only if all of it is healthy. Raises NotRunningError."""
    state = running_state(data)
    answers = asyncio.run(_ask_all(state.systems))
    table = Table("system", "pid", "address", "health", "packs", "clock", "restarts")
    for answer in answers:
        system = answer.system
        table.add_row(
            system.name,
            str(system.pid or _UNKNOWN),
            system.address,
            answer.health,
            answer.packs,
            answer.clock,
            str(system.restarts),
        )
    console.print(table)
    console.print(f"supervisor {state.pid}: {state.phase}", highlight=False)
    is_good = state.phase == "ready" and all(answer.is_healthy for answer in answers)
    return ExitCode.OK if is_good else ExitCode.FAILED


def show_clock(data: DataDirectory, console: Console) -> ExitCode:
    """Print what time each system has. Raises NotRunningError, CallError."""
    return asyncio.run(_clocks(data, console, None))


def advance_clock(data: DataDirectory, console: Console, seconds: int) -> ExitCode:
    """Move the clock of every system, the hub first. Raises NotRunningError, LaunchError."""
    return asyncio.run(_clocks(data, console, seconds))


def stop_all(data: DataDirectory, console: Console) -> ExitCode:
    """Return when nothing runs any more; if nothing did, that is fine too."""
    pid = data.running_pid()
    if not pid:
        console.print(f"nothing runs on {data.shown}", markup=False, highlight=False)
        return ExitCode.OK
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise LaunchError(f"process {pid} belongs to another user; stop it as that user") from error
    deadline = time.monotonic() + _STOP_S_MAX
    while data.running_pid() == pid:
        if time.monotonic() > deadline:
            raise LaunchError(
                f"process {pid} has not stopped everything within {_STOP_S_MAX:g} s; its logs are"
                f" in {data.log_path('supervisor').parent}"
            )
        time.sleep(_STOP_POLL_S)
    console.print("everything is stopped", highlight=False)
    return ExitCode.OK


def running_state(data: DataDirectory) -> SupervisorState:
    """Return what runs on a data directory. Raises NotRunningError."""
    pid = data.running_pid()
    state = data.read_state() if pid else None
    if state is None or state.pid != pid:
        raise NotRunningError(
            f"nothing runs on {data.shown}; `emvs up --data {data.shown}` starts it"
        )
    return state


async def _ask_all(systems: list[SystemState]) -> list[_Answer]:
    async with HttpCalls(timeout_s=_ASK_S_MAX) as calls:
        return await asyncio.gather(*(_ask(calls, system) for system in systems))


async def _ask(calls: HttpCalls, system: SystemState) -> _Answer:
    if system.management is None:
        return await _knock(system)
    try:
        health = await calls.get(f"{system.management}/health")
        clock = await calls.get(f"{system.management}/clock")
    except CallError as error:
        said = "unreachable" if error.status is None else _ailment(error)
        return _Answer(system, False, said, _UNKNOWN, _UNKNOWN)
    packs = health.get("packs")
    shown = _UNKNOWN if packs is None else f"{packs:,}"
    return _Answer(system, True, health["status"], shown, clock["now"])


def _ailment(error: CallError) -> str:
    """Return why a system is not well, or how far its start has come."""
    try:
        members = orjson.loads(error.content)
    except orjson.JSONDecodeError:
        members = None
    if not isinstance(members, dict) or "status" not in members:
        return f"not well (HTTP {error.status})"
    if "packsStored" in members:
        return f"loading, {members['packs']:,} of {members['packsStored']:,} packs"
    return f"not well: {members['status']}"


async def _knock(system: SystemState) -> _Answer:
    """Ask a system without a management port: whether somebody listens."""
    host, _, port = system.address.rpartition(":")
    try:
        async with asyncio.timeout(_ASK_S_MAX):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return _Answer(system, False, "unreachable", _UNKNOWN, _UNKNOWN)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return _Answer(system, True, "ok", _UNKNOWN, _UNKNOWN)


async def _clocks(data: DataDirectory, console: Console, seconds: int | None) -> ExitCode:
    state = running_state(data)
    table = Table("system", "clock", "ahead of this machine by")
    moved: list[str] = []
    async with HttpCalls(timeout_s=_ASK_S_MAX) as calls:
        # The hub comes first in the list, as it must: a national system that lived in a later day
        # than the hub could refuse what the hub sends.
        for system in state.systems:
            if system.management is None:
                continue
            try:
                clock = await _clock(calls, f"{system.management}/clock", seconds)
            except CallError as error:
                already = f" {', '.join(moved)} moved already." if moved else ""
                raise LaunchError(
                    f"{system.name}: {error}.{already} The next `emvs up` brings all clocks"
                    " together again"
                ) from error
            moved.append(system.name)
            table.add_row(system.name, clock["now"], _shown_offset(clock["offset_s"]))
    console.print(table)
    return ExitCode.OK


async def _clock(calls: HttpCalls, url: str, seconds: int | None) -> Any:
    if seconds is None:
        return await calls.get(url)
    return await calls.post(url, {"advance_s": seconds})


def _shown_offset(offset_s: int) -> str:
    days, rest = divmod(offset_s, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{days} d {hours:02}:{minutes:02}:{seconds:02}"
