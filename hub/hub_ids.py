"""The hub's own identifiers of a request, made from its number: nothing has to be stored.

How the 34 characters are filled for the hub is our choice: actor H, organisation EUHUB.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from emvs.obp_messages import Acknowledgement
from emvs.transaction_ids import (
    Actor,
    IdentifierType,
    make_transaction_id,
    parse_transaction_id,
)

_ORGANISATION: Final = "EUHUB"
_CLIENT: Final = "001"
_NUMBER_MAX: Final = (1 << 63) - 1


def hub_transaction_id(message_type: str, received_at_ms: int, number: int) -> str:
    """Return the identifier under which the hub works on a request."""
    return _make(message_type, IdentifierType.TRANSACTION, received_at_ms, number)


def delivery_id(message_type: str, received_at_ms: int, number: int, system: str) -> str:
    """Return the identifier of a request's delivery to a national system: always the same."""
    return f"{hub_transaction_id(message_type, received_at_ms, number)}-{system}"


def acknowledgement_of(
    message_type: str, transaction_id: str, received_at_ms: int, number: int
) -> Acknowledgement:
    """Return the acknowledgement of a request: the same however often it is asked for."""
    return Acknowledgement(
        message_type,
        transaction_id,
        _make(message_type, IdentifierType.ACKNOWLEDGEMENT, received_at_ms, number),
        hub_transaction_id(message_type, received_at_ms, number),
    )


def notice_id(message_type: str, created_at_ms: int, number: int) -> str:
    """Return the identifier of a callback: always the same, so that a repeat can be told."""
    return _make(message_type, IdentifierType.RESPONSE, created_at_ms, number)


def request_number(text: str) -> int | None:
    """Return the number in one of the hub's own identifiers, None if it is none."""
    try:
        parts = parse_transaction_id(text)
    except ValueError:
        return None
    if parts.actor is not Actor.HUB or not parts.reference.isdecimal():
        return None
    number = int(parts.reference)
    return number if number <= _NUMBER_MAX else None


def _make(message_type: str, kind: IdentifierType, received_at_ms: int, number: int) -> str:
    return make_transaction_id(
        message_type,
        kind,
        Actor.HUB,
        organisation_id=_ORGANISATION,
        client_id=_CLIENT,
        now=datetime.fromtimestamp(received_at_ms / 1000, UTC),
        number=number,
    )
