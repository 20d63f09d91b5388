"""What is wrong with a message: a bounded collection of defects, and the codes they carry.

No rule stands here. One answer lists all defects, so rules add to a collection and go on.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from emvs.obp_messages import Defect

DEFECTS_LISTED_MAX: Final = 1_000
"""Defects one answer lists; the others can be asked for in pages of as many (our choice)."""
DEFECTS_KEPT_MAX: Final = 100_000
"""Defects of one message that can be asked for; the rest are counted (our choice)."""
_VALUE_LENGTH_MAX: Final = 60
_TEXT_LENGTH_MAX: Final = 300


class Code(StrEnum):
    """The two codes of the EU Hub that end in status Invalid."""

    A16 = "A16"
    """Data validation error."""
    I1 = "I1"
    """Invalid file format."""


class Defects:
    """Defects of one message, in the order they were found."""

    def __init__(self) -> None:
        self.listed: list[Defect] = []
        """The first page."""
        self.count = 0
        self._pages: list[bytes] = []
        self._last: list[Defect] = []
        self._kept = 0

    def __bool__(self) -> bool:
        return self.count > 0

    def add(self, code: Code, field: str, value: str | None, rule: str, text: str) -> None:
        """Add a defect; beyond `DEFECTS_KEPT_MAX` it is only counted."""
        self.count += 1
        if not self.room:
            return
        self._kept += 1
        defect = Defect(code.value, field, shown_value(value), rule, text)
        if len(self.listed) < DEFECTS_LISTED_MAX:
            self.listed.append(defect)
            return
        self._last.append(defect)
        if len(self._last) == DEFECTS_LISTED_MAX:
            self._pages.append(msgspec.json.encode(self._last))
            self._last = []

    def further_pages(self) -> list[bytes]:
        """Return the defects behind the first page, in pages of as many, each as JSON."""
        return [*self._pages, msgspec.json.encode(self._last)] if self._last else self._pages

    def count_unlisted(self, count: int) -> None:
        """Count defects that are not kept because `room` is used up."""
        assert count == 0 or self.room == 0, "there is room to keep them"
        self.count += count

    @property
    def room(self) -> int:
        """How many defects can still be kept."""
        return DEFECTS_KEPT_MAX - self._kept


def market_defect(market: str, field: str, value: str | None, rule: str, text: str) -> Defect:
    """Return a defect that keeps the message from one market alone."""
    return Defect(Code.A16.value, field, shown_value(value), rule, text, market)


def warning(field: str, value: str | None, rule: str, text: str) -> Defect:
    """Return a remark on a message that is accepted all the same."""
    return Defect(None, field, shown_value(value), rule, text)


def shown_value(value: str | None) -> str | None:
    """Return a value as an answer shows it: cut, and without what cannot be printed or stored."""
    return None if value is None else printable(value, _VALUE_LENGTH_MAX)


def printable(text: str, length_max: int = _TEXT_LENGTH_MAX) -> str:
    """Return at most `length_max` characters, control characters replaced."""
    cut = text if len(text) <= length_max else f"{text[: length_max - 1]}…"
    if cut.isprintable():
        return cut
    return "".join(character if character.isprintable() else "\ufffd" for character in cut)
