"""The options that commands of `pharmacy` have in common, as two groups.

A command takes a group as one parameter; `with_groups` shows its fields to typer as options.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from emvs.markets import Dialect
from emvs.scheme import Scheme
from pharmacy_client.cli_output import printable
from pharmacy_client.errors import ProfileError
from pharmacy_client.offline_queue import (
    OfflineQueue,
    default_directory,
    default_path,
    owner_of,
)
from pharmacy_client.profile import Profile
from pharmacy_client.profile_choice import Choice, find_profile

_PACK = "Pack"
_SYSTEM = "National system"
_OUTPUT = "Output"


@dataclass(frozen=True, slots=True)
class PackOptions:
    """Which pack is meant: one of a scan, a picture, or fields."""

    scan: Annotated[
        str | None,
        typer.Argument(
            help="What the scanner sent, in quotes; - reads one line from standard input. Group"
            r" separators may be written <GS>, {GS}, \x1d or ␝."
        ),
    ] = None
    image: Annotated[
        Path | None,
        typer.Option(
            help="Picture that shows the Data Matrix.",
            exists=True,
            dir_okay=False,
            readable=True,
            rich_help_panel=_PACK,
        ),
    ] = None
    product_code: Annotated[
        str | None, typer.Option(help="GTIN or PPN, typed in.", rich_help_panel=_PACK)
    ] = None
    serial: Annotated[
        str | None, typer.Option(help="Serial number, typed in.", rich_help_panel=_PACK)
    ] = None
    batch: Annotated[str | None, typer.Option(help="Batch, typed in.", rich_help_panel=_PACK)] = (
        None
    )
    expiry: Annotated[
        str | None, typer.Option(help="Expiry date, typed in: YYMMDD.", rich_help_panel=_PACK)
    ] = None
    scheme: Annotated[
        Scheme | None,
        typer.Option(
            help="Kind of the product code; found out if left away.",
            case_sensitive=False,
            rich_help_panel=_PACK,
        ),
    ] = None
    manual: Annotated[
        bool,
        typer.Option(
            "--manual", help="Say to the system: typed in by hand.", rich_help_panel=_PACK
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class SystemOptions:
    """Which national system is asked, as whom, and how the answer is shown."""

    profile: Annotated[
        Path | None,
        typer.Option(
            help="Profile, a TOML file.", envvar="PHARMACY_PROFILE", rich_help_panel=_SYSTEM
        ),
    ] = None
    endpoints: Annotated[
        Path | None,
        typer.Option(
            help="endpoints.json of a running simulator; .emvs/endpoints.json if it is there.",
            envvar="PHARMACY_ENDPOINTS",
            rich_help_panel=_SYSTEM,
        ),
    ] = None
    market: Annotated[
        str | None,
        typer.Option(
            help="Market in the endpoints file, such as IE; else its first.",
            envvar="PHARMACY_MARKET",
            rich_help_panel=_SYSTEM,
        ),
    ] = None
    participant: Annotated[
        int,
        typer.Option(
            help="Which participant of that kind and market, counted from 0.",
            min=0,
            envvar="PHARMACY_PARTICIPANT",
            rich_help_panel=_SYSTEM,
        ),
    ] = 0
    kind: Annotated[
        str,
        typer.Option(
            help="pharmacy, hospital or wholesaler.",
            envvar="PHARMACY_KIND",
            rich_help_panel=_SYSTEM,
        ),
    ] = "pharmacy"
    dialect: Annotated[
        Dialect | None,
        typer.Option(
            help="Interface to speak; else the market's usual one.",
            envvar="PHARMACY_DIALECT",
            case_sensitive=False,
            rich_help_panel=_SYSTEM,
        ),
    ] = None
    queue: Annotated[
        Path | None,
        typer.Option(
            help="File of the offline queue: what cannot be sent now is kept there.",
            envvar="PHARMACY_QUEUE",
            dir_okay=False,
            rich_help_panel=_SYSTEM,
        ),
    ] = None
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on one line.", rich_help_panel=_OUTPUT)
    ] = False
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="Also what went over the wire, without secrets: on standard error, or with --json"
            " in the object.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False


def profile_of(system: SystemOptions) -> Profile:
    """Return the profile that the options mean. Raises ProfileError."""
    choice = Choice(
        system.profile,
        system.endpoints,
        system.market,
        system.kind,
        system.participant,
        system.dialect,
    )
    return find_profile(
        choice, environment=os.environ, directory=Path.cwd(), home=Path("~").expanduser()
    )


def open_queue(system: SystemOptions, profile: Profile) -> OfflineQueue:
    """Return the queue that the options mean, or this login's own. Raises ProfileError."""
    return OfflineQueue(system.queue or default_path(profile, os.environ), owner_of(profile))


def queues_to_read(system: SystemOptions) -> Iterator[OfflineQueue]:
    """Yield the queues that the options mean, whether their system is known here or not.

    Without any system all queues of this user are meant; that goes to standard error. Makes no
    file. Raises ProfileError.
    """
    owner = None
    paths = [] if system.queue is None else [system.queue]
    try:
        profile = profile_of(system)
    except ProfileError as error:
        if not paths:
            told = f"All queues of this user are shown, as no system is known here. ({error})"
            print(f"pharmacy: {printable(told)}", file=sys.stderr)
            paths = sorted(default_directory(os.environ).glob("pharmacy-queue-*.sqlite"))
    else:
        owner = owner_of(profile)
        paths = paths or [default_path(profile, os.environ)]
    for path in paths:
        if path.exists():
            with OfflineQueue(path, owner) as queue:
                yield queue


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with a parameter for each field of its groups, which typer reads."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hints[name] for name in hints if hints[name] in (PackOptions, SystemOptions)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name]))
            continue
        field_hints = get_type_hints(groups[name], include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
                annotation=field_hints[field.name],
            )
            for field in fields(groups[name])
        ]

    @functools.wraps(command)
    def expanded(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    # Positional parameters would have to precede the keyword-only ones; typer minds no order.
    expanded.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    )
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del expanded.__wrapped__  # Else the signature of the command itself would be read.
    return expanded
