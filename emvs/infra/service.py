"""What every server process does around its system: arguments, loop, signals, ready file.

Exit codes: 0 stopped as asked, 1 could not start (one sentence on standard error), 70 a defect.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import orjson

from emvs.errors import EmvsError
from emvs.infra.config import load_config
from emvs.infra.database import CONNECTION_ERRORS
from emvs.infra.logs import configure_logs, get_logger

_Config = TypeVar("_Config")
_ORPHAN_CHECK_S = 1.0


def run_service(
    config_kind: type[_Config],
    name_of: Callable[[_Config], str],
    start: Callable[[_Config], AbstractAsyncContextManager[Any]],
    describe: Callable[[Any], dict[str, object]],
    *,
    garbage_after_count: int | None = None,
) -> int:
    """Run a system until it gets SIGTERM or SIGINT, or its parent is gone; return the exit code.

    `describe` tells what to write into the configuration's `ready_file` once everything listens.
    Garbage is looked for whenever `garbage_after_count` objects more than before are alive, or as
    often as Python itself thinks fit.
    """
    parser = argparse.ArgumentParser(description="One system of the EMVS simulator.")
    parser.add_argument("--config", type=Path, required=True, help="TOML or JSON file")
    parser.add_argument(
        "--with-parent",
        nargs="?",
        type=int,
        const=0,
        metavar="PID",
        help="stop when the parent process is gone, which has this id if one is given",
    )
    arguments = parser.parse_args()
    try:
        config = load_config(arguments.config, config_kind)
        configure_logs(system=name_of(config), level=getattr(config, "log_level", "info"))
        parent = arguments.with_parent
        if parent == 0:  # A parent that gives its id is missed even if it is gone by now.
            parent = os.getppid()
        _run(_serve(config, start, describe, parent, garbage_after_count))
    except EmvsError as error:
        sys.stderr.write(f"{error.title}: {error}\n")
        return 1
    except CONNECTION_ERRORS as error:
        sys.stderr.write(f"The database cannot be reached: {error}\n")
        return 1
    except Exception:  # noqa: BLE001 - the last resort: logged, and an exit code of its own.
        get_logger(__name__).exception("defect", action="defect")
        return 70
    return 0


def _run(main: Any) -> None:
    if sys.platform == "win32":
        asyncio.run(main)
        return
    import uvloop  # noqa: PLC0415 - there is none on Windows.

    uvloop.run(main)


async def _serve(
    config: Any,
    start: Callable[[Any], AbstractAsyncContextManager[Any]],
    describe: Callable[[Any], dict[str, object]],
    parent: int | None,
    garbage_after_count: int | None,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with start(config) as system:
        # What was made until now stays. To look through all of it for garbage, again and again,
        # would stop the loop for a tenth of a second each time.
        gc.collect()
        gc.freeze()
        if garbage_after_count is not None:
            gc.set_threshold(garbage_after_count)
        if config.ready_file:
            write_ready_file(Path(config.ready_file), {**describe(system), "pid": os.getpid()})
        while not stop.is_set():
            if (broken := getattr(system, "broken", None)) is not None and broken.is_set():
                raise system.failure or RuntimeError("a part of the system has ended")
            try:
                async with asyncio.timeout(_ORPHAN_CHECK_S):
                    await stop.wait()
            except TimeoutError:
                if parent is not None and os.getppid() != parent:
                    stop.set()


def write_ready_file(path: Path, content: dict[str, object]) -> None:
    """Write a JSON file so that a reader sees all of it or nothing."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    temporary.replace(path)
