"""What `emvs up` prints when all is ready: addresses, logins, and lines that work when pasted.

Everything is read from endpoints.json, so that it can be printed by whoever waited.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from emvs.infra.launch import defaults

_GROUP_SEPARATOR = "\x1d"
_SHOWN_SEPARATOR = "<GS>"  # What `pharmacy` takes for it; no terminal can paste the real one.


def print_welcome(console: Console, endpoints: dict[str, Any], path: Path) -> None:
    """Print the tables and the lines."""
    console.print(_addresses(endpoints))
    console.print(_logins(endpoints))
    _print_lines(console, endpoints, path)


def _addresses(endpoints: dict[str, Any]) -> Table:
    table = Table("system", "dialect", "address", "management", title="Addresses")
    hub = endpoints["hub"]
    table.add_row("EU Hub", "JSON", hub["url"], hub["management"])
    for code, market in endpoints["markets"].items():
        for dialect in ("soap", "rest"):
            if market[dialect]:
                table.add_row(code, dialect.upper(), market[dialect], market["management"])
    return table


def _logins(endpoints: dict[str, Any]) -> Table:
    """One login a row: a terminal of 80 columns shows every secret whole."""
    table = Table("market", "who", "dialect", "login", title="Logins")
    for participant in endpoints["participants"]:
        soap, rest = participant["soap"], participant["rest"]
        who = participant["market"], participant["kind"]
        if soap:
            login = soap["client_login_id"], soap["user_id"], soap["password"]
            table.add_row(*who, "SOAP", " / ".join(login))
        if rest:
            table.add_row(*who, "REST", f"{rest['client_id']} / {rest['client_secret']}")
        if participant["market"] is None:
            table.add_row("(hub)", "obp", "JSON", participant["hub"]["token"])
    return table


def _print_lines(console: Console, endpoints: dict[str, Any], path: Path) -> None:
    def line(text: str = "") -> None:
        # Never wrapped: a wrapped line does not work when pasted.
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    pack = _pack_to_show(endpoints)
    data = path.parent
    line()
    line("Things to try (NOT FOR PRODUCTION: logins and packs are made up)")
    line()
    line("  ask with curl:")
    line(f"    {curl_line(endpoints)}")
    line("  ask with the pharmacy client:")
    line(f"    {pharmacy_line(pack, path)}")
    line(f"  a scan ({_SHOWN_SEPARATOR} stands for the group separator, ASCII 29):")
    line(f"    {pack['scan'].replace(_GROUP_SEPARATOR, _SHOWN_SEPARATOR)}")
    line("  move all clocks, see what runs:")
    option = "" if _shown(data) == str(defaults.DATA) else f" --data {shlex.quote(_shown(data))}"
    line(f"    {_program('emvs')} clock advance 241h{option}")
    line(f"    {_program('emvs')} status{option}")
    line(f"  everything a program needs: {_shown(path)}")
    line()


def _pack_to_show(endpoints: dict[str, Any]) -> dict[str, Any]:
    """Return a fresh pack, of a REST market if there is one: those can be asked by one line."""
    packs: list[dict[str, Any]] = endpoints["packs"]
    markets = endpoints["markets"]
    return next((pack for pack in packs if markets[pack["market"]]["rest"]), packs[0])


def curl_line(endpoints: dict[str, Any]) -> str:
    """Return a command that verifies a pack; without a REST market one that asks for health."""
    pack = _pack_to_show(endpoints)
    market = endpoints["markets"][pack["market"]]
    if not market["rest"]:
        return f"curl -s {market['management']}/health"
    login = next(
        participant["rest"]
        for participant in endpoints["participants"]
        if participant["market"] == pack["market"] and participant["kind"] == "pharmacy"
    )
    token = (
        "curl -s -d grant_type=client_credentials"
        f" -d client_id={login['client_id']} -d client_secret={login['client_secret']}"
        f""" {market["token"]} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/'"""
    )
    scheme = "gs1" if pack["scheme"] == "GTIN" else "ifa"
    return (
        f'curl -s -H "Authorization: Bearer $({token})" -H "emvs-data-entry-mode: non-manual"'
        f" '{market['rest']}/product/{scheme}/{pack['product_code']}/pack/{pack['serial']}"
        f"?batch={pack['batch']}&expiry={pack['expiry']}'"
    )


def pharmacy_line(pack: dict[str, Any], path: Path) -> str:
    """Return a command of the pharmacy client that verifies the pack."""
    scan = pack["scan"].replace(_GROUP_SEPARATOR, _SHOWN_SEPARATOR)
    return (
        f"{_program('pharmacy')} verify --endpoints {shlex.quote(_shown(path))}"
        f" --market {pack['market']} '{scan}'"
    )


def _program(name: str) -> str:
    """Return how to call a program of this installation from here."""
    path = Path(sys.executable).parent / name
    return shlex.quote(_shown(path)) if path.exists() else name


def _shown(path: Path) -> str:
    """Return a path, short where it is below the current directory."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
