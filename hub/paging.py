"""Pages of lists: beyond which entry, how many, the oldest or the newest first.

The oldest first is the default: whoever follows a list goes on from the last entry it saw, and
misses nothing. A page is asked for with the order of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from emvs.errors import BadRequestError

PAGE_COUNT: Final = 100
PAGE_COUNT_MAX: Final = 500
POSITION_LENGTH_MAX: Final = 18
_POSITION_MAX: Final = 2**63 - 1


class Order(StrEnum):
    """What comes first."""

    OLDEST = "oldest"
    NEWEST = "newest"


class Page(NamedTuple):
    """A page that is asked for."""

    after: int = 0
    """Number of the last entry of the page before; 0 for the first page."""
    limit: int = PAGE_COUNT
    order: Order = Order.OLDEST

    @property
    def bound(self) -> int:
        """The number that the page's entries are beyond."""
        return self.after or (_POSITION_MAX if self.order is Order.NEWEST else 0)

    def beyond(self, column: str, bound: str) -> str:
        """Return an SQL condition: `column` is beyond the placeholder `bound`."""
        return f"{column} {'<' if self.order is Order.NEWEST else '>'} {bound}"

    def by(self, column: str) -> str:
        """Return an SQL order by `column`."""
        return f"order by {column}{' desc' if self.order is Order.NEWEST else ''}"


def read_page(query: Mapping[str, str]) -> Page:
    """Return the page a query string asks for by `after` (a number), `limit` and `order`.

    Raises BadRequestError.
    """
    return Page(read_number(query, "after", 0), read_limit(query), read_order(query))


def read_limit(query: Mapping[str, str]) -> int:
    """Return how many entries are asked for. Raises BadRequestError."""
    limit = read_number(query, "limit", PAGE_COUNT)
    if not 1 <= limit <= PAGE_COUNT_MAX:
        raise BadRequestError(f"limit is from 1 to {PAGE_COUNT_MAX}")
    return limit


def read_order(query: Mapping[str, str]) -> Order:
    """Return what comes first. Raises BadRequestError."""
    try:
        return Order(query.get("order", Order.OLDEST))
    except ValueError as error:
        raise BadRequestError(f"order is {' or '.join(Order)}") from error


def read_number(query: Mapping[str, str], name: str, default: int) -> int:
    """Return a number in a query string. Raises BadRequestError."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= POSITION_LENGTH_MAX):
        raise BadRequestError(f"{name} is a number")
    return int(text)
