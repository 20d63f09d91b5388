"""The pharmacy's side of the system: an async client that speaks both dialects, and its errors.

`PharmacyClient` asks once and tells what came of it; `Till` behaves as a good till does.
"""

from pharmacy_client.client import PharmacyClient
from pharmacy_client.errors import (
    AccountRefusedError,
    AnswerTimeoutError,
    BulkLostError,
    BulkRefusedError,
    LoginRefusedError,
    NotOfferedError,
    PharmacyClientError,
    ProfileError,
    ProtocolError,
    QueueFullError,
    QueueUnusableError,
    ScanRefusedError,
    SystemUnreachableError,
)
from pharmacy_client.exchange import Exchange
from pharmacy_client.offline_queue import OfflineQueue
from pharmacy_client.profile import Profile
from pharmacy_client.queue_waits import Reason, Wait
from pharmacy_client.results import Advice, Category, Colour, PackCall, Pong, Result
from pharmacy_client.till import Till

__all__ = [
    "AccountRefusedError",
    "Advice",
    "AnswerTimeoutError",
    "BulkLostError",
    "BulkRefusedError",
    "Category",
    "Colour",
    "Exchange",
    "LoginRefusedError",
    "NotOfferedError",
    "OfflineQueue",
    "PackCall",
    "PharmacyClient",
    "PharmacyClientError",
    "Pong",
    "Profile",
    "ProfileError",
    "ProtocolError",
    "QueueFullError",
    "QueueUnusableError",
    "Reason",
    "Result",
    "ScanRefusedError",
    "SystemUnreachableError",
    "Till",
    "Wait",
]
