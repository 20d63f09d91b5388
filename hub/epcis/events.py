"""What one EPCIS 2.0 event says: which packs were commissioned, which were taken out of use.

ObjectEvents with action ADD and business step commissioning bring packs, with lot number and expiry
date in `ilmd`. Those with action DELETE take packs out of use; which state that is, the table of
business steps and dispositions tells (our choice, as DELETE only says that the pack is no more).
A DELETE event has no ilmd: the batch stands in the event's `cbvmda:lotNumber` or in the links.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from emvs.epc_identifiers import PackEpc, parse_epc
from emvs.expiry import parse_expiry
from hub.epcis.event_keys import event_id_of

_SLICE_COUNT: Final = 2_048
_VOCABULARY: Final = re.compile(
    r"(?:urn:epcglobal:cbv:(?:bizstep|disp):|https://ref\.gs1\.org/cbv/(?:BizStep|Disp)-)?([a-z_]+)"
)
_ZONE: Final = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d")
_DAY: Final = re.compile(r"(?:19|20)(\d\d)-(\d\d)(?:-(\d\d))?(?:T.*)?")
_PREFIXES: Final = ("cbvmda:", "", "urn:epcglobal:cbv:mda#", "https://ref.gs1.org/cbv/mda/")
_BATCH_LENGTH_MAX: Final = 40
"""Twice what a rule lets through: a batch id stands in each message that an event becomes."""

OUT_OF_USE: Final[Mapping[str, tuple[str, str]]] = {
    "destroying": ("PSUDC", "Destroyed"),
    "destroyed": ("PSUDC", "Destroyed"),
    "decommissioning": ("PSUDC", "Destroyed"),
    "stolen": ("PSUDC", "Stolen"),
    "sampling": ("PSUDC", "Sample"),
    "dispensing": ("PSUDS", "Supplied"),
    "dispensed": ("PSUDS", "Supplied"),
    "exporting": ("PSUEX", "Exported"),
}
"""Disposition or business step to message type and state; the disposition is looked at first."""
_STATES: Final = {
    "Destroyed": "PSUDC",
    "Stolen": "PSUDC",
    "Locked": "PSUDC",
    "Sample": "PSUDC",
    "FreeSample": "PSUDC",
    "Exported": "PSUEX",
    "Supplied": "PSUDS",
    "CheckedOut": "PSURP",
}
"""What an event may ask for by name, in the extension `emvs:packState`."""


@dataclass(frozen=True, slots=True)
class Group:
    """What packs of one message have in common."""

    message_type: str
    """"PPDC" for packs that come: whether it is PPDC or PPDM, the hub's catalogue tells."""
    product_code: str
    batch_id: str
    expiry: str | None = None
    state: str | None = None


