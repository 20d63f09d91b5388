"""What a message says once it is read: plain values, no XML. Nothing is decided here."""

from __future__ import annotations

from typing import Final, NamedTuple

from nmvs.soap.catalogue import Endpoint, Version


class Frame(NamedTuple):
    """What a reply repeats of the request's header."""

    client_login_id: str
    user_id: str
    sub_user_id: str | None
    client_transaction_id: str
    language: str


NOT_READ: Final = "NOT-READ"
"""Stands in a reply for an identifier that the request does not hold in readable form; it fits the
pattern of each of them, so that the reply fits the schema (our choice)."""


class PackCall(NamedTuple):
    """A request about one pack that fits the schema."""

    endpoint: Endpoint
    frame: Frame
    password: str
    scheme: str
    product_code: str
    serial_number: str
    batch_id: str | None
    expiry: str | None
    reference: str | None


class AccountCall(NamedTuple):
    """A request about the login itself, or its certificate, that fits the schema."""

    endpoint: Endpoint
    frame: Frame
    password: str
    values: tuple[str, ...]
    """Texts of the elements in its body, in their order; "" for an empty one."""


class DataCall(NamedTuple):
    """A request for data that are there, that fits the schema."""

    endpoint: Endpoint
    frame: Frame
    password: str
    product_codes: tuple[tuple[str, str], ...]
    """Schemes and codes of the products that are asked for; none for all."""
    number: int | None
    """Of the page, or of packs; None if the request does not tell."""


class PingCall(NamedTuple):
    """A ping that fits the schema."""

    endpoint: Endpoint
    text: str


class Refusal(NamedTuple):
    """A message that is no request, and what its sender is told."""

    code: str
    """Without the common prefix."""
    description: str
    version: Version
    endpoint: Endpoint | None
    """None if the message does not tell which operation it means, or means one whose reply has
    no place for a return code."""
    frame: Frame
    sender_at_fault: bool = True
    notifications: str = ""
    """XML of what else the sender is told."""


Call = PackCall | AccountCall | DataCall | PingCall
"""What a message may ask for."""
