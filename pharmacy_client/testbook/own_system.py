"""A system of the book's own: started for one run, in a temporary folder, and removed after it.

The client knows no server: it is started as a process (`emvs.infra.launch.attaching`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from emvs.infra.launch.attaching import AttachedSystemError, attached_system
from pharmacy_client.errors import SystemUnreachableError


class OwnSystemError(SystemUnreachableError):
    """The book's own system could not be started."""

    title = "No system"


@asynccontextmanager
async def own_system(markets: str, tell: Callable[[str], None]) -> AsyncIterator[Path]:
    """Run a hub and national systems for the length of a block; yield their `endpoints.json`.

    `tell` hears what the start is busy with. Raises OwnSystemError.
    """
    try:
        async with attached_system(markets, tell, name="testbook") as endpoints:
            yield endpoints
    except AttachedSystemError as error:
        raise OwnSystemError(str(error)) from error
