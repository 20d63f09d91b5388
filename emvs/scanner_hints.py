"""Whether a wrong identifier looks like a scanner's or a keyboard's fault rather than a fake.

A serial number of a length or with characters that no serial number of its batch has was likely
misread: cut off, run together with the next element, typed with Caps Lock or another layout. The
REST-built national systems give such findings codes of their own. What these systems compare
exactly is not public: that it is length and kinds of characters follows from the columns of their
reports on batches (inferred).
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple


class Hint(Enum):
    """What speaks for a fault in reading. The alert stays an alert."""

    LENGTH = "length"
    FORMAT = "format"
    LENGTH_AND_FORMAT = "length and format"


_KINDS: Final = {
    character: 1 << position
    for position, characters in enumerate(
        (string.digits, string.ascii_uppercase, string.ascii_lowercase)
    )
    for character in characters
}
_OTHER: Final = 1 << 3


class Shape(NamedTuple):
    """Length and kinds of characters of one or more identifiers."""

    length_min: int
    length_max: int
    kinds: int
    """Sum of 1 for digits, 2 for capitals, 4 for small letters, 8 for anything else. Stored."""

    def joined(self, other: Shape | None) -> Shape:
        """Return the shape of both together."""
        if other is None:
            return self
        return Shape(
            min(self.length_min, other.length_min),
            max(self.length_max, other.length_max),
            self.kinds | other.kinds,
        )


def shape_of(identifiers: Iterable[str]) -> Shape | None:
    """Return the common shape of these identifiers, None if there are none."""
    texts = list(identifiers)
    if not texts:
        return None
    kinds = 0
    for character in set("".join(texts)):
        kinds |= _KINDS.get(character, _OTHER)
    return Shape(len(min(texts, key=len)), len(max(texts, key=len)), kinds)


def hint_of(identifier: str, shape: Shape | None) -> Hint | None:
    """Return what is odd about an identifier among those of this shape, None if nothing is."""
    own = shape_of([identifier])
    if own is None or shape is None:
        return None
    odd_length = not shape.length_min <= own.length_min <= shape.length_max
    odd_format = own.kinds & ~shape.kinds != 0
    if odd_length and odd_format:
        return Hint.LENGTH_AND_FORMAT
    if odd_length:
        return Hint.LENGTH
    return Hint.FORMAT if odd_format else None
