"""The report interface of the REST dialect: types, requests, lists, and the reports as CSV.

Paths and members are those that a public client uses; `eta` with a 409 for what is not ready is
the contract of the bulk calls, which it follows. Has version numbers of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec

from emvs.errors import BadRequestError, NotFoundError
from nmvs.reports.definitions import (
    REPORT_TYPES,
    ReportType,
    checked_parameters,
    find_type,
    read_time,
)
from nmvs.reports.documents import Documents, scope_of
from nmvs.reports.jobs import Job, JobKind, JobStatus
from nmvs.reports.limits import TEXT_LENGTH_MAX
from nmvs.rest import document_codes as codes
from nmvs.rest.messages import Refusal
from nmvs.rest.replies import RefusingCodes, code_reply, refusing, wire_time
from nmvs.rest.routes import OTHER_SPELLING, Call, Field, Reply, Route
from nmvs.rest.streaming import begun

API_VERSION: Final = "3.4"
"""The version that a public client asks for; the interface has a number of its own."""
_TAG: Final = f"Reports, version {API_VERSION}"
_CODES: Final = RefusingCodes(codes.REPORT_REQUEST_INVALID, codes.REPORT_UNKNOWN)
_FILTERS: Final = (
    Field("fromDate", "Asked for on or after this day or instant.", {"type": "string"}),
    Field("toDate", "Asked for until the end of this day, or before this instant."),
    Field("reportType", "Id of a type."),
    Field("requestedBy", "Exactly this."),
    Field("title", "Exactly this name."),
)
_DAY_LENGTH: Final = len("2030-01-01")
"""No time of day is shorter; a day without hyphens is."""

TypeId = Annotated[
    str,
    msgspec.Meta(max_length=TEXT_LENGTH_MAX, extra_json_schema={"examples": list(REPORT_TYPES)}),
]
Text = Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX)]
OtherSpelling = Annotated[
    str, msgspec.Meta(max_length=TEXT_LENGTH_MAX, extra_json_schema={OTHER_SPELLING: True})
]


class ReportRequest(msgspec.Struct):
    """Body of a request for a report. A public client writes blanks in the names; `reportTypeId`
    and `requestedBy` are understood as well."""

    type_id_blanks: TypeId = msgspec.field(default="", name="report Type Id")
    type_id: OtherSpelling = msgspec.field(default="", name="reportTypeId")
    name: Text = ""
    requested_by_blanks: Text = msgspec.field(default="", name="requested By")
    requested_by: OtherSpelling = msgspec.field(default="", name="requestedBy")
    parameters: dict[str, str | bool | int | None] | None = None


class ReportParameter(msgspec.Struct, kw_only=True):
    """What the asker chooses."""

    name: str
    type: str
    """dateTime, date or boolean."""
    required: bool
    description: str


class ReportTypeEntry(msgspec.Struct, kw_only=True, rename="camel"):
    """A type of reports."""

    id: str
    name: str
    description: str
    requestable: bool
    """False: made by the system alone."""
    parameters: list[ReportParameter]


class ReportTypes(msgspec.Struct, kw_only=True, rename="camel"):
    """The types that the caller may have."""

    operation_code: str
    report_types: list[ReportTypeEntry]


class ReportTypeDefinition(ReportTypeEntry, kw_only=True, rename="camel"):
    """One type."""

    operation_code: str


class ReportAccepted(msgspec.Struct, kw_only=True, rename="camel"):
    """The answer to a request for a report."""

    operation_code: str
    information: str
    id: str
    uri: str
    eta: str
    expires: str


class ReportEntry(msgspec.Struct, kw_only=True, rename="camel"):
    """A report in a list."""

    id: str
    uri: str
    report_type_id: str
    name: str
    title: str
    requested_by: str
    requested_at: str
    status: str
    """waiting, ready or failed."""
    expires: str


class Reports(msgspec.Struct, kw_only=True, rename="camel"):
    """Reports that the caller may have, the newest first."""

    operation_code: str
    reports: list[ReportEntry]


class NotMadeYet(msgspec.Struct, kw_only=True, rename="camel"):
    """What was asked for is not made yet: come back at `eta`."""

    operation_code: str
    information: str | None = None
    warning: str | None = None
    eta: str


class ReportCalls:
    """Handlers."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    @refusing(_CODES)
    async def types(self, call: Call) -> Reply:
        """Return the types that the caller may have."""
        known = [row for row in REPORT_TYPES.values() if call.participant.role in row.scopes]
        return code_reply(codes.REPORTS_LISTED, {"reportTypes": [_type(row) for row in known]})

    @refusing(RefusingCodes(codes.REPORT_REQUEST_INVALID, codes.REPORT_TYPE_UNKNOWN))
    async def type(self, call: Call) -> Reply:
        """Return one type."""
        kind = _found(call.parameters["id"])
        scope_of(kind, call.participant)
        return code_reply(codes.REPORTS_LISTED, _type(kind))

    @refusing(RefusingCodes(codes.REPORT_PARAMETERS_INVALID, codes.REPORT_TYPE_UNKNOWN))
    async def request(self, call: Call) -> Reply:
        """Have a report made."""
        asked: ReportRequest = call.body
        type_id = asked.type_id_blanks or asked.type_id
        if not type_id:
            return code_reply(codes.REPORT_REQUEST_INVALID, text="the report type id is missing")
        kind = _found(type_id)
        scope_of(kind, call.participant)
        if not kind.requestable:
            raise BadRequestError(f"{kind.identifier} is made by the system, once a day")
        job = await self._documents.ask(
            call.participant,
            JobKind.REPORT,
            checked_parameters(kind, asked.parameters or {}),
            subject=kind.identifier,
            title=asked.name,
            requested_by=asked.requested_by_blanks or asked.requested_by,
        )
        uri = _uri(call, job)
        members = {
            "id": str(job.job_id),
            "uri": uri,
            "eta": wire_time(await self._documents.eta()),
            "expires": wire_time(job.expires_at),
        }
        return code_reply(codes.REPORT_ACCEPTED, members, headers={"Location": uri})

    @refusing(_CODES)
    async def requests(self, call: Call) -> Reply:
        """Return the reports that the caller may have."""
        query = call.query
        subject = query.get("reporttype")
        kind = find_type(subject) if subject else None
        end = query.get("todate")
        # A day without a time is meant as a whole.
        whole_day = timedelta(days=1) if end and len(end) <= _DAY_LENGTH else timedelta()
        start = query.get("fromdate")
        jobs = await self._documents.listed(
            call.participant,
            start=read_time("fromDate", start) if start else None,
            end=read_time("toDate", end) + whole_day if end else None,
            subject=kind.identifier if kind else subject,
            requested_by=query.get("requestedby"),
            title=query.get("title"),
        )
        return code_reply(codes.REPORTS_LISTED, {"reports": [_entry(call, job) for job in jobs]})

    @refusing(_CODES)
    async def report(self, call: Call) -> Reply:
        """Return a report, or when it will be ready."""
        job = await self._documents.find(call.participant, JobKind.REPORT, call.parameters["id"])
        if job.status is JobStatus.WAITING:
            eta = wire_time(await self._documents.eta())
            return code_reply(codes.REPORT_NOT_READY, {"eta": eta})
        if job.status is JobStatus.FAILED:
            too_large = job.facts.get("failure") == "too_large"
            return code_reply(codes.REPORT_TOO_LARGE if too_large else codes.REPORT_NOT_MADE)
        return Reply(
            200,
            b"",
            {"Content-Disposition": f'attachment; filename="{job.job_id}.csv"'},
            f"text/csv; charset={job.facts['encoding']}",
            stream=await begun(self._documents.content(job)),
        )


