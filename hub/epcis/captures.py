"""A capture from its document to its requests, and what became of it.

The requests are ordinary ones: stored together, looked at in their turn, distributed, told about.
The hub makes their transaction ids. With the behaviour `rollback` they are loaded together or not
at all (`hub.loading`); with `proceed` each by itself, and events with something wrong are left
out.
"""

from __future__ import annotations

import asyncio
import secrets
import string
from typing import Any, Final

import msgspec

from emvs.errors import BadRequestError, NotFoundError
from emvs.infra.clock import Clock
from emvs.transaction_ids import IdentifierType, TransactionId, reference_length
from hub.epcis.document import Captured, events_of, keys_of, take_apart
from hub.epcis.event_keys import document_digest
from hub.epcis.events import Group
from hub.epcis.problems import problem
from hub.organisations import ACTORS, Client
from hub.paging import Order, Page
from hub.reception import Reception
from hub.store import captures as store
from hub.store.captured_events import CapturedEvent, known_events, put_events
from hub.store.captures import CaptureRequestRow, CaptureRow
from hub.store.catalogue import batch_facts
from hub.store.connections import Connection, Pool
from hub.times import utc
from hub.uploads import Upload, read_message, upload_of

ROLLBACK: Final = "rollback"
PROCEED: Final = "proceed"
EVENTS_MAX: Final = 10_000
"""Events in one capture (our choice), told by `GS1-EPCIS-Capture-Limit`."""
MESSAGES_MAX: Final = 1_000
"""Messages that one capture may become (our choice)."""
_REFERENCE: Final = string.digits + string.ascii_uppercase
_LISTED_MAX: Final = 100
"""Errors of each job in a list of them, and repeats."""