class EventError(Exception):
    """What is wrong with an event, and where."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(text)
        self.place = place


async def packs_of(event: Any, place: str) -> list[tuple[Group, str]]:
    """Return the packs of an event by serial number, each with its group. Raises EventError."""
    if not isinstance(event, dict):
        raise EventError(place, "an event is an object")
    if event.get("type") != "ObjectEvent":
        raise EventError(f"{place}.type", "only ObjectEvents are taken here")
    if event.get("errorDeclaration") is not None:
        text = "error declarations are not taken: a message undoes a state (PSUUD, PSUUE, PSUUS)"
        raise EventError(f"{place}.errorDeclaration", text)
    if event.get("eventID") is not None and event_id_of(event) is None:
        raise EventError(f"{place}.eventID", "an eventID is a URI")
    _check_time(event, place)
    read = _reader(event, place)
    listed = event.get("epcList")
    if not isinstance(listed, list) or not listed:
        raise EventError(f"{place}.epcList", "the event names no pack")
    found = []
    cached: dict[tuple[str, str | None, str | None], Group] = {}
    for index, text in enumerate(listed):
        at = f"{place}.epcList[{index}]"
        try:
            epc = parse_epc(text if isinstance(text, str) else "")
        except ValueError as error:
            raise EventError(at, f"{str(text)[:60]!a}: {error}") from error
        key = (epc.product_code, epc.batch_id, epc.expiry)
        group = cached.get(key)
        if group is None:
            group = cached[key] = read.group(epc, at)
        found.append((group, epc.serial_number))
        if index % _SLICE_COUNT == _SLICE_COUNT - 1:
            await asyncio.sleep(0)
    return found


def _check_time(event: dict[str, Any], place: str) -> None:
    time = event.get("eventTime")
    try:
        aware = isinstance(time, str) and datetime.fromisoformat(time).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise EventError(f"{place}.eventTime", "eventTime is a time with its zone, as in ISO 8601")
    zone = event.get("eventTimeZoneOffset")
    if not isinstance(zone, str) or _ZONE.fullmatch(zone) is None:
        raise EventError(f"{place}.eventTimeZoneOffset", "eventTimeZoneOffset is as +01:00")


@dataclass(frozen=True, slots=True)
class _Common:
    """What an event says of all its packs."""

    message_type: str
    batch_id: str | None
    expiry: str | None
    state: str | None
    place: str

    def group(self, epc: PackEpc, at: str) -> Group:
        batch_id = self.batch_id or epc.batch_id
        if batch_id is None:
            inside = f"{self.place}.ilmd" if self.message_type == "PPDC" else self.place
            text = "the batch is told nowhere: cbvmda:lotNumber, or /10/ in a link"
            raise EventError(inside, text)
        if len(batch_id) > _BATCH_LENGTH_MAX or not batch_id.isprintable():
            raise EventError(at, f"{batch_id[:_BATCH_LENGTH_MAX]!a} is no batch id")
        if epc.batch_id not in (None, batch_id):
            raise EventError(at, f"the link says batch {epc.batch_id!a}, the event {batch_id!a}")
        if self.message_type != "PPDC":
            return Group(self.message_type, epc.product_code, batch_id, state=self.state)
        expiry = self.expiry or epc.expiry
        if expiry is None:
            text = "the expiry date is told nowhere: cbvmda:itemExpirationDate, or ?17= in a link"
            raise EventError(f"{self.place}.ilmd", text)
        if epc.expiry not in (None, expiry):
            raise EventError(at, f"the link says expiry {epc.expiry!a}, the event {expiry!a}")
        return Group("PPDC", epc.product_code, batch_id, expiry)


def _reader(event: dict[str, Any], place: str) -> _Common:
    action, step = event.get("action"), _word(event.get("bizStep"))
    lots = event | (event["ilmd"] if isinstance(event.get("ilmd"), dict) else {})
    batch_id = _text_of(lots, "lotNumber")
    if action == "ADD" and step == "commissioning":
        expiry = _day(_text_of(lots, "itemExpirationDate"), place)
        return _Common("PPDC", batch_id, expiry, None, place)
    if action != "DELETE":
        raise EventError(
            f"{place}.action",
            "ADD with business step commissioning, and DELETE, are taken here, not"
            f" {str(action)[:20]!a} with {str(step)[:40]!a}",
        )
    wanted = event.get("emvs:packState")
    if wanted is not None:
        if wanted not in _STATES:
            raise EventError(f"{place}.emvs:packState", f"a state is one of {', '.join(_STATES)}")
        return _Common(_STATES[wanted], batch_id, None, wanted, place)
    for word in (_word(event.get("disposition")), step):
        if word is not None and word in OUT_OF_USE:
            message_type, state = OUT_OF_USE[word]
            return _Common(message_type, batch_id, None, state, place)
    known = ", ".join(OUT_OF_USE)
    raise EventError(
        f"{place}.bizStep", f"business step or disposition of a DELETE is one of {known}"
    )


def _word(value: Any) -> str | None:
    match = _VOCABULARY.fullmatch(value) if isinstance(value, str) else None
    return match and match.group(1)


def _text_of(members: dict[str, Any], name: str) -> str | None:
    found: Iterator[Any] = (members.get(prefix + name) for prefix in _PREFIXES)
    return next((text for text in found if isinstance(text, str) and text), None)


def _day(text: str | None, place: str) -> str | None:
    if text is None:
        return None
    match = _DAY.fullmatch(text)
    expiry = "".join(part or "00" for part in match.groups()) if match else ""
    if parse_expiry(expiry) is None:
        raise EventError(
            f"{place}.ilmd",
            f"{text[:40]!a} is no day: itemExpirationDate is YYYY-MM-DD, or YYYY-MM where the"
            " barcode has no day",
        )
    return expiry
