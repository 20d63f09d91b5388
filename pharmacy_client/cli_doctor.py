"""The command `pharmacy doctor`: what is wrong with this till, and what to do."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Final

import typer

from pharmacy_client.cli_finish import Finish
from pharmacy_client.cli_options import SystemOptions, open_queue, profile_of, with_groups
from pharmacy_client.cli_output import print_json, printable, wants_colour
from pharmacy_client.doctor_checks import Check
from pharmacy_client.exit_codes import ExitCode
from pharmacy_client.scan_text import read_spelled

_COLOURS: Final = {"ok": "32", "warning": "33", "failed": "1;31"}
_CODES: Final = {
    "login": ExitCode.LOGIN,
    "certificate": ExitCode.LOGIN,
    "scanner": ExitCode.INVALID,
    "clock": ExitCode.REFUSED,
}


def register(app: typer.Typer, finish: Finish) -> None:
    """Add the command to an application."""

    @app.command()
    @with_groups
    def doctor(
        system: SystemOptions,
        scan: Annotated[
            str | None,
            typer.Option(
                help="A test scan, to have the scanner looked at; on a terminal one is asked for."
            ),
        ] = None,
        no_scanner: Annotated[
            bool, typer.Option("--no-scanner", help="Ask for no test scan.")
        ] = False,
    ) -> None:
        """Examine profile, certificate, connection, TLS, login, clock, queue and scanner, and say
        what to do. Changes nothing. Exit code: 0 all well, 1 the clock is wrong, 4 the scanner
        is, 5 the login or certificate, 6 the connection."""

        def run() -> ExitCode:
            checks = asyncio.run(_examine(system))
            text = scan
            if text is None and not no_scanner and sys.stdin.isatty() and not system.as_json:
                text = asyncio.run(_ask_for_scan())
            if text:
                from pharmacy_client.doctor import examine_scan  # noqa: PLC0415

                checks.append(examine_scan(read_spelled(text)))
                _show(checks[-1], as_json=system.as_json)
            failed = [check for check in checks if check.verdict == "failed"]
            if not failed:
                return ExitCode.OK
            return _CODES.get(failed[0].name, ExitCode.UNREACHABLE)

        finish(run, as_json=system.as_json)


async def _examine(system: SystemOptions) -> list[Check]:
    from pharmacy_client.doctor import examine  # noqa: PLC0415 - loads the HTTP library.

    profile = profile_of(system)
    checks: list[Check] = []
    with open_queue(system, profile) as queue:
        async for check in examine(profile, queue):
            checks.append(check)
            _show(check, as_json=system.as_json)
    return checks


async def _ask_for_scan() -> str:
    from pharmacy_client.terminal_till import raw_terminal, read_input  # noqa: PLC0415

    print("Scan any pack now (nothing is sent), or press Ctrl-D.")
    with raw_terminal(sys.stdin.fileno()):
        async for line in read_input(sys.stdin.fileno(), lambda _: None):
            return line
    return ""


def _show(check: Check, *, as_json: bool) -> None:
    if as_json:
        print_json(check._asdict())
        return
    verdict = check.verdict.upper()
    if wants_colour():
        verdict = f"\x1b[{_COLOURS[check.verdict]}m{verdict}\x1b[0m"
    print(f"{check.name}: {verdict}  {printable(check.found)}", flush=True)
    if check.advice:
        print(f"  → {printable(check.advice)}", flush=True)
