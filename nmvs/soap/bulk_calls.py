"""Bulk and mixed bulk: submit many packs, list what is open, fetch what came of them.

Holds no rule about packs: a submission becomes a job of `nmvs.bulk`, whose ticket is the
NMVSTrxId of the acknowledgement. What is refused here is refused as a whole, and nothing of it is
done; data that fit no pack are told once with the result, without a list.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final, NamedTuple
from uuid import UUID

from emvs.alerts import Alert
from emvs.character_sets import is_ifa_serial, is_set82
from emvs.errors import AllowanceSpentError, OverloadedError
from emvs.identifiers import check_identifiers
from emvs.infra.logs import get_logger
from emvs.outcomes import OUTCOMES, Outcome
from emvs.scheme import Scheme
from nmvs.bulk.engine import Bulk, Submission
from nmvs.bulk.jobs import Item, Job, Slices
from nmvs.operations import Operations
from nmvs.participants import Participant
from nmvs.recovery import Recovery
from nmvs.requests import Answer, PackRequest
from nmvs.soap.bulk_messages import SCHEMES, BulkCall, BulkPacks, CommonData, MixedItems
from nmvs.soap.bulk_render import (
    SUCCESS,
    JobHeader,
    render_answer_code,
    render_items,
    render_packs,
    render_tickets,
)
from nmvs.soap.catalogue import Endpoint, Shape
from nmvs.soap.codes import report_in
from nmvs.soap.interface import Interface
from nmvs.soap.render import render_around, render_reply, render_return_code
from nmvs.soap.settings import SoapSettings
from nmvs.soap.turns import Turns

BULK: Final = "soap-bulk"
MIXED: Final = "soap-mixed"
_RESULTS_AT_ONCE_MAX: Final = 32
_RESULTS_OF_ONE_CLIENT_MAX: Final = 8
"""Results that are sent at the same time; beyond, the client is told to come again (our choice)."""
_ITEMS_PER_STEP: Final = 250

Reply = bytes | AsyncGenerator[bytes, None]
"""A whole one, or one in pieces."""

_log = get_logger(__name__)


class _RefusedError(Exception):
    """A call is not taken; nothing was done."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class _Asker(NamedTuple):
    """A call, and what stands in its reply's header."""

    call: BulkCall
    participant: Participant
    notifications: str


