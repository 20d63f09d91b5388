"""The pharmacy's side of the system: an async client that speaks both dialects, and its errors."""

from pharmacy_client.client import PharmacyClient
from pharmacy_client.errors import (
    AnswerTimeoutError,
    LoginRefusedError,
    NotOfferedError,
    PharmacyClientError,
    ProfileError,
    ProtocolError,
    ScanRefusedError,
    SystemUnreachableError,
)
from pharmacy_client.exchange import Exchange
from pharmacy_client.profile import Profile
from pharmacy_client.results import Advice, Category, Colour, Pong, Result

__all__ = [
    "Advice",
    "AnswerTimeoutError",
    "Category",
    "Colour",
    "Exchange",
    "LoginRefusedError",
    "NotOfferedError",
    "PharmacyClient",
    "PharmacyClientError",
    "Pong",
    "Profile",
    "ProfileError",
    "ProtocolError",
    "Result",
    "ScanRefusedError",
    "SystemUnreachableError",
]
