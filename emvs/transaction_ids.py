"""Transaction identifiers of the EU Hub: 34 characters that tell message, direction and sender.

Message type 4, identifier type 2, actor 1, organisation 5, client 3, year 4, day of the year 3,
reference 12.

The first four parts are published; how the remaining 22 characters split is our choice. The pack
state messages have five-letter names against a stated width of four: their reference is a
character shorter, so that the whole stays at 34.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

LENGTH: Final = 34

MESSAGE_TYPES: Final = {
    "PMDR": "product master data",
    "PPDC": "product pack data, create",
    "PPDM": "product pack data, modify",
    "VBOP": "verify bulk of packs",
    "RCBR": "recall batch",
    "WDPR": "withdraw product",  # The published list has no name for it: ours.
    "RPLK": "link repackaged batches",  # Nor for this one.
    "PSUDC": "decommission packs",
    "PSUUD": "undo decommission",
    "PSURP": "decommission for repack",
    "PSUUR": "undo decommission for repack",
    "PSUEX": "export packs",
    "PSUUE": "undo export",
    "PSUDS": "dispense packs",
    "PSUUS": "undo dispense",
    "RPRQ": "request report",
    "RRRQ": "retrieve report",
    "RGST": "register session token",
    "RSST": "reset session token",
    "ORGR": "manage organisation account",
    "CLIR": "manage client account",
    "ALRT": "alert",
    "SBRS": "subscribe to reporting services",
    "SBPS": "subscribe to product services",
    "STVA": "status valid",
    "STIV": "status invalid",
    "STLD": "status loaded",
    "STDS": "status distributed",
    "STDF": "status distribution failed",
}

_BY_LENGTH: Final = sorted(MESSAGE_TYPES, key=len, reverse=True)
_TAIL: Final = re.compile(r"(RQ|AK|RS|TX)([MDPWNH])([0-9A-Z]{5})([0-9A-Z]{3})(\d{4})(\d{3})(.*)")
_REFERENCE: Final = re.compile(r"[0-9A-Za-z]+")


class IdentifierType(StrEnum):
    """What the identifier stands on."""

    REQUEST = "RQ"
    ACKNOWLEDGEMENT = "AK"
    RESPONSE = "RS"
    TRANSACTION = "TX"


class Actor(StrEnum):
    """Who made the identifier."""

    MANUFACTURER = "M"
    PARALLEL_DISTRIBUTOR = "D"
    PHARMACY = "P"
    WHOLESALER = "W"
    NATIONAL_SYSTEM = "N"
    HUB = "H"


class TransactionId(NamedTuple):
    """The parts of an identifier; `str()` puts them together."""

    message_type: str
    identifier_type: IdentifierType
    actor: Actor
    organisation_id: str
    client_id: str
    year: int
    day_of_year: int
    reference: str

    def __str__(self) -> str:
        return (
            f"{self.message_type}{self.identifier_type}{self.actor}"
            f"{self.organisation_id:0>5}{self.client_id:0>3}"
            f"{self.year:04}{self.day_of_year:03}{self.reference}"
        )


def reference_length(message_type: str) -> int:
    """Return how many characters the unique reference has in ids of this message type."""
    return 16 - len(message_type)


def make_transaction_id(
    message_type: str,
    identifier_type: IdentifierType,
    actor: Actor,
    *,
    organisation_id: str,
    client_id: str,
    now: datetime,
    number: int,
) -> str:
    """Return a new identifier whose reference is `number`, padded with zeroes.

    Raises ValueError if a part does not fit.
    """
    reference = f"{number:0{reference_length(message_type)}d}"
    text = str(
        TransactionId(
            message_type,
            identifier_type,
            actor,
            organisation_id,
            client_id,
            now.year,
            now.timetuple().tm_yday,
            reference,
        )
    )
    parse_transaction_id(text)
    return text


def parse_transaction_id(text: str) -> TransactionId:
    """Return the parts of an identifier.

    Raises ValueError with a sentence naming the part that is wrong.
    """
    if len(text) != LENGTH:
        raise ValueError(f"a transaction id has {LENGTH} characters, this one {len(text)}")
    message_type = next((name for name in _BY_LENGTH if text.startswith(name)), None)
    if message_type is None:
        raise ValueError(f"{text[:4]!r} is not a message type")
    match = _TAIL.fullmatch(text, len(message_type))
    if match is None:
        raise ValueError(
            f"after {message_type} come RQ, AK, RS or TX, an actor of MDPWNH, 5 characters of"
            " organisation, 3 of client, the year and the day of the year; what is sent to the hub"
            " has RQ, and M or, of a parallel distributor, D"
        )
    kind, actor, organisation, client, year, day, reference = match.groups()
    if not 1 <= int(day) <= 366:
        raise ValueError(f"{day} is not a day of the year")
    if not _REFERENCE.fullmatch(reference):
        raise ValueError("the unique reference holds letters and digits only")
    return TransactionId(
        message_type,
        IdentifierType(kind),
        Actor(actor),
        organisation,
        client,
        int(year),
        int(day),
        reference,
    )