def report_routes(documents: Documents) -> Sequence[Route]:
    """Return the rows of the report interface."""
    calls = ReportCalls(documents)
    refused = {403: Refusal, 422: Refusal}
    return (
        Route(
            "GET",
            "/report/report-types",
            "listReportTypes",
            "The types of reports that the caller may have",
            calls.types,
            answers={200: ReportTypes},
            tag=_TAG,
        ),
        Route(
            "GET",
            "/report/report-types/{id}",
            "getReportType",
            "One type of reports, with its parameters",
            calls.type,
            answers={200: ReportTypeDefinition, 403: Refusal, 404: Refusal},
            tag=_TAG,
        ),
        Route(
            "POST",
            "/report/report-request",
            "requestReport",
            "Have a report made",
            calls.request,
            request=ReportRequest,
            invalid_body_code=codes.REPORT_REQUEST_INVALID,
            answers={202: ReportAccepted, 404: Refusal, 429: Refusal, **refused},
            tag=_TAG,
            located=(202,),
        ),
        Route(
            "GET",
            "/report/report-requests",
            "listReports",
            "The reports that the caller may have, the newest first",
            calls.requests,
            query=_FILTERS,
            answers={200: Reports, 422: Refusal},
            tag=_TAG,
        ),
        Route(
            "GET",
            "/report/reports/{id}",
            "getReport",
            "A report as CSV: three lines of banner, then the header row",
            calls.report,
            answers={200: None, 404: Refusal, 409: NotMadeYet, 422: Refusal},
            tag=_TAG,
            answer_media_type="text/csv",
        ),
    )


def _found(identifier: str) -> ReportType:
    kind = find_type(identifier)
    if kind is None:
        raise NotFoundError("there is no such type of report")
    return kind


def _type(kind: ReportType) -> dict[str, Any]:
    return {
        "id": kind.identifier,
        "name": kind.identifier,
        "description": kind.description,
        "requestable": kind.requestable,
        "parameters": [
            {
                "name": parameter.name,
                "type": parameter.type.value,
                "required": parameter.required,
                "description": parameter.text,
            }
            for parameter in kind.parameters
        ],
    }


def _entry(call: Call, job: Job) -> dict[str, Any]:
    return {
        "id": str(job.job_id),
        "uri": _uri(call, job),
        "reportTypeId": job.subject,
        "name": job.title,
        "title": job.title,
        "requestedBy": job.requested_by,
        "requestedAt": wire_time(job.requested_at),
        "status": job.status.value,
        "expires": wire_time(job.expires_at),
    }


def _uri(call: Call, job: Job) -> str:
    return f"{call.base_url}/report/reports/{job.job_id}"
