"""The command `pharmacy`: a thin caller of the library. Options in, calls, lines or JSON out.

No traceback reaches a user: what goes wrong has a sentence and an exit code.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from emvs.clients.streams import make_streams_usable
from emvs.clients.version import options
from emvs.errors import EmvsError
from emvs.scan import Scan, ScanError, parse_scan, scan_from_fields
from emvs.states import State
from pharmacy_client import (
    cli_batch,
    cli_doctor,
    cli_faults,
    cli_login,
    cli_output,
    cli_queue,
    cli_scan,
    cli_terms,
    cli_testbook,
)
from pharmacy_client.cli_options import (
    PackOptions,
    SystemOptions,
    open_queue,
    profile_of,
    with_groups,
)
from pharmacy_client.client import PharmacyClient
from pharmacy_client.errors import PharmacyClientError, ScanRefusedError
from pharmacy_client.exit_codes import MEANINGS, ExitCode, exit_code_of, exit_code_of_error
from pharmacy_client.profile import Profile
from pharmacy_client.results import Colour, Pong, Result
from pharmacy_client.scan_text import read_spelled
from pharmacy_client.till import Till

_STDIN_LINE_BYTES_MAX = 4096
_INTERRUPTED = "interrupted; if a change was on its way, verify the pack before you repeat it."

app = typer.Typer(
    name="pharmacy",
    help="Asks a national medicines verification system about packs, by SOAP or REST.",
    epilog="Exit codes:\n\n"
    + "\n\n".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items()),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(options)


class _Done(NamedTuple):
    """How a command ended, and how to show it."""

    code: ExitCode
    show: Callable[[], None]


class _InactiveState(StrEnum):
    """States on the command line."""

    SUPPLIED = "supplied"
    DESTROYED = "destroyed"
    LOCKED = "locked"
    EXPORTED = "exported"
    SAMPLE = "sample"
    STOLEN = "stolen"
    FREE_SAMPLE = "free-sample"

    @property
    def state(self) -> State:
        """The state as the library has it."""
        return State[self.name]


@app.command()
@with_groups
def verify(pack: PackOptions, system: SystemOptions) -> None:
    """Ask whether a pack may be handed out. Changes nothing."""
    _run_pack(pack, system, lambda client, scan, manual: client.verify(scan, manual=manual))


@app.command()
@with_groups
def supply(pack: PackOptions, system: SystemOptions) -> None:
    """Mark a pack as supplied to a patient."""
    _run_pack(pack, system, lambda client, scan, manual: client.supply(scan, manual=manual))


@app.command()
@with_groups
def decommission(
    pack: PackOptions,
    state: Annotated[_InactiveState, typer.Option(help="State that the pack shall have.")],
    system: SystemOptions,
) -> None:
    """Give a pack another inactive state than supplied."""
    _run_pack(
        pack,
        system,
        lambda client, scan, manual: client.decommission(scan, state.state, manual=manual),
    )


@app.command()
@with_groups
def undo(
    pack: PackOptions,
    system: SystemOptions,
    state: Annotated[
        _InactiveState, typer.Option(help="State to be undone.")
    ] = _InactiveState.SUPPLIED,
    reference: Annotated[
        str | None,
        typer.Option(help="`client_transaction_id` of what is undone; for SOAP, optional."),
    ] = None,
) -> None:
    """Make a pack active again."""
    _run_pack(
        pack,
        system,
        lambda client, scan, manual: client.undo(
            scan, state.state, reference=reference, manual=manual
        ),
    )


@app.command()
@with_groups
def ping(system: SystemOptions) -> None:
    """Find out whether the system can be reached. By REST also whether the login is good."""

    def run() -> _Done:
        profile = profile_of(system)

        async def call() -> Pong:
            async with PharmacyClient(profile) as client:
                return await client.ping()

        pong = asyncio.run(call())
        return _Done(ExitCode.OK, lambda: _print_pong(pong, profile, system))

    _finish(run, as_json=system.as_json, raw=system.raw)


@app.command()
def render(
    scan: Annotated[str, typer.Argument(help="What a scanner would send.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG file to be written.")],
) -> None:
    """Draw the Data Matrix of a pack."""

    def run() -> _Done:
        # It loads an image library, which the other commands need not wait for.
        from pharmacy_client.symbols import render_data_matrix  # noqa: PLC0415

        render_data_matrix(_scan_text(scan), output)
        return _Done(ExitCode.OK, lambda: print(f"{output} written"))

    _finish(run)


def _finish_code(run: Callable[[], ExitCode], *, as_json: bool = False) -> None:
    _finish(lambda: _Done(run(), lambda: None), as_json=as_json)


cli_testbook.register(app, _finish_code)
cli_faults.register(app, _finish_code)
for module in (cli_batch, cli_doctor, cli_login, cli_queue, cli_scan, cli_terms):
    module.register(app, _finish_code)


def main() -> None:
    """Run the command."""
    make_streams_usable()
    try:
        app()
    except KeyboardInterrupt:  # Outside of a command; in one there is a message for it.
        sys.exit(ExitCode.INTERRUPTED)


def _run_pack(
    pack: PackOptions,
    system: SystemOptions,
    call: Callable[[PharmacyClient | Till, Scan, bool], Awaitable[Result]],
) -> None:
    """Do one call on one pack, print its result, and exit with its code."""
    is_typed = any((pack.product_code, pack.serial, pack.batch, pack.expiry))
    if (pack.scan is not None) + (pack.image is not None) + is_typed != 1:
        raise typer.BadParameter("Give a scan, or --image, or --product-code and --serial.")

    def run() -> _Done:
        scan = _scan(pack)
        profile = profile_of(system)

        async def perform() -> Result:
            if system.queue is None:
                async with PharmacyClient(profile) as client:
                    return await call(client, scan, pack.manual)
            with open_queue(system, profile) as queue:
                async with Till(profile, queue, on_notice=_complain) as till:
                    return await call(till, scan, pack.manual)

        result = asyncio.run(perform())
        return _Done(exit_code_of(result), lambda: _print_result(result, profile, system))

    _finish(run, as_json=system.as_json, raw=system.raw)


def _print_result(result: Result, profile: Profile, system: SystemOptions) -> None:
    if system.as_json:
        cli_output.print_json(
            cli_output.result_object(result, profile_source=profile.source, raw=system.raw)
        )
        return
    source = f"{profile.url} ({profile.dialect}), {profile.source}"
    lines = cli_output.result_lines(result, profile_source=source)
    cli_output.print_lines(lines, result.advice.colour)
    if system.raw:
        cli_output.print_exchange(result.exchange)


def _print_pong(pong: Pong, profile: Profile, system: SystemOptions) -> None:
    if system.as_json:
        cli_output.print_json(cli_output.pong_object(pong, profile_source=profile.source))
        return
    lines = [
        ("", "ping: OK"),
        ("answer", pong.text),
        ("address", pong.url),
        ("asked", f"{profile.source}, {pong.elapsed_ms:.0f} ms"),
    ]
    cli_output.print_lines(lines, Colour.GREEN)


def _finish(run: Callable[[], _Done], *, as_json: bool = False, raw: bool = False) -> None:
    """Run a command, show what came of it, and exit with its code, whatever goes wrong."""
    try:
        done = run()
    except EmvsError as error:
        trouble = error
        done = _Done(
            exit_code_of_error(error), lambda: _print_error(trouble, as_json=as_json, raw=raw)
        )
    except KeyboardInterrupt:
        done = _Done(ExitCode.INTERRUPTED, lambda: _complain(_INTERRUPTED))
    except BrokenPipeError:  # Who read the output, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        done = _Done(ExitCode.INTERRUPTED, lambda: None)
    except Exception as error:  # noqa: BLE001 - the promise is that no traceback reaches a user.
        fault = f"a fault in this program: {error!r}"
        done = _Done(ExitCode.FAULT, lambda: _complain(fault))
    _show(done.show)
    raise typer.Exit(done.code)


def _show(show: Callable[[], None]) -> None:
    """Print; that nobody can read it is no reason to lose the exit code."""
    try:
        show()
        sys.stdout.flush()
    except OSError as error:
        # What is still buffered would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not isinstance(error, BrokenPipeError):
            _complain(f"the answer cannot be printed: {error.strerror}")


def _complain(sentence: str) -> None:
    with contextlib.suppress(OSError):
        print(f"pharmacy: {cli_output.printable(sentence)}", file=sys.stderr)


def _print_error(error: EmvsError, *, as_json: bool, raw: bool) -> None:
    if as_json:
        cli_output.print_json(cli_output.error_object(error, raw=raw))
        return
    cli_output.print_error(error)
    if raw and isinstance(error, PharmacyClientError):
        cli_output.print_exchange(error.exchange)


def _scan(pack: PackOptions) -> Scan:
    """Return the pack that the options mean. Raises ScanRefusedError or SymbolError."""
    try:
        if pack.image is not None:
            from pharmacy_client.symbols import read_symbol  # noqa: PLC0415 - loads slowly.

            return parse_scan(read_symbol(pack.image))
        if pack.scan is not None:
            return parse_scan(_scan_text(pack.scan))
        return scan_from_fields(
            product_code=pack.product_code or "",
            serial_number=pack.serial or "",
            batch_id=pack.batch,
            expiry=pack.expiry,
            scheme=pack.scheme,
        )
    except ScanError as error:
        raise ScanRefusedError(error.problem, error.advice) from error


def _scan_text(argument: str) -> str:
    """Return the scan of a command line; for `-`, of a line of standard input."""
    if argument == "-":
        if sys.stdin is None:
            return ""
        argument = sys.stdin.buffer.readline(_STDIN_LINE_BYTES_MAX).decode("utf-8", "replace")
    return read_spelled(argument)


if __name__ == "__main__":
    main()
