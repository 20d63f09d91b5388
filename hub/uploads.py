"""An upload as it is taken in: bytes to message, and the form in which it is stored.

Only the form is judged here (HTTP 400, 413); what a message says is judged later, by the rules,
and answered with a status.
"""

from __future__ import annotations

import dataclasses
import hashlib
from functools import cache
from types import UnionType
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from emvs.errors import BadRequestError, TooLargeError
from emvs.infra.web import decode_body
from emvs.obp_messages import (
    LinkMessage,
    PacksMessage,
    ProductMessage,
    RecallMessage,
    WithdrawalMessage,
)
from emvs.state_messages import PacksOfBatch, StateUpdateMessage, VerifyMessage
from hub.state_rules import UPDATE_KINDS, VERIFY

CatalogueMessage = ProductMessage | PacksMessage | RecallMessage | WithdrawalMessage
Message = CatalogueMessage | LinkMessage | PacksOfBatch


class MessageKind(NamedTuple):
    """A message type that the hub takes."""

    message: type[Any]
    body_bytes_max: int
    """The configuration's limit holds as well."""


_WITH_SERIALS: Final = 1 << 40
_MEGABYTE: Final = 1 << 20

MESSAGE_KINDS: Final = {
    # A product on all markets with full lists of wholesalers is the largest message but packs.
    "PMDR": MessageKind(ProductMessage, 16 * _MEGABYTE),
    "PPDC": MessageKind(PacksMessage, _WITH_SERIALS),
    "PPDM": MessageKind(PacksMessage, _WITH_SERIALS),
    "RCBR": MessageKind(RecallMessage, _MEGABYTE),
    "WDPR": MessageKind(WithdrawalMessage, _MEGABYTE),
    "RPLK": MessageKind(LinkMessage, _MEGABYTE),
    **dict.fromkeys(UPDATE_KINDS, MessageKind(StateUpdateMessage, _WITH_SERIALS)),
    VERIFY: MessageKind(VerifyMessage, _WITH_SERIALS),
}
SERIAL_MESSAGES: Final = frozenset(
    name for name, kind in MESSAGE_KINDS.items() if kind.body_bytes_max == _WITH_SERIALS
)
"""Types of messages with serial numbers."""
PACKS_OF_BATCH_TYPES: Final = frozenset({*UPDATE_KINDS, VERIFY})
"""Types of messages about packs that were uploaded before."""
_IDENTIFIER_SHOWN_MAX: Final = 40


class Upload(NamedTuple):
    """A message in the form in which it is stored: serial numbers apart from the rest."""

    message_type: str
    transaction_id: str
    message: bytes
    """JSON, with an empty list of serial numbers."""
    serials: bytes | None
    """JSON array of serial numbers; None where the message has none."""
    serial_count: int
    digest: bytes
    """Of the content: the same message, written differently, has the same."""
    product_code: str | None
    batch_id: str | None


def read_upload(message_type: str, body: bytes, *, serials_max: int) -> Upload:
    """Return the upload in a body.

    Raises BadRequestError naming the wrong member, TooLargeError beyond `serials_max`.
    """
    message = read_message(message_type, body)
    serials = None
    serial_count = 0
    if isinstance(message, PacksMessage | PacksOfBatch):
        serial_count = len(message.serialNumbers)
        refuse_too_many(message_type, serial_count, serials_max)
        serials = msgspec.json.encode(message.serialNumbers)
        message.serialNumbers = []
    return upload_of(message_type, message, serials, serial_count)


def read_message(message_type: str, body: bytes) -> Message:
    """Return the message in a JSON body. Raises BadRequestError naming the wrong member."""
    kind = MESSAGE_KINDS[message_type].message
    refuse_unknown_members(body, kind, "$")
    message: Message = decode_body(body, kind)
    return message


def refuse_too_many(message_type: str, serial_count: int, serials_max: int) -> None:
    """Raise TooLargeError if a message has more serial numbers than are taken."""
    if serial_count > serials_max:
        is_upload = MESSAGE_KINDS[message_type].message is PacksMessage
        how = ", the first as PPDC, the others as PPDM" if is_upload else ""
        raise TooLargeError(
            f"the message has {serial_count} serial numbers, at most {serials_max} are taken:"
            f" split it{how}"
        )


def upload_of(
    message_type: str, message: Message, serials: bytes | None, serial_count: int
) -> Upload:
    """Return a message as it is stored; `serials` is the JSON array of its serial numbers, which
    are no longer in it."""
    text = msgspec.json.encode(message)
    digest = hashlib.sha256(text)
    digest.update(serials or b"")
    return Upload(
        message_type,
        message.transactionId,
        text,
        serials,
        serial_count,
        digest.digest(),
        _shown(getattr(message, "productCode", None)),
        _shown(getattr(message, "batchId", None)),
    )


def stored_message(message_type: str, text: bytes, serials: bytes | None) -> Message:
    """Return the message that `read_upload` took apart."""
    message: Message = msgspec.json.decode(text, type=MESSAGE_KINDS[message_type].message)
    if isinstance(message, PacksMessage | PacksOfBatch) and serials is not None:
        message.serialNumbers = msgspec.json.decode(serials, type=list[str])
    return message


def _shown(identifier: str | None) -> str | None:
    # Not yet checked: an overlong or unprintable one is not worth a column.
    if identifier and len(identifier) <= _IDENTIFIER_SHOWN_MAX and identifier.isprintable():
        return identifier
    return None


def refuse_unknown_members(body: bytes | msgspec.Raw, kind: Any, path: str) -> None:
    """Raise BadRequestError if a JSON message has a member that its dataclass has not."""
    # A misspelt optional member would be lost without a word. `decode_body` reports all else, so
    # whatever is not an object is left to it. Serial numbers are skipped over, not decoded.
    nested = _members(kind)
    try:
        members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    for name, value in members.items():
        if name not in nested:
            raise BadRequestError(f"{name!a} is not a member of the message - at `{path}`")
        inner = nested[name]
        if inner is None:
            continue
        for position, element in enumerate(_elements(value)):
            index = f"[{position}]" if element is not value else ""
            refuse_unknown_members(element, inner, f"{path}.{name}{index}")


def _elements(value: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(value, type=list[msgspec.Raw])
    except msgspec.MsgspecError:
        return [value]


@cache
def _members(kind: Any) -> dict[str, type[Any] | None]:
    """Return the names of a message's members, each with the dataclass inside it, if any."""
    hints = get_type_hints(kind)
    return {field.name: _dataclass_in(hints[field.name]) for field in dataclasses.fields(kind)}


def _dataclass_in(hint: Any) -> type[Any] | None:
    parts = get_args(hint) if isinstance(hint, UnionType) or get_origin(hint) is list else (hint,)
    found = (part for part in parts if isinstance(part, type) and dataclasses.is_dataclass(part))
    return next(found, None)
