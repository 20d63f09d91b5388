"""The command `pharmacy batch`: a file of packs in, a file of results out."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, TextIO

import typer

from pharmacy_client.batch_files import ResultWriter, Row, operation_named, read_rows
from pharmacy_client.cli_finish import Finish
from pharmacy_client.cli_options import SystemOptions, open_queue, profile_of, with_groups
from pharmacy_client.cli_output import error_object, result_object
from pharmacy_client.errors import (
    LoginRefusedError,
    PharmacyClientError,
    ProfileError,
    ScanRefusedError,
)
from pharmacy_client.exit_codes import ExitCode
from pharmacy_client.profile import Profile
from pharmacy_client.results import PackCall, Result
from pharmacy_client.till import Till

# The worst of a file decides how the command ends.
_WORST: Final = (
    ExitCode.ALERT,
    ExitCode.PROTOCOL,
    ExitCode.UNREACHABLE,
    ExitCode.LOGIN,
    ExitCode.QUEUED,
    ExitCode.INVALID,
    ExitCode.REFUSED,
    ExitCode.USAGE,
)


def register(app: typer.Typer, finish: Finish) -> None:
    """Add the command to an application."""

    @app.command()
    @with_groups
    def batch(
        rows: Annotated[
            Path,
            typer.Argument(
                help="File of packs: .csv with a heading, .jsonl, or a scan on each line.",
                exists=True,
                dir_okay=False,
            ),
        ],
        system: SystemOptions,
        output: Annotated[
            Path | None,
            typer.Option(
                "--output", "-o", help="Results: .csv, else JSON lines; without it standard output."
            ),
        ] = None,
        operation: Annotated[
            str, typer.Option(help="What is asked where a row does not say.")
        ] = "verify",
        bulk: Annotated[
            bool,
            typer.Option("--bulk", help="Hand all in at once, and fetch what came of them."),
        ] = False,
    ) -> None:
        """Ask about all packs of a file, one after the other or as a bulk. Exit code: that of the
        worst row, an alert being the worst."""
        try:
            usual = operation_named(operation)
        except ScanRefusedError as error:
            raise typer.BadParameter(str(error)) from error

        def run() -> ExitCode:
            found = list(read_rows(rows, usual))
            if not found:
                print(f"pharmacy: {rows} holds no packs; nothing was sent.", file=sys.stderr)
            with _opened(output) as file, contextlib.ExitStack() as exits:
                as_csv = output is not None and output.suffix.lower() == ".csv"
                writer = ResultWriter(file, as_csv=as_csv)
                profile = profile_of(system)
                queue = None
                if system.queue is not None:
                    queue = exits.enter_context(open_queue(system, profile))
                ask = _ask_as_bulk if bulk else _ask_singly
                till = Till(profile, queue, on_notice=lambda text: print(text, file=sys.stderr))
                return asyncio.run(_work(found, till, ask, writer, system))

        finish(run, as_json=system.as_json)


_Answers = AsyncIterator[tuple[Row, Result | PharmacyClientError]]


async def _work(
    rows: list[Row],
    till: Till,
    ask: Callable[[Till, list[Row]], _Answers],
    writer: ResultWriter,
    system: SystemOptions,
) -> ExitCode:
    codes: set[ExitCode] = set()

    def write(row: Row, values: dict[str, Any]) -> None:
        codes.add(ExitCode(values["exit_code"]))
        writer.write({"row": row.number, **values})

    with _progress(len(rows)) as advance:
        for row in rows:
            if row.error is not None:
                error = row.error
                write(row, {**error_object(error, raw=False), "error": str(error)})
                advance()
        async with till:
            async for row, answer in ask(till, [row for row in rows if row.call is not None]):
                if isinstance(answer, Result):
                    write(row, _object(answer, till.profile, raw=system.raw))
                else:
                    call = row.call
                    name = None if call is None else call.operation.name.lower()
                    told = error_object(answer, raw=system.raw)
                    write(row, {"operation": name, **told, "error": str(answer)})
                advance()
    return next((code for code in _WORST if code in codes), ExitCode.OK)


async def _ask_singly(till: Till, rows: list[Row]) -> _Answers:
    """Ask about each pack. A login that was refused is not shown again: that would lock it."""
    refused: LoginRefusedError | None = None
    for row in rows:
        assert row.call is not None
        if refused is not None:
            yield row, refused
            continue
        try:
            yield row, await till.perform(row.call)
        except PharmacyClientError as error:
            refused = error if isinstance(error, LoginRefusedError) else None
            yield row, error


async def _ask_as_bulk(till: Till, rows: list[Row]) -> _Answers:
    calls: list[PackCall] = [row.call for row in rows if row.call is not None]
    done = 0
    try:
        async for result in till.client.bulk(calls):
            yield rows[done], result
            done += 1
    except PharmacyClientError as error:
        for row in rows[done:]:
            yield row, error


def _object(result: Result, profile: Profile, *, raw: bool) -> dict[str, Any]:
    return result_object(result, profile_source=profile.source, raw=raw)


@contextlib.contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    try:
        file = output.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise ProfileError(f"{output} cannot be written: {error.strerror}.") from error
    with file:
        yield file


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Show how far it is, on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 - loads slowly.
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TimeRemainingColumn,
    )

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("packs", total=total)
        yield lambda: progress.advance(task)
