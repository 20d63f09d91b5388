"""How commands in modules of their own end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pharmacy_client.exit_codes import ExitCode


class Finish(Protocol):
    """Runs a command and exits with its code; what goes wrong has a sentence and a code."""

    def __call__(self, run: Callable[[], ExitCode], *, as_json: bool = False) -> None:
        """Run it. With `as_json` an error is one JSON object on standard output."""
        ...
