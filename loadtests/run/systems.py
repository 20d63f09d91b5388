"""The systems under load: found in a data directory, or started fresh and stopped afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from emvs.errors import UsageError
from emvs.infra.launch.data_directory import DataDirectory
from emvs.infra.launch.defaults import DATA
from emvs.infra.launch.errors import LaunchError, NotRunningError
from emvs.infra.launch.running_systems import running_state
from loadtests.run.options import RunOptions, neighbour_of, systems_wanted

_EMVS = (sys.executable, "-c", "from emvs.cli import main; main()")


class Systems(NamedTuple):
    """Systems that run."""

    data: Path
    endpoints: dict[str, Any]
    processes: dict[str, int]
    """Process id by name: "hub", "nmvs-de", "postgres"."""


def choose_systems(options: RunOptions, *, fresh: bool) -> tuple[RunOptions, str]:
    """Return the options with the systems that will be taken, and a sentence that says which.

    Without --data those that run on the default directory, as for `emvs status`, if they have the
    run's markets; otherwise fresh ones. Raises UsageError.
    """
    if options.data is not None:
        if fresh:
            raise UsageError("--fresh starts systems, --data takes running ones: give one of them")
        return options, f"systems of {options.data}"
    data = Path(os.environ.get("EMVS_DATA") or DATA)
    if fresh or not DataDirectory(data).running_pid():
        why = "" if fresh else f"; nothing runs on {data}"
        return options, f"fresh systems for this run{why}"
    try:
        find_systems(options, data)
    except (UsageError, LaunchError) as error:
        return options, f"fresh systems for this run; {error}"
    return replace(options, data=data), f"systems of {data}; --fresh starts others for this run"


@contextmanager
def systems_for(options: RunOptions, folder: Path) -> Iterator[Systems]:
    """Yield systems with the run's markets. Raises UsageError or LaunchError."""
    if options.data is not None:
        yield find_systems(options, options.data)
        return
    data = folder / "systems"
    started = subprocess.run(  # noqa: S603 - our own program.
        [
            *_EMVS,
            "up",
            "--detach",
            "--data",
            str(data),
            "--port-base",
            "0",
            "--packs",
            "0",
            "--markets",
            systems_wanted(options),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if started.returncode != 0:
        raise LaunchError(started.stderr.strip().rstrip(".") or "the systems did not start")
    try:
        yield find_systems(options, data)
    finally:
        subprocess.run(  # noqa: S603 - our own program.
            [*_EMVS, "down", "--data", str(data)], stdout=subprocess.DEVNULL, check=False
        )
        _clear_away(data, folder)


def _clear_away(data: Path, folder: Path) -> None:
    """Keep the logs of systems that were started for one run; their database may be large."""
    with suppress(OSError):
        (data / "logs").replace(folder / "logs")
    shutil.rmtree(data, ignore_errors=True)


def find_systems(options: RunOptions, data: Path) -> Systems:
    """Return the systems that run on a data directory. Raises UsageError with the way out."""
    directory = DataDirectory(data)
    way_out = f"`emvs up --data {data} --markets {systems_wanted(options)}` starts them"
    try:
        state = running_state(directory)
    except NotRunningError:
        raise UsageError(
            f"nothing runs on {data}; {way_out}, and `emvs load run --fresh` starts some by itself"
        ) from None
    endpoints: dict[str, Any] = orjson.loads(directory.endpoints.read_bytes())
    neighbour = neighbour_of(options, list(endpoints["markets"]))
    for code in [wish.code for wish in options.markets] + ([neighbour] if neighbour else []):
        if code not in endpoints["markets"]:
            raise UsageError(
                f"the systems of {data} run without {code}; after `emvs down`, {way_out}"
            )
    for wish in options.markets:
        if endpoints["markets"][wish.code]["plain"][wish.dialect] is None:
            raise UsageError(
                f"{wish.code} does not speak {wish.dialect} on {data}; after `emvs down`, {way_out}"
            )
    processes = {system.name: system.pid for system in state.systems if system.pid}
    return Systems(data, endpoints, processes)