class Captures:
    """Takes in documents and tells of them."""

    def __init__(
        self, *, pool: Pool, clock: Clock, reception: Reception, serials_per_message: int
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._reception = reception
        self._serials_per_message = serials_per_message
        self._one_at_a_time = asyncio.Lock()
        """Of two captures about one new batch, the second sees what the first has sent."""

    async def capture(self, body: bytes, client: Client, behaviour: str) -> str:
        """Store a document's events as requests; return the capture's id, for a repeated document
        that of the first.

        Events that were captured before are left out. Raises BadRequestError if it is no document,
        OverloadedError if there is no room: nothing is stored then.
        """
        if behaviour not in (ROLLBACK, PROCEED):
            raise BadRequestError("GS1-Capture-Error-Behaviour is rollback or proceed")
        try:
            document = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadRequestError(f"the body is no JSON: {error}") from error
        await asyncio.sleep(0)
        events = events_of(document)
        if len(events) > EVENTS_MAX:
            raise CaptureTooLargeError(f"at most {EVENTS_MAX} events are taken in one capture")
        keys = await keys_of(events)
        async with self._one_at_a_time:
            known = await known_events(
                self._pool, client.organisation_id, [one.key for one in keys]
            )
            captured = await take_apart(
                events, keys, known, serials_per_message=self._serials_per_message
            )
            del document, events
            if len(captured.groups) > MESSAGES_MAX:
                raise CaptureTooLargeError(
                    f"the events make {len(captured.groups)} messages, at most {MESSAGES_MAX} are"
                    " taken"
                )
            digest = document_digest(keys)
            earlier = await self._earlier(captured, digest, client, behaviour)
            return earlier or await self._store(captured, digest, client, behaviour)

    async def _earlier(
        self, captured: Captured, digest: bytes, client: Client, behaviour: str
    ) -> str | None:
        """Return the id of the capture that this one repeats, None if it does not."""
        if captured.events or not captured.repeats:
            return None
        return await store.find_repeated(self._pool, client.organisation_id, digest, behaviour)

    async def _store(
        self, captured: Captured, digest: bytes, client: Client, behaviour: str
    ) -> str:
        is_nothing = bool(captured.errors) and behaviour == ROLLBACK
        groups = [] if is_nothing else captured.groups
        uploads = await self._uploads(groups, client)
        capture = CaptureRow(
            0,
            secrets.token_hex(16),
            client.organisation_id,
            behaviour,
            self._clock.now_ms(),
            captured.event_count,
            captured.errors,
            len(captured.repeats),
            captured.repeats[:_LISTED_MAX],
            digest,
        )

        async def note(connection: Connection, request_numbers: list[int]) -> None:
            number = await store.insert_capture(connection, capture)
            if not is_nothing:
                events = (
                    CapturedEvent(key, [request_numbers[place] for place in sorted(places)])
                    for key, places in captured.events
                )
                await put_events(
                    connection, client.organisation_id, number, events, capture.created_at_ms
                )
            await store.insert_capture_requests(
                connection,
                number,
                list(zip(request_numbers, captured.first_events, strict=False)),
                is_rollback=behaviour == ROLLBACK,
            )

        await self._reception.accept_together(uploads, client, note)
        return capture.capture_id

    async def _uploads(self, groups: list[tuple[Group, list[str]]], client: Client) -> list[Upload]:
        made: set[tuple[str, str]] = set()
        uploads = []
        for group, serial_numbers in groups:
            message_type, batch = group.message_type, (group.product_code, group.batch_id)
            members: dict[str, Any] = {"productCode": batch[0], "batchId": batch[1]}
            if message_type == "PPDC":
                members["expiry"] = group.expiry
                if batch in made or await self._is_known(client, *batch):
                    message_type = "PPDM"
                else:
                    made.add(batch)
                    members["manufacturer"] = await store.manufacturer_of(self._pool, batch[0])
            else:
                members["state"] = group.state
            members["transactionId"] = self._transaction_id(message_type, client)
            message = read_message(message_type, msgspec.json.encode(members))
            serials = msgspec.json.encode(serial_numbers)
            uploads.append(upload_of(message_type, message, serials, len(serial_numbers)))
            await asyncio.sleep(0)
        return uploads

    async def _is_known(self, client: Client, product_code: str, batch_id: str) -> bool:
        # In this order: what was no longer coming at the first look is there at the second.
        owner = client.organisation_id
        if await store.is_batch_coming(self._pool, owner, product_code, batch_id):
            return True
        return await batch_facts(self._pool, product_code, batch_id) is not None

    def _transaction_id(self, message_type: str, client: Client) -> str:
        now = self._clock.now()
        length = reference_length(message_type) - 1
        reference = "E" + "".join(secrets.choice(_REFERENCE) for _ in range(length))
        return str(
            TransactionId(
                message_type,
                IdentifierType.REQUEST,
                ACTORS[client.kind],
                client.organisation_id,
                client.client_id,
                now.year,
                now.timetuple().tm_yday,
                reference,
            )
        )

    async def job(self, capture_id: str, client: Client) -> dict[str, Any]:
        """Return how a capture stands. Raises NotFoundError."""
        row = await store.find_capture(self._pool, capture_id)
        if row is None or row.organisation_id != client.organisation_id:
            raise NotFoundError("there is no capture with this id")
        requests = await store.requests_of(self._pool, row.number)
        return _job(row, requests, errors_max=EVENTS_MAX)

    async def page(
        self, client: Client, *, after: int, count: int
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Return some of the organisation's captures, the newest first, and after which one the
        next page begins."""
        page = Page(after, count + 1, Order.NEWEST)
        rows = await store.list_captures(self._pool, client.organisation_id, page)
        jobs = [
            _job(row, await store.requests_of(self._pool, row.number), errors_max=_LISTED_MAX)
            for row in rows[:count]
        ]
        return jobs, rows[count - 1].number if len(rows) > count else None


class CaptureTooLargeError(BadRequestError):
    """More than one capture may hold."""

    http_status = 413
    title = "Capture limit exceeded"


def _defect(defect: dict[str, Any], request: CaptureRequestRow) -> str:
    value = "" if defect["value"] is None else f" {defect['value']!a}"
    place = f"{defect['field']}{value} of {request.transaction_id}"
    if request.first_event is not None:
        place += f", made from `$.epcisBody.eventList[{request.first_event}]` on"
    return f"{defect['text']} - {place}"


def _job(row: CaptureRow, requests: list[CaptureRequestRow], *, errors_max: int) -> dict[str, Any]:
    running = not all(request.checked for request in requests)
    errors = row.errors[:errors_max]
    for request in requests:
        for defect in request.defects[: max(0, errors_max - len(errors))]:
            detail = _defect(defect, request)
            title = f"{defect['code'] or 'Warning'} {defect['rule']}"
            errors.append(problem(title, detail))
    invalid = any(request.last_step == "STIV" for request in requests)
    finished_ms = max(
        (request.checked_at_ms or 0 for request in requests), default=row.created_at_ms
    )
    return {
        "captureID": row.capture_id,
        "createdAt": utc(row.created_at_ms),
        "finishedAt": None if running else utc(finished_ms),
        "running": running,
        "success": not running and not errors and not invalid,
        "captureErrorBehaviour": row.behaviour,
        "errors": errors,
        "emvs:errorCount": len(row.errors) + sum(request.defect_count for request in requests),
        "emvs:repeatCount": row.repeat_count,
        "emvs:repeats": [
            {
                "event": repeat.place,
                "eventID": repeat.event_id,
                "captureID": repeat.capture_id or row.capture_id,
            }
            for repeat in row.repeats
        ],
        "emvs:requests": [
            {
                "transactionId": request.transaction_id,
                "messageType": request.message_type,
                "productCode": request.product_code,
                "batchId": request.batch_id,
                "serialCount": request.serial_count,
                "status": request.last_step or "Accepted",
            }
            for request in requests
        ],
    }
