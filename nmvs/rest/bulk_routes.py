"""Bulk of pack and recovery: submit many packs, fetch what came of them. Parse, call, render.

The statuses are the contract: 202 with an absolute Location, 409 with an `eta` while the result is
not there, 200 with neither. Clients poll, some of them without a pause, so a 409 asks no database.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from functools import partial
from typing import Final
from uuid import UUID

from emvs.errors import OverloadedError
from emvs.infra.logs import get_logger
from emvs.outcomes import Outcome
from nmvs.bulk.engine import Bulk, Submission
from nmvs.bulk.jobs import Item
from nmvs.operations import Operations
from nmvs.recovery import Recovery
from nmvs.requests import PackRequest
from nmvs.rest import bulk_forms as forms
from nmvs.rest import codes
from nmvs.rest.answers import render_code
from nmvs.rest.body_memory import BodyMemory
from nmvs.rest.bulk_answers import instant, render_bulk, render_results
from nmvs.rest.bulk_forms import BULK, RECOVERY, BulkForm
from nmvs.rest.bulk_requests import BulkReader
from nmvs.rest.routes import Call, Reply, Route
from nmvs.rest.settings import RestSettings

BODY_BYTES_MAX: Final = 128 * 1024 * 1024
"""Half a million packs with 260 bytes each; they have some 150 (our choice)."""
_BODY_S_MAX: Final = 300.0
_RESULTS_AT_ONCE_MAX: Final = 32
"""Results that are sent at the same time; beyond, the client is told to come again (our choice)."""

_log = get_logger(__name__)


class BulkRoutes:
    """The four calls."""

    def __init__(
        self, bulk: Bulk, operations: Operations, settings: RestSettings, memory: BodyMemory
    ) -> None:
        self._bulk = bulk
        self._operations = operations
        self._settings = settings
        self._memory = memory
        self._results_count = 0

    def routes(self) -> list[Route]:
        """Return the rows of the route table."""
        return [*self._routes_of(BULK), *self._routes_of(RECOVERY)]

    def _routes_of(self, form: BulkForm) -> Iterator[Route]:
        name = "Recovery" if form.mixed else "Bulk"
        tag = "Recovery" if form.mixed else "Bulk of packs"
        yield Route(
            "POST",
            form.path,
            f"submit{name}",
            "Replay packs of an outage" if form.mixed else "Verify or change many packs",
            partial(self._submit, form),
            request=forms.RecoveryRequest if form.mixed else forms.BulkRequest,
            invalid_body_code=form.body_invalid,
            answers={202: forms.Accepted, 409: forms.Refused, 422: forms.Refused},
            tag=tag,
            located=(202,),
            body_bytes_max=BODY_BYTES_MAX,
            reads_body=True,
            body_s_max=_BODY_S_MAX,
            too_large_code=form.too_many,
        )
        yield Route(
            "GET",
            f"{form.path}/{{id}}",
            f"fetch{name}",
            "Fetch what came of the packs",
            partial(self._fetch, form),
            answers={200: forms.Delivered, 404: forms.Refused, 409: forms.NotReady},
            tag=tag,
        )

    async def _submit(self, form: BulkForm, call: Call) -> Reply:
        assert call.read_body is not None
        try:
            self._bulk.check_room(call.participant)
            with self._memory.hold() as note_size:
                body = await call.read_body(note_size)
                return await self._read_and_submit(form, call, body)
        except OverloadedError as error:
            headers = {"Retry-After": str(error.retry_after_s)}
            return Reply(429, render_code(codes.THROTTLED, call.language), headers)
        except Recovery.TROUBLE as error:
            _log.warning("bulk not accepted", action="bulk_refused", error=repr(error))
            return Reply(503, render_code(codes.TECHNICAL, call.language), {"Retry-After": "1"})

    async def _read_and_submit(self, form: BulkForm, call: Call, body: bytes | bytearray) -> Reply:
        reader = BulkReader(
            body,
            form,
            manual=call.entry_mode == "manual",
            packs_max=self._settings.bulk_packs_max,
        )
        pacer = self._bulk.pacer()
        for _ in reader.steps():
            await pacer.rest()
        if reader.refusal is not None:
            return _refusal(reader.refusal, call.language)
        operation, participant = reader.operation, call.participant
        if operation is not None and operation not in participant.permitted:
            return _refusal(codes.FIXED[Outcome.NOT_PERMITTED], call.language)
        if reader.twice is not None:
            return await self._refuse_twice(reader, reader.twice, call)
        job = await self._bulk.submit(Submission(form.kind, participant, reader.items, operation))
        body = render_bulk(
            form.accepted,
            call.language,
            eta=instant(self._bulk.eta(job)),
            expires=instant(job.expires_at),
        )
        return Reply(202, body, {"Location": f"{call.base_url}{form.path}/{job.job_id}"})

    async def _refuse_twice(self, reader: BulkReader, item: Item, call: Call) -> Reply:
        assert reader.operation is not None
        answer = await self._operations.refuse_twice(
            PackRequest(
                reader.operation,
                call.participant,
                item.scheme,
                item.product_code,
                item.serial_number,
                item.batch_id,
                item.expiry,
                item.manual,
                dialect=BULK.kind,
            )
        )
        assert answer.alert is not None
        code, alert_id = self._settings.bulk_duplicates_code, answer.alert.alert_id
        body = render_bulk(code, call.language, alertId=alert_id, uprc=alert_id)
        return Reply(codes.http_status(code), body)

    async def _fetch(self, form: BulkForm, call: Call) -> Reply:
        job_id = _read_id(call.parameters["id"])
        try:
            job = job_id and await self._bulk.find(job_id, call.participant, form.kind)
        except Recovery.TROUBLE as error:
            _log.warning("bulk not found", action="bulk_unavailable", error=repr(error))
            return Reply(503, render_code(codes.TECHNICAL, call.language), {"Retry-After": "1"})
        if not job:
            return _refusal(form.unknown, call.language)
        if not self._bulk.is_ready(job):
            eta = instant(self._bulk.eta(job))
            return Reply(409, render_bulk(form.not_ready, call.language, eta=eta))
        pieces = render_results(
            form,
            self._bulk.results(job),
            self._settings.ams_url,
            call.language,
            self._bulk.pacer().rest,
        )
        if job.slice_count == 1:
            return Reply(200, b"".join([piece async for piece in pieces]))
        if self._results_count >= _RESULTS_AT_ONCE_MAX:
            return Reply(429, render_code(codes.THROTTLED, call.language), {"Retry-After": "1"})
        return Reply(200, b"", stream=self._counted(pieces))

    async def _counted(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        self._results_count += 1
        try:
            async for piece in pieces:
                yield piece
        finally:
            self._results_count -= 1


def _refusal(code: str, language: str) -> Reply:
    return Reply(codes.http_status(code), render_bulk(code, language))


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
