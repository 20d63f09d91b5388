"""The option `--version` of the commands."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

_DISTRIBUTION = "emvs"


def _show(wanted: bool) -> None:
    if wanted:
        print(version(_DISTRIBUTION))
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_show, is_eager=True, help="Show the version.")
]


def options(version: VersionOption = False) -> None:
    """Options before the command's name."""
