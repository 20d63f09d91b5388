"""How much of large bodies is in memory at once, all clients together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from emvs.errors import OverloadedError


class BodyMemory:
    """Counts the bytes of bodies that are being received or parsed."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0

    @contextmanager
    def hold(self) -> Iterator[Callable[[int], None]]:
        """Count one body for the length of a block. Yields what is told its size as it grows.

        Only what has arrived counts, so nobody keeps others out by announcing much and sending
        nothing. That raises OverloadedError if it is too much together.
        """
        held = 0

        def note(size: int) -> None:
            nonlocal held
            if self._bytes + size - held > self._bytes_max:
                raise OverloadedError("other large requests are being read")
            self._bytes += size - held
            held = size

        try:
            yield note
        finally:
            self._bytes -= held