class BulkCalls:
    """Answers calls about many packs whose login is good."""

    def __init__(self, bulk: Bulk, operations: Operations, settings: SoapSettings) -> None:
        self._bulk = bulk
        self._operations = operations
        self._settings = settings
        self._interface = Interface(settings.open_names)
        self._results = Turns(
            "results are being sent",
            count_max=_RESULTS_AT_ONCE_MAX,
            count_of_one_max=_RESULTS_OF_ONE_CLIENT_MAX,
        )

    async def answer(
        self, call: BulkCall, participant: Participant, notifications: str = ""
    ) -> Reply:
        """Return the reply. `notifications`: XML that belongs into its header."""
        asker = _Asker(call, participant, notifications)
        shape = call.endpoint.row.shape
        try:
            if shape.submits_many:
                return await self._submit(asker)
            if shape is Shape.TICKETS:
                return await self._list(asker)
            return await self._fetch(asker)
        except _RefusedError as refused:
            return self._refusal(asker, refused.code, refused.description)
        except OverloadedError as error:
            return self._overloaded(asker, error)
        except Recovery.TROUBLE as error:
            _log.warning("bulk not answered", action="bulk_unavailable", error=repr(error))
            return self._refusal(asker, "TE_REQ_01", OUTCOMES[Outcome.UNAVAILABLE].text)

    def refuse_unread(
        self, call: BulkCall, participant: Participant, notifications: str
    ) -> bytes | None:
        """Return the reply to a submission that is refused whatever its packs are, None if it is
        not."""
        asker = _Asker(call, participant, notifications)
        refusal = self._not_permitted(asker)
        if refusal is not None:
            return refusal
        try:
            self._bulk.check_room(participant)
        except OverloadedError as error:
            return self._overloaded(asker, error)
        return None

    def _not_permitted(self, asker: _Asker) -> bytes | None:
        endpoint = asker.call.endpoint
        if endpoint.operation is None or endpoint.operation in asker.participant.permitted:
            return None
        answer = self._operations.answer(Outcome.NOT_PERMITTED)
        return self._reply(asker, render_answer_code(endpoint, answer, {}))

    def _overloaded(self, asker: _Asker, error: OverloadedError) -> bytes:
        if isinstance(error, AllowanceSpentError):
            text = "The memory limit of this client is reached; fetch or wait, then try again"
            return self._refusal(asker, "FE_TX_07", text)
        return self._refusal(asker, "TE_TX_03", OUTCOMES[Outcome.OVERLOADED].text)

    def _refusal(self, asker: _Asker, code: str, description: str) -> bytes:
        told = report_in(asker.call.endpoint.version, code, description)
        return self._reply(asker, render_return_code(*told))

    def _reply(self, asker: _Asker, content: str, transaction_id: str | None = None) -> bytes:
        operations = self._operations
        return render_reply(
            asker.call.endpoint,
            asker.call.frame,
            transaction_id or operations.new_transaction_id(),
            operations.clock.now_ms(),
            content=content,
            notifications=asker.notifications,
        )

    async def _submit(self, asker: _Asker) -> bytes:
        call, participant = asker.call, asker.participant
        refusal = self._not_permitted(asker)
        if refusal is not None:
            return refusal
        header = JobHeader(
            call.endpoint.row.name,
            call.frame.client_transaction_id,
            client=call.frame.client_login_id,
        )
        if isinstance(call.packs, MixedItems):
            items = call.packs.slices
            self._check_count(items.item_count, "items", participant)
            submission = Submission(MIXED, participant, items, None, header.stored())
        else:
            assert call.packs is not None, "a submission has packs"
            self._check_count(len(call.packs.serials.numbers), "packs", participant)
            outcome = self._defect(call.packs)
            if outcome is not None:
                answer = self._operations.answer(outcome)
                return self._reply(asker, render_answer_code(call.endpoint, answer, {}))
            submission = await self._submission(asker, call.packs, header)
        job = await self._bulk.submit(submission)
        return self._reply(asker, SUCCESS, job.job_id.hex)

    def _check_count(self, count: int, what: str, participant: Participant) -> None:
        count_max = self._settings.bulk_packs_max
        if count > count_max:
            raise _RefusedError("FE_TX_07", f"{count} {what} are too many, at most {count_max}")
        self._bulk.check_room(participant, count)

    @staticmethod
    def _defect(packs: BulkPacks) -> Outcome | None:
        """Return what is wrong with a bulk, whatever is stored."""
        common = packs.common
        defect = check_identifiers(
            SCHEMES[common.scheme],
            common.product_code,
            "0",  # Serial numbers are each pack's own matter.
            common.batch_id,
            common.expiry,
            manual=False,
        )
        if defect is not None:
            return defect
        return None if packs.serials.twice is None else Outcome.SERIAL_TWICE

    async def _submission(self, asker: _Asker, packs: BulkPacks, header: JobHeader) -> Submission:
        operation, common = asker.call.endpoint.operation, packs.common
        assert operation is not None, "a bulk has one operation"
        wrong = None
        if not self._bulk.settings.intermarket:  # Else another market may know them.
            wrong = await self._operations.refuse_common(
                PackRequest(
                    operation,
                    asker.participant,
                    SCHEMES[common.scheme],
                    common.product_code,
                    packs.serials.numbers[0],
                    common.batch_id,
                    common.expiry,
                    client_transaction_id=header.client_transaction_id,
                    dialect=BULK,
                )
            )
        header = header._replace(common=common)
        slices = Slices()
        if wrong is not None:
            alert_id = wrong.alert.alert_id if wrong.alert is not None else None
            header = header._replace(wrong=(int(wrong.outcome), alert_id))
        else:
            await self._slice(packs, header.client_transaction_id, slices)
        return Submission(BULK, asker.participant, slices, operation, header.stored())

    async def _slice(self, packs: BulkPacks, transaction_id: str, slices: Slices) -> None:
        common, scheme = packs.common, SCHEMES[packs.common.scheme]
        pacer = self._bulk.pacer()
        for number, serial_number in enumerate(packs.serials.numbers, 1):
            slices.add(_item(common, scheme, serial_number, transaction_id))
            if number % _ITEMS_PER_STEP == 0:
                await pacer.rest()

    async def _list(self, asker: _Asker) -> bytes:
        client = asker.call.frame.client_login_id
        jobs = await self._bulk.open_jobs_of(asker.participant, (BULK, MIXED), client)
        bulk = render_tickets("BulkTransactionList", [job for job in jobs if job.kind == BULK])
        mixed = render_tickets(
            "MixedBulkTransactionList", [job for job in jobs if job.kind == MIXED]
        )
        return self._reply(asker, f"{bulk}{mixed}{SUCCESS}")

    async def _fetch(self, asker: _Asker) -> Reply:
        call, client = asker.call, asker.call.frame.client_login_id
        kind = BULK if call.endpoint.row.shape is Shape.BULK_RESULT else MIXED
        job_id = _read_ticket(call.ticket or "")
        job = job_id and await self._bulk.find(job_id, asker.participant, kind)
        # Only the client that submitted may read it (inferred).
        owner = JobHeader.read(job.header).client if job else None
        if not job or not self._bulk.is_ready(job) or owner not in (None, client):
            raise _RefusedError("FE_TX_02", "There is no result for this id, or not yet")
        pieces = self._result(asker, job)
        if job.slice_count <= 1:
            return b"".join([piece async for piece in pieces])
        self._results.check(client)
        return self._counted(client, pieces)

    async def _result(self, asker: _Asker, job: Job) -> AsyncGenerator[bytes, None]:
        call, header = asker.call, JobHeader.read(job.header)
        endpoint, codes = call.endpoint, self._settings.verify_codes
        operations, slices = self._operations, self._bulk.results(job)
        head, tail = render_around(
            endpoint,
            call.frame,
            operations.new_transaction_id(),
            operations.clock.now_ms(),
            notifications=asker.notifications,
            req_type=header.req_type if job.kind == BULK else "",
        )
        code, rest = SUCCESS, self._bulk.pacer().rest
        submitted = self._submitted_as(header, endpoint)
        if header.wrong is not None:
            code = render_answer_code(submitted, _stored_answer(*header.wrong), {})
            async for _ in slices:
                raise AssertionError("such a job has no packs")
        else:
            if job.kind == MIXED:
                pieces = render_items(job, slices, endpoint.version, codes, rest)
            else:
                pieces = render_packs(job, slices, submitted, codes, rest)
            async for piece in pieces:
                # The head waits for the first packs: trouble with them can still be told.
                yield head + piece.encode()
                head = b""
        yield head + code.encode() + tail

    def _submitted_as(self, header: JobHeader, asked: Endpoint) -> Endpoint:
        """Return what submitted a job, in the version it is asked for in if that has it."""
        found = self._interface.find_endpoint(header.req_type, asked.version)
        return found or asked

    async def _counted(
        self, client: str, pieces: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        with self._results.take(client):
            async for piece in pieces:
                yield piece


def _item(common: CommonData, scheme: Scheme, serial_number: str, transaction_id: str) -> Item:
    # What else identifies the pack has been found well-formed.
    is_valid = is_set82 if scheme is Scheme.GTIN else is_ifa_serial
    return Item(
        scheme=scheme,
        product_code=common.product_code,
        serial_number=serial_number,
        batch_id=common.batch_id,
        expiry=common.expiry,
        client_transaction_id=transaction_id,
        reference_transaction_id=common.reference,
        defect="" if is_valid(serial_number) else Outcome.SERIAL_INVALID.name,
    )


def _read_ticket(text: str) -> UUID | None:
    try:
        return UUID(hex=text) if len(text) == 32 and text.isalnum() else None
    except ValueError:
        return None


def _stored_answer(outcome: int, alert_id: str | None) -> Answer:
    alert = Alert(alert_id, "") if alert_id else None
    return Answer(Outcome(outcome), "", 0, alert=alert)
