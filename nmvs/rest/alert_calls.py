"""The alert interface of the REST dialect, version 1.0: ask for a time, fetch what was found.

For the national organisation and authorities. Members are those of the list on the management
port (`nmvs.alert_view`), with this dialect's words for states and operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

from emvs.alert_states import AlertState
from emvs.errors import ConflictError, ForbiddenError, NotFoundError
from emvs.roles import Role
from emvs.states import Operation, State
from nmvs.alert_log import PAGE_COUNT_MAX, check_window
from nmvs.alert_routes import ProductCode, QueryMessage, alert_query
from nmvs.alert_view import list_entry
from nmvs.participants import Participant
from nmvs.reports.documents import Documents
from nmvs.reports.jobs import Job, JobKind, JobStatus
from nmvs.rest import document_codes as codes
from nmvs.rest.answers import STATE_NAMES
from nmvs.rest.messages import Refusal
from nmvs.rest.replies import RefusingCodes, code_reply, count_field, refusing, wire_time
from nmvs.rest.report_calls import NotMadeYet
from nmvs.rest.routes import OTHER_SPELLING, Call, Field, Reply, Route

API_VERSION: Final = "1.0"
"""The interface has a number of its own."""
_TAG: Final = f"Alerts, version {API_VERSION}"
_MAY_READ: Final = frozenset({Role.NMVO, Role.NCA})
_CODES: Final = RefusingCodes(codes.ALERTS_REQUEST_INVALID, codes.ALERTS_UNKNOWN)
_NUMBER: Final = {"type": "integer", "minimum": 1}
_PAGES: Final = (
    Field("page", "Counts from 1.", {**_NUMBER, "default": 1}),
    Field(
        "pageSize",
        "Alerts on a page.",
        {**_NUMBER, "maximum": PAGE_COUNT_MAX, "default": PAGE_COUNT_MAX},
    ),
)


Instant = Annotated[
    str,
    msgspec.Meta(extra_json_schema={"format": "date-time"}, examples=["2030-01-01T00:00:00.000Z"]),
]
ErrorCode = Annotated[
    str, msgspec.Meta(extra_json_schema={"examples": ["#A7"]}, pattern="^#?A[0-9]{1,2}$")
]


class AlertsRequest(msgspec.Struct, rename="camel"):
    """Body of a query: at most 31 days, ISO 8601. All members but the times are optional, and our
    addition."""

    start_timestamp: Instant
    end_timestamp: Instant
    error_code: ErrorCode | None = None
    product_code: ProductCode | None = None
    state: AlertState | None = None
    source_market: str | None = None


class AlertsAccepted(msgspec.Struct, kw_only=True, rename="camel"):
    """The answer to a query: its id in the spellings that clients read."""

    operation_code: str
    information: str
    request_i_d: str = msgspec.field(name="requestID")
    request_id: Annotated[str, msgspec.Meta(extra_json_schema={OTHER_SPELLING: True})]
    id: str
    eta: str


class AlertEntry(msgspec.Struct, kw_only=True, rename="camel"):
    """An alert. What is not recorded is null; members that are ours may follow."""

    alert_date_time: str
    unique_alert_id: str = msgspec.field(name="uniqueAlertID")
    error_code: str
    transaction_id: str = msgspec.field(name="transactionID")
    error_message: str
    attempted_operation: str
    organisation_id: str | None = msgspec.field(name="organisationID")
    client_id: str | None = msgspec.field(name="clientID")
    user_agent: str | None
    api_version: str | None
    manual_entry: bool
    operation_code: str
    event_message: str
    is_intermarket: bool
    number_of_dispense_attempts: int
    number_of_decommission_attempts: int
    product_code_scheme: str | None
    product_code: str | None
    product_name: str | None
    serial_number: str | None
    provided_batch_number: str | None
    provided_expiry_date: str | None
    stored_batch_number: str | None
    stored_expiry_date: str | None
    source_market: str | None
    source_location_id: str | None = msgspec.field(name="sourceLocationID")
    requested_pack_target_state: str | None
    current_pack_state: str | None
    pack_last_update_location_id: str | None = msgspec.field(name="packLastUpdateLocationID")
    pack_last_update_timestamp: str | None
    pack_last_update_market: str | None
    stored_n_h_r_n: str | None = msgspec.field(name="storedNHRN")
    source_business_process: str
    alert_recency_value: str | None


class AlertsPage(msgspec.Struct, kw_only=True, rename="camel"):
    """A page of what was found, oldest first."""

    operation_code: str
    information: str
    data: list[AlertEntry]
    pages: int
    is_truncated: bool
    """There are more: `fulldataset` gets them."""
    is_over_limit: bool
    """There are more even than that gets: ask for a shorter time."""


class AlertCalls:
    """Handlers."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    @refusing(_CODES)
    async def ask(self, call: Call) -> Reply:
        """Have alerts looked for."""
        _check_role(call.participant)
        body: AlertsRequest = call.body
        query = alert_query(msgspec.convert(body, QueryMessage, from_attributes=True))
        check_window(query.start, query.end)
        parameters = {
            "start": query.start.isoformat(),
            "end": query.end.isoformat(),
            "hubCode": query.hub_code,
            "productCode": query.product_code,
            "state": query.state,
            "market": query.market,
        }
        job = await self._documents.ask(call.participant, JobKind.ALERTS, parameters)
        return await self._accepted(call, job)

    @refusing(_CODES)
    async def page(self, call: Call) -> Reply:
        """Return a page of what was found."""
        job = await self._find(call)
        page = count_field(call, "page", 1, 1_000_000)
        page_size = count_field(call, "pageSize", PAGE_COUNT_MAX, PAGE_COUNT_MAX)
        if job.status is JobStatus.WAITING:
            eta = wire_time(await self._documents.eta())
            return code_reply(codes.ALERTS_NOT_READY, {"eta": eta})
        if job.status is JobStatus.FAILED:
            raise NotFoundError("the query has failed")
        # All ids of a result together are some megabyte at most.
        ids = b"".join([part async for part in self._documents.content(job)]).decode().split()
        start = (page - 1) * page_size
        rows = await self._documents.sources.alerts.details(ids[start : start + page_size])
        truncated = bool(job.facts["truncated"])
        members = {
            "data": [_wire_entry(list_entry(row)) for row in rows],
            "pages": -(-len(ids) // page_size),
            "isTruncated": truncated,
            "isOverLimit": truncated and bool(job.parameters.get("full")),
        }
        return code_reply(codes.ALERTS_FOUND, members, status=206 if truncated else 200)

    @refusing(_CODES)
    async def lift_truncation(self, call: Call) -> Reply:
        """Have the same looked for again, without the usual limit."""
        job = await self._find(call)
        try:
            if not job.parameters.get("full"):
                await self._documents.make_again(job, job.parameters | {"full": True})
        except ConflictError:
            eta = wire_time(await self._documents.eta())
            return code_reply(codes.ALERTS_NOT_READY, {"eta": eta})
        return await self._accepted(call, job)

    async def _find(self, call: Call) -> Job:
        _check_role(call.participant)
        return await self._documents.find(call.participant, JobKind.ALERTS, call.parameters["id"])

    async def _accepted(self, call: Call, job: Job) -> Reply:
        identifier = str(job.job_id)
        return code_reply(
            codes.ALERTS_ACCEPTED,
            {
                "requestID": identifier,
                "requestId": identifier,
                "id": identifier,
                "eta": wire_time(await self._documents.eta()),
            },
            headers={"Location": f"{call.base_url}/alerts/requests/{identifier}"},
        )


def alert_routes(documents: Documents) -> Sequence[Route]:
    """Return the rows of the alert interface."""
    calls = AlertCalls(documents)
    refused = {403: Refusal, 422: Refusal}
    found = {404: Refusal, 409: NotMadeYet, **refused}
    return (
        Route(
            "POST",
            "/alerts",
            "findAlerts",
            "Have the alerts of a time looked for",
            calls.ask,
            request=AlertsRequest,
            invalid_body_code=codes.ALERTS_REQUEST_INVALID,
            answers={202: AlertsAccepted, 429: Refusal, **refused},
            tag=_TAG,
            located=(202,),
        ),
        Route(
            "GET",
            "/alerts/requests/{id}",
            "getAlerts",
            "A page of the alerts found; 206 if there are more than the limit",
            calls.page,
            query=_PAGES,
            answers={200: AlertsPage, 206: AlertsPage, **found},
            tag=_TAG,
        ),
        Route(
            "POST",
            "/alerts/fulldataset/{id}",
            "liftTruncation",
            "Have all alerts of the time looked for, without the usual limit",
            calls.lift_truncation,
            answers={202: AlertsAccepted, **found},
            tag=_TAG,
            located=(202,),
        ),
    )


def _check_role(participant: Participant) -> None:
    if participant.role not in _MAY_READ:
        raise ForbiddenError(f"role {participant.role} may not read alerts")


def _wire_entry(entry: dict[str, Any]) -> dict[str, Any]:
    return entry | {
        "attemptedOperation": _operation_name(Operation[entry["attemptedOperation"]]),
        "requestedPackTargetState": _state_name(entry["requestedPackTargetState"]),
        "currentPackState": _state_name(entry["currentPackState"]),
    }


def _operation_name(operation: Operation) -> str:
    if operation is Operation.VERIFY:
        return "Verify"
    if operation is Operation.SUPPLY:
        return "Supply"
    return "Reactivate" if operation.is_undo else "Decommission"


def _state_name(name: str | None) -> str | None:
    return STATE_NAMES[State[name]] if name else None
