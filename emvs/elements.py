"""One element of a scanned symbol, and what goes wrong in reading them; for both syntaxes."""

from collections.abc import Sequence
from typing import NamedTuple


class Element(NamedTuple):
    """One piece of data under its identifier; `position` counts characters from 0."""

    identifier: str
    value: str
    position: int


class ElementError(ValueError):
    """The text can't be read on from `position`. What was read before it is in `read`."""

    def __init__(self, reason: str, *, position: int, read: Sequence[Element] = ()) -> None:
        super().__init__(f"{reason} (at character {position + 1})")
        self.reason = reason
        self.position = position
        self.read = tuple(read)
