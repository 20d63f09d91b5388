"""Many packs in one request, in either dialect: what goes in, and what the two have in common.

A bulk is handed in, a ticket comes back, and what came of each pack is fetched with the ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from pharmacy_client.results import PackCall, Result

BULK_ITEMS_MAX: Final = 100_000
"""Of the published schema of the SOAP interface; the REST one takes more."""
BULK_REPLY_BYTES_MAX: Final = 128 * 1024 * 1024
"""A result has some 1 kB in either dialect (our choice)."""
BULK_TIMEOUT_S: Final = 300.0
"""For handing in or fetching one bulk (our choice)."""


class BulkItem(NamedTuple):
    """One call among many."""

    call: PackCall
    item_id: str
    """Client transaction id: 8 to 32 letters, digits and hyphens."""


class NotReady(NamedTuple):
    """The bulk is being worked through."""

    wait_s: float | None
    """How long the system asks to wait; None if it does not say."""


class BulkWay(Protocol):
    """One way of a dialect to do it."""

    async def submit(self, items: Sequence[BulkItem], submission_id: str) -> str:
        """Return the ticket, once the system has taken the bulk.

        Raises NotOfferedError if these cannot go this way; BulkRefusedError, LoginRefusedError,
        SystemUnreachableError or ProtocolError; of the last two `may_have_acted` says whether the
        bulk may have been taken nevertheless.
        """
        ...

    async def fetch(self, ticket: str, items: Sequence[BulkItem]) -> list[Result] | NotReady:
        """Return what came of each item, in their order. Raises as `submit`, and BulkLostError."""
        ...


class BulkSpeaker(BulkWay, Protocol):
    """The way that takes any operations on any packs: mixed bulk, recovery."""

    async def find(self, submission_id: str) -> str | None:
        """Return the ticket of a submission whose acknowledgement was lost; None if there is none.

        Raises NotOfferedError if the dialect cannot tell.
        """
        ...


def is_uniform(items: Sequence[BulkItem]) -> bool:
    """Tell whether all items ask the same, each of another pack: what plain bulks are for."""
    first = items[0].call
    alike = ((item.call.operation, item.call.manual) for item in items)
    packs = {
        (item.call.scan.scheme, item.call.scan.product_code, item.call.scan.serial_number)
        for item in items
    }
    return len(packs) == len(items) and all(
        each == (first.operation, first.manual) for each in alike
    )
