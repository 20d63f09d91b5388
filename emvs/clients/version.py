"""What `--version` of a command shows."""

from __future__ import annotations

import sys
from importlib.metadata import version


def show_version(wanted: bool) -> None:
    """Print the version and leave, if that is wanted."""
    if wanted:
        print(version("emvs"))
        sys.exit()
