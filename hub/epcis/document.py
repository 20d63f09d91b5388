"""An EPCIS 2.0 document taken apart: its events' packs in groups, of which messages are made.

What one event says is `hub.epcis.events`'.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from emvs.errors import BadRequestError
from hub.epcis.event_keys import EventKey, KnownEvent, Repeat, event_id_of, key_of
from hub.epcis.events import EventError, Group, packs_of
from hub.epcis.problems import problem

_SLICE_COUNT: Final = 2_048


@dataclass(slots=True)
class Captured:
    """What a document says."""

    event_count: int
    groups: list[tuple[Group, list[str]]] = field(default_factory=list)
    """In the order of the events; each with its serial numbers."""
    first_events: list[int] = field(default_factory=list)
    """Of each of these, the position of the first event in the document."""
    errors: list[dict[str, Any]] = field(default_factory=list)
    """At most one for each event."""
    events: list[tuple[EventKey, set[int]]] = field(default_factory=list)
    """Those that are taken; each with the places of its packs in `groups`."""
    repeats: list[Repeat] = field(default_factory=list)
    """Left out, as they were captured before."""

    def add_error(self, place: str, text: str) -> None:
        """Add what is wrong with an event."""
        self.errors.append(problem("Event not captured", f"{text} - at `{place}`"))


def events_of(document: Any) -> list[Any]:
    """Return the events of a document. Raises BadRequestError."""
    if not isinstance(document, dict) or document.get("type") != "EPCISDocument":
        raise BadRequestError('the body is an object with "type": "EPCISDocument" - at `$.type`')
    if not str(document.get("schemaVersion", "")).startswith("2."):
        raise BadRequestError("schemaVersion is 2.0 - at `$.schemaVersion`")
    body = document.get("epcisBody")
    events = body.get("eventList") if isinstance(body, dict) else None
    if not isinstance(events, list) or not events:
        raise BadRequestError("there is no event - at `$.epcisBody.eventList`")
    return events


async def keys_of(events: list[Any]) -> list[EventKey]:
    """Return the keys of events, giving others their turns."""
    keys = []
    for event in events:
        keys.append(key_of(event))
        await asyncio.sleep(0)
    return keys


async def take_apart(
    events: list[Any],
    keys: list[EventKey],
    known: Mapping[bytes, KnownEvent],
    *,
    serials_per_message: int,
) -> Captured:
    """Return what the events say, giving others their turns: there may be a quarter of a million
    packs. An event with something wrong is left out as a whole and told so, and so is one that is
    known by its key, or stands in the document before."""
    captured = Captured(len(events))
    sorter = _Sorter(captured.groups, serials_per_message)
    seen = dict(known)
    for position, (event, key) in enumerate(zip(events, keys, strict=True)):
        place = f"$.epcisBody.eventList[{position}]"
        try:
            if _is_repeat(event, key, seen, place):
                repeat = Repeat(place, event_id_of(event), seen[key.key].capture_id)
                captured.repeats.append(repeat)
                continue
            found = await packs_of(event, place)
        except EventError as error:
            captured.add_error(error.place, str(error))
            continue
        seen[key.key] = KnownEvent(key.digest, None)
        places: set[int] = set()
        for start in range(0, len(found), _SLICE_COUNT):
            for group, serial_number in found[start : start + _SLICE_COUNT]:
                places.add(sorter.add(group, serial_number))
            await asyncio.sleep(0)
        new_count = len(captured.groups) - len(captured.first_events)
        captured.first_events += [position] * new_count
        captured.events.append((key, places))
    return captured


def _is_repeat(event: Any, key: EventKey, seen: Mapping[bytes, KnownEvent], place: str) -> bool:
    """Tell whether an event was captured before. Raises EventError if another event has its
    eventID."""
    earlier = seen.get(key.key)
    if earlier is None:
        return False
    if earlier.digest != key.digest:
        by = f"capture {earlier.capture_id}" if earlier.capture_id else "this document"
        text = f"{str(event_id_of(event))[:60]!a} is the eventID of another event, of {by}"
        raise EventError(f"{place}.eventID", text)
    return True


class _Sorter:
    """Puts packs of one batch together as long as nothing else about the batch comes between."""

    def __init__(self, groups: list[tuple[Group, list[str]]], count_max: int) -> None:
        self._groups = groups
        self._count_max = count_max
        self._last: dict[tuple[str, str], int] = {}

    def add(self, group: Group, serial_number: str) -> int:
        """Add a pack; return the place of its group."""
        batch = (group.product_code, group.batch_id)
        place = self._last.get(batch)
        if place is not None:
            last, serial_numbers = self._groups[place]
            if last == group and len(serial_numbers) < self._count_max:
                serial_numbers.append(serial_number)
                return place
        place = self._last[batch] = len(self._groups)
        self._groups.append((group, [serial_number]))
        return place
