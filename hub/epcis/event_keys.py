"""Which event is which, so that one that was captured before is recognised. Pure.

With an `eventID`, which EPCIS 2.0 has be unique, that tells. Without one it is what the event says:
all its members but `recordTime`, in any order. Lists in another order are not the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

_NOT_SAID: Final = frozenset({"eventID", "recordTime"})
"""Members that are not what an event says."""


class EventKey(NamedTuple):
    """An event in the hub's memory."""

    key: bytes
    """The same for the same event."""
    digest: bytes
    """The same if it says the same."""


class KnownEvent(NamedTuple):
    """An event that was captured before."""

    digest: bytes
    capture_id: str | None
    """None: by the capture at hand."""


class Repeat(NamedTuple):
    """An event that is left out, as it was captured before."""

    place: str
    event_id: str | None
    capture_id: str | None
    """None: the event stands twice in one document."""


def event_id_of(event: Any) -> str | None:
    """Return the eventID of an event that has a usable one."""
    event_id = event.get("eventID") if isinstance(event, dict) else None
    return event_id if isinstance(event_id, str) and event_id else None


def document_digest(keys: Iterable[EventKey]) -> bytes:
    """Return what a document of these events has in common with its repeats alone."""
    digest = hashlib.sha256()
    for one in keys:
        digest.update(one.key + one.digest)
    return digest.digest()


def key_of(event: Any) -> EventKey:
    """Return the key of an event, whatever the document has in its place."""
    said = event
    if isinstance(event, dict):
        said = {name: value for name, value in event.items() if name not in _NOT_SAID}
    digest = hashlib.sha256(msgspec.json.encode(said, order="sorted")).digest()
    event_id = event_id_of(event)
    if event_id is None:
        return EventKey(digest, digest)
    return EventKey(hashlib.sha256(b"eventID " + event_id.encode()).digest(), digest)
