"""`emvs check`: whether what the national systems hold in memory is what they have stored.

They are asked while they work; verifications and supplies go on.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import orjson
from rich.console import Console
from rich.table import Table

from emvs.infra.launch.data_directory import DataDirectory, SystemState
from emvs.infra.launch.errors import ExitCode
from emvs.infra.launch.http_calls import CallError, HttpCalls
from emvs.infra.launch.running_systems import running_state

_CHECK_S_MAX = 600.0
_KEYS_SHOWN = 5
_HUB = "hub"


class _Checked(NamedTuple):
    name: str
    report: dict[str, Any] | None
    """None: it gave none."""
    trouble: str = ""


def check_all(data: DataDirectory, console: Console) -> ExitCode:
    """Print what each national system's check has found; OK only if all are equal. Raises
    NotRunningError."""
    state = running_state(data)
    systems = [
        system for system in state.systems if system.management is not None and system.name != _HUB
    ]
    checked = asyncio.run(_check(systems))
    table = Table("system", "in memory", "stored", "found", "seconds")
    for one in checked:
        if one.report is None:
            table.add_row(one.name, "-", "-", one.trouble, "-")
            continue
        table.add_row(
            one.name,
            f"{one.report['indexed_count']:,}",
            f"{one.report['stored_count']:,}",
            _found(one.report),
            f"{one.report['seconds']:.1f}",
        )
    console.print(table)
    are_equal = bool(checked) and all(one.report and one.report["equal"] for one in checked)
    if not are_equal:
        console.print(
            "What is stored counts: a restart loads it anew. Please report what was found.",
            highlight=False,
        )
    return ExitCode.OK if are_equal else ExitCode.FAILED


def _found(report: dict[str, Any]) -> str:
    if report["equal"]:
        return "equal"
    differences = report["differences"]
    if not differences:
        return "other numbers of packs"
    more = " ..." if len(differences) > _KEYS_SHOWN else ""
    return f"{len(differences)} packs differ: {', '.join(differences[:_KEYS_SHOWN])}{more}"


async def _check(systems: list[SystemState]) -> list[_Checked]:
    # One after the other: each reads its whole table.
    async with HttpCalls(timeout_s=_CHECK_S_MAX) as calls:
        return [await _check_one(calls, system) for system in systems]


async def _check_one(calls: HttpCalls, system: SystemState) -> _Checked:
    try:
        return _Checked(system.name, await calls.get(f"{system.management}/check"))
    except CallError as error:
        if error.status is None:
            return _Checked(system.name, None, "unreachable")
        try:
            report = orjson.loads(error.content)
        except orjson.JSONDecodeError:
            report = None
        if isinstance(report, dict) and "differences" in report:
            return _Checked(system.name, report)
        return _Checked(system.name, None, f"not well (HTTP {error.status})")
