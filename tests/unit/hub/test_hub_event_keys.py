"""Which EPCIS event is which: by its eventID, or by what it says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hub.epcis.document import keys_of, take_apart
from hub.epcis.event_keys import KnownEvent, key_of

EVENT: dict[str, Any] = {
    "type": "ObjectEvent",
    "eventTime": "2026-11-22T10:00:00Z",
    "eventTimeZoneOffset": "+01:00",
    "action": "ADD",
    "bizStep": "commissioning",
    "epcList": ["urn:epc:id:sgtin:9506000.013437.A"],
    "ilmd": {"cbvmda:lotNumber": "L", "cbvmda:itemExpirationDate": "2030-12-31"},
}
NAMED = EVENT | {"eventID": "ni:///sha-256;a?ver=CBV2.0"}


@pytest.mark.parametrize(
    ("one", "other", "is_same_event", "says_the_same"),
    [
        (EVENT, dict(reversed(EVENT.items())), True, True),
        (EVENT, EVENT | {"recordTime": "2026-11-22T10:00:05Z"}, True, True),
        (EVENT, EVENT | {"eventTime": "2026-11-22T10:00:01Z"}, False, False),
        (EVENT, EVENT | {"ilmd": EVENT["ilmd"] | {"cbvmda:lotNumber": "M"}}, False, False),
        (EVENT, NAMED, False, True),
        (NAMED, NAMED | {"eventID": "urn:uuid:b"}, False, True),
        (NAMED, NAMED | {"action": "DELETE"}, True, False),
    ],
)
def test_the_same_event_has_the_same_key(
    one: Any, other: Any, is_same_event: bool, says_the_same: bool
) -> None:
    assert (key_of(one).key == key_of(other).key) is is_same_event
    assert (key_of(one).digest == key_of(other).digest) is says_the_same


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "null",
        "[]",
        '{"eventID": 5}',
        '{"a": 123456789012345678901234567890, "b": 1e300}',
        '{"eventID": "\\ud83d\\ude00"}',
        "[" * 400 + "]" * 400,
    ],
)
def test_whatever_json_has_in_an_events_place_has_a_key(text: str) -> None:
    event = msgspec.json.decode(text)
    assert key_of(event) == key_of(msgspec.json.decode(text))


async def test_a_repeat_is_left_out_and_another_event_with_its_id_is_wrong() -> None:
    other = EVENT | {"eventTime": "2026-11-22T11:00:00Z"}
    events = [NAMED, EVENT, EVENT, NAMED | {"action": "DELETE"}, other | {"eventID": 7}]
    keys = await keys_of(events)
    known = {keys[0].key: KnownEvent(keys[0].digest, "c1")}
    captured = await take_apart(events, keys, known, serials_per_message=10)
    assert [(one.place[-3:], one.capture_id) for one in captured.repeats] == [
        ("[0]", "c1"),
        ("[2]", None),
    ]
    assert [places for _, places in captured.events] == [{0}]
    assert [error["detail"].rpartition("[")[2] for error in captured.errors] == [
        "3].eventID`",
        "4].eventID`",
    ]
