"""`emvs cert`: certificates of a running market's clients, through its management port."""

from __future__ import annotations

import asyncio
import base64
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from rich.console import Console
from rich.table import Column, Table

from emvs.infra.launch.client_certificates import open_package, write_private
from emvs.infra.launch.data_directory import DataDirectory
from emvs.infra.launch.errors import ExitCode, LaunchError
from emvs.infra.launch.http_calls import CallError, HttpCalls
from emvs.infra.launch.outcome import print_error
from emvs.infra.launch.papers import CA_FILE
from emvs.infra.launch.running_systems import running_state

_FILE_NAME: Final = re.compile(r"[^A-Za-z0-9._-]")
_NOT_FOUND: Final = 404
_FOREIGN: Final = "foreign"
_ROOT: Final = "the root to trust, for curl --cacert"
_FOREIGN_ROOT: Final = "the root of this certificate's authority, which nobody trusts"


def issue(
    data: DataDirectory, console: Console, market: str, *, client: str, kind: str, folder: Path
) -> ExitCode:
    """Have a certificate made and write it into a folder. Raises LaunchError."""
    order = {"client_login_id": client, "kind": kind}
    answer = _ask(data, market, "POST", "/certificates", order)
    _write(answer, client, folder, console, kind)
    if kind == _FOREIGN:
        root = data.path / CA_FILE
        _print(console, f"{root}    the root to trust, for curl --cacert: the market's")
    _warn_of_nobody(data, market, client)
    return ExitCode.OK


def _warn_of_nobody(data: DataDirectory, market: str, client: str) -> None:
    known = _ask(data, market, "GET", f"/soap-logins?client_login_id={quote(client)}", None)
    if not known["logins"]:
        print_error(f"warning: there is no login of {client} in {market}; a certificate makes none")


def renew(
    data: DataDirectory, console: Console, market: str, *, serial_number: str, folder: Path
) -> ExitCode:
    """Have the successor of a certificate made and write it into a folder. Raises LaunchError."""
    answer = _ask(data, market, "POST", f"/certificates/{serial_number}/renew", {})
    _write(answer, answer["client_login_id"], folder, console)
    return ExitCode.OK


def revoke(data: DataDirectory, console: Console, market: str, *, serial_number: str) -> ExitCode:
    """End a certificate at once. Raises LaunchError."""
    answer = _ask(data, market, "DELETE", f"/certificates/{serial_number}", None)
    console.print(
        f"{answer['serial_number']} of {answer['client_login_id']} is revoked",
        markup=False,
        highlight=False,
    )
    return ExitCode.OK


def show_all(data: DataDirectory, console: Console, market: str) -> ExitCode:
    """Print the certificates of a market. Raises LaunchError."""
    answer = _ask(data, market, "GET", "/certificates", None)
    table = Table(Column("serial number", no_wrap=True), "client", "from", "to", "counts")
    for row in answer["certificates"]:
        counts = "yes" if row["counts"] else f"no: {row['problem']}"
        span = (row[name][:16].replace("T", " ") for name in ("starts_at", "ends_at"))
        table.add_row(row["serial_number"], row["client_login_id"], *span, counts)
    console.print(table)
    return ExitCode.OK


def _ask(
    data: DataDirectory, market: str, method: str, path: str, message: dict[str, Any] | None
) -> Any:
    name = f"nmvs-{market.lower()}"
    systems = {system.name: system for system in running_state(data).systems}
    known = systems.get(name)
    if known is None or known.management is None:
        running = ", ".join(
            other.removeprefix("nmvs-").upper() for other in systems if other.startswith("nmvs-")
        )
        raise LaunchError(f"no market {market!r} runs here; running: {running}")

    async def call() -> Any:
        async with HttpCalls() as calls:
            return await calls.call(method, f"{known.management}{path}", message)

    try:
        return asyncio.run(call())
    except CallError as error:
        if error.status == _NOT_FOUND:
            raise LaunchError(
                "no certificate has that serial number; see `emvs cert list`"
            ) from error
        raise


def _write(
    answer: dict[str, Any], client: str, folder: Path, console: Console, kind: str = ""
) -> None:
    """Write the package, its parts as PEM, and the root; print where and what goes with them."""
    passphrase = answer["passphrase"]
    stem = _FILE_NAME.sub("_", client)
    write_private(folder / f"{stem}.p12", base64.b64decode(answer["package"]))
    write_private(folder / f"{stem}.pem", open_package(answer))
    write_private(folder / "root.pem", answer["root_pem"].encode())
    lines = [
        f"{folder / stem}.p12    certificate, key and root (PKCS#12), passphrase {passphrase}",
        f"{folder / stem}.pem    certificate and key, for curl --cert and Python",
        f"{folder / 'root.pem'}    {_ROOT if kind != _FOREIGN else _FOREIGN_ROOT}",
    ]
    if "tan" in answer:
        lines.append(
            f"serial number {answer['serial_number']}, valid {answer['starts_at']} to"
            f" {answer['ends_at']}; TAN for one download by the PKI service: {answer['tan']}"
        )
    for line in lines:
        _print(console, line)


def _print(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
