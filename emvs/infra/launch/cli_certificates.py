"""The commands `emvs cert …`: options in, exit codes out."""

# ruff: noqa: PLC0415 - commands import what they need when they run.

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from emvs.infra.launch import defaults
from emvs.infra.launch.ending import end, make_console
from emvs.infra.launch.errors import ExitCode

app = typer.Typer(
    help="Client certificates of a running market: issue, list, renew, revoke.",
    no_args_is_help=True,
)


class Kind(StrEnum):
    """What a certificate is made for."""

    GOOD = "good"
    NEAR_EXPIRY = "near-expiry"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    FOREIGN = "foreign"


Data = Annotated[Path, typer.Option(help="Data directory of the systems.", envvar="EMVS_DATA")]
Market = Annotated[str, typer.Option(help="Market, such as AT.")]
Folder = Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")]
SerialNumber = Annotated[str, typer.Argument(help="Serial number, as `emvs cert list` shows it.")]


@app.command()
def issue(
    client: Annotated[str, typer.Argument(help="Client login id that the certificate is for.")],
    market: Market = "AT",
    kind: Annotated[Kind, typer.Option(help="Good, or wrong in one way, for tests.")] = Kind.GOOD,
    out: Folder = Path("certificates"),
    data: Data = defaults.DATA,
) -> None:
    """Make a certificate and write it with its key as PKCS#12 and PEM."""

    def run() -> ExitCode:
        from emvs.infra.launch import certificates
        from emvs.infra.launch.data_directory import DataDirectory

        return certificates.issue(
            DataDirectory(data), make_console(), market, client=client, kind=kind, folder=out
        )

    end(run)


@app.command("list")
def show(market: Market = "AT", data: Data = defaults.DATA) -> None:
    """Show the certificates of a market, and whether each counts now."""

    def run() -> ExitCode:
        from emvs.infra.launch import certificates
        from emvs.infra.launch.data_directory import DataDirectory

        return certificates.show_all(DataDirectory(data), make_console(), market)

    end(run)


@app.command()
def renew(
    serial_number: SerialNumber,
    market: Market = "AT",
    out: Folder = Path("certificates"),
    data: Data = defaults.DATA,
) -> None:
    """Make the successor of a certificate; both count until the old one ends."""

    def run() -> ExitCode:
        from emvs.infra.launch import certificates
        from emvs.infra.launch.data_directory import DataDirectory

        return certificates.renew(
            DataDirectory(data), make_console(), market, serial_number=serial_number, folder=out
        )

    end(run)


@app.command()
def revoke(serial_number: SerialNumber, market: Market = "AT", data: Data = defaults.DATA) -> None:
    """End a certificate at once, on open connections too."""

    def run() -> ExitCode:
        from emvs.infra.launch import certificates
        from emvs.infra.launch.data_directory import DataDirectory

        return certificates.revoke(
            DataDirectory(data), make_console(), market, serial_number=serial_number
        )

    end(run)
