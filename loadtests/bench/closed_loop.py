"""Throughput: 64 connections, each with one request under way. wrk where it is, else our own.

For ratios between servers in one run; latency claims come from `open_loop`.
"""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from loadtests import processes
from loadtests.bench.errors import LoadError
from loadtests.bench.requests import Step, Template, as_bytes
from loadtests.wire_client import measure

_SCRIPT: Final = Path(__file__).parent / "wrk.lua"
_START_S: Final = 30.0


class Throughput(NamedTuple):
    """What one case gave."""

    requests_per_s: float
    answered: int
    """Answers that came, each with status 200 and the mark in its body."""
    asked: int
    """Requests made; at most one for each connection had no answer yet."""


def generator_name() -> str:
    """Return what makes the load of throughput cases."""
    return "wrk" if shutil.which("wrk") else "our own asyncio client"


async def drive(
    port: int,
    templates: Mapping[str, Template],
    steps: Sequence[Step],
    *,
    seconds: float,
    connections: int,
    mark: bytes = b"",
    wrap: bool = False,
) -> Throughput:
    """Ask for so long, in whole seconds; `wrap`: from the beginning again when the steps are used
    up.

    Raises LoadError if anything but 200 comes back, a body lacks `mark`, or the steps run out.
    """
    if shutil.which("wrk") is None:
        return await _drive_ourselves(
            port, templates, steps, seconds=seconds, connections=connections, mark=mark, wrap=wrap
        )
    with tempfile.TemporaryDirectory(prefix="emvs-wrk-") as folder:
        path = Path(folder) / "requests.txt"
        _write_requests(path, templates, steps)
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--timeout=20s",
            "-s",
            str(_SCRIPT),
            f"http://127.0.0.1:{port}",
            "--",
            str(path),
            mark.decode(),
        ]
        ended = await processes.run(command, seconds_max=seconds + _START_S)
    line = next((row for row in ended.output.splitlines() if row.startswith("{")), None)
    if ended.code or line is None:
        raise LoadError(f"wrk ended with {ended.code}: {(ended.output + ended.errors)[-500:]}")
    told = json.loads(line)
    if any(told["errors"].values()):
        raise LoadError(f"of {told['requests']} requests some went wrong: {told['errors']}")
    if told["asked"] > len(steps) and not wrap:
        raise LoadError("the prepared requests were used up")
    return Throughput(told["requests"] / told["seconds"], told["requests"], told["asked"])


def _write_requests(path: Path, templates: Mapping[str, Template], steps: Sequence[Step]) -> None:
    """A template to a line with its line ends escaped, an empty line, then the steps."""
    heads = [
        f"{letter}{_escaped(template.before)}\t{_escaped(template.after)}"
        for letter, template in templates.items()
    ]
    lines = [letter + serial for letter, serial in steps]
    path.write_text("\n".join([*heads, "", *lines, ""]))


def _escaped(text: bytes) -> str:
    return text.decode().replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")


async def _drive_ourselves(
    port: int,
    templates: Mapping[str, Template],
    steps: Sequence[Step],
    *,
    seconds: float,
    connections: int,
    mark: bytes,
    wrap: bool,
) -> Throughput:
    requests = as_bytes(templates, itertools.cycle(steps) if wrap else steps)
    measured = await measure(
        "127.0.0.1", port, requests, connections=connections, seconds=seconds, mark=mark
    )
    if set(measured.statuses) != {200}:
        raise LoadError(f"other answers than 200 came: {measured.statuses}")
    if measured.strange:
        raise LoadError(f"{measured.strange} answers lack {mark!r}")
    if next(requests, None) is None:
        raise LoadError("the prepared requests were used up")
    answered = measured.statuses[200]
    return Throughput(measured.requests_per_s, answered, answered)
