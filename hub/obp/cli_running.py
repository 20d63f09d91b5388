"""How every command of `obp` runs and ends: profile, client, one sentence on trouble, exit code.

No traceback reaches a user.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn, TypeVar

import typer

from emvs.errors import EmvsError
from hub.obp.client import ObpClient
from hub.obp.exit_codes import ExitCode, exit_code_of_error
from hub.obp.profile import Choice, Profile, find_profile

_SYSTEM = "Hub"
_OUTPUT = "Output"
CUT_OFF = "cut off before its messages were written, nothing of it was sent: give the command again"
_INTERRUPTED = (
    "interrupted; the same command goes on where it was cut off and sends nothing twice, and"
    " `obp resume` tells what is left."
)

ProfileOption = Annotated[
    Path | None,
    typer.Option(
        help="Profile, a TOML file; ~/.config/emvs/obp.toml if it is there.",
        envvar="OBP_PROFILE",
        rich_help_panel=_SYSTEM,
    ),
]
EndpointsOption = Annotated[
    Path | None,
    typer.Option(
        "--from-endpoints",
        "--endpoints",
        help="endpoints.json of a running simulator; .emvs/endpoints.json if it is there.",
        envvar="OBP_ENDPOINTS",
        rich_help_panel=_SYSTEM,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="JSON on standard output.", rich_help_panel=_OUTPUT)
]


CountOption = Annotated[
    int, typer.Option(help="List so many, the latest.", min=1, max=100_000, rich_help_panel=_OUTPUT)
]
_One = TypeVar("_One")


class Desk(NamedTuple):
    """Which hub a command asks, and how it shows the answer."""

    profile: Path | None
    endpoints: Path | None
    as_json: bool


class Done(NamedTuple):
    """How a command ended: its exit code, an object for programs, lines for people."""

    code: ExitCode
    answer: dict[str, Any]
    show: Callable[[], None]


def run_asking(desk: Desk, ask: Callable[[ObpClient], Awaitable[Done]]) -> NoReturn:
    """Run a command that speaks to the hub, and leave with its exit code."""

    async def run() -> Done:
        async with ObpClient(find(desk)) as client:
            return await ask(client)

    finish(lambda: asyncio.run(run()), as_json=desk.as_json)


async def latest(newest_first: AsyncIterator[_One], count: int) -> list[_One]:
    """Return the newest, as a terminal shows them: the newest at the end."""
    return (await first(newest_first, count))[::-1]


async def first(found: AsyncIterator[_One], count: int) -> list[_One]:
    """Return the first of what is found; no more is asked for."""
    kept: list[_One] = []
    async for one in found:
        kept.append(one)
        if len(kept) >= count:
            break
    return kept


def find(desk: Desk) -> Profile:
    """Return the profile that is meant. Raises ProfileError."""
    return find_profile(
        Choice(desk.profile, desk.endpoints),
        environment=os.environ,
        directory=Path.cwd(),
        home=Path("~").expanduser(),
    )


def finish(run: Callable[[], Done], *, as_json: bool, interrupted: str = _INTERRUPTED) -> NoReturn:
    """Run a command, show what came of it, and leave with its code, whatever goes wrong."""
    try:
        done = run()
    except EmvsError as error:
        done = _failed(error, exit_code_of_error(error), f"{error.title}: {error}")
    except KeyboardInterrupt:
        done = _failed(None, ExitCode.INTERRUPTED, interrupted)
    except Exception as error:  # noqa: BLE001 - the promise is that no traceback reaches a user.
        done = _failed(error, ExitCode.FAULT, f"a fault in this program: {error!r}")
    try:
        if as_json:
            # In ASCII: it fits every terminal and pipe.
            print(json.dumps({**done.answer, "exitCode": int(done.code)}, default=str))
        else:
            done.show()
        sys.stdout.flush()
    except OSError:
        # Nobody reads on; what is still buffered would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    raise typer.Exit(done.code)


def complain(sentence: str) -> None:
    """Print a sentence on standard error."""
    with contextlib.suppress(OSError):
        print(f"obp: {printable(sentence)}", file=sys.stderr)


def printable(text: str) -> str:
    """Return text in which everything that a terminal might obey is spelled out."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def _failed(error: Exception | None, code: ExitCode, sentence: str) -> Done:
    answer: dict[str, Any] = {
        "ok": False,
        "error": None if error is None else type(error).__name__,
        "detail": sentence,
    }
    return Done(code, answer, lambda: complain(sentence))
