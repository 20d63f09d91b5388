"""The types of reports: what each asks for, and who may have it of whom. Tables, no I/O.

Names, parameters and columns are those that a public client of the REST-built national systems
knows; texts and the table of roles are ours. Source of the latter: Delegated Regulation (EU)
2016/161, Art. 38 (each party sees only what it generated itself; the operator looks into the
audit trail only to investigate flagged events) and Art. 39 (authorities supervise).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Any, Final, NamedTuple

from emvs.errors import BadRequestError
from emvs.roles import Role
from nmvs.reports.limits import PERIOD_MAX

_YEARS: Final = range(2000, 2300)


class Scope(Enum):
    """Whose data a report holds for a role."""

    OWN = "of the asking location or its organisation"
    MARKET = "of the whole market, as far as the role may see it"


class ParameterType(Enum):
    """What a parameter is written like."""

    DATE_TIME = "dateTime"
    DATE = "date"
    BOOLEAN = "boolean"


class Parameter(NamedTuple):
    """What the asker chooses."""

    name: str
    type: ParameterType
    required: bool
    text: str


class Period(NamedTuple):
    """A time span; `end` does not belong to it."""

    start: datetime
    end: datetime


class ReportType(NamedTuple):
    """One kind of report."""

    identifier: str
    description: str
    parameters: tuple[Parameter, ...]
    scopes: Mapping[Role, Scope]
    requestable: bool = True
    """False: made by the clock alone."""


_SUPERVISORS: Final = {Role.NMVO: Scope.MARKET, Role.NCA: Scope.MARKET}
_OWN_OR_MARKET: Final = {
    Role.PHARMACY: Scope.OWN,
    Role.HOSPITAL: Scope.OWN,
    Role.WHOLESALER: Scope.OWN,
    Role.PARALLEL_DISTRIBUTOR: Scope.OWN,
    **_SUPERVISORS,
}
_DAYS: Final = (
    Parameter("startDate", ParameterType.DATE, required=True, text="First day (UTC)."),
    Parameter("endDate", ParameterType.DATE, required=True, text="Last day (UTC)."),
)

DAILY_SNAPSHOT: Final = "DailySnapshot"
ORGANISATIONS_SUMMARY: Final = "OrganisationsSummaryReport"
EXCEPTIONS_AUDIT_TRAIL: Final = "ExceptionsAuditTrailReport"
USER_ACTIVITY: Final = "UserActivityReport"
TRANSACTIONS_METRIC: Final = "Transactions by Transaction Type Metric"

REPORT_TYPES: Final = {
    row.identifier: row
    for row in (
        ReportType(
            DAILY_SNAPSHOT,
            "Products, batches, organisations, locations and API versions as they stand; made"
            " once a day.",
            (),
            _SUPERVISORS,
            requestable=False,
        ),
        ReportType(
            ORGANISATIONS_SUMMARY,
            "Organisations with their locations, logins and rights.",
            (),
            _OWN_OR_MARKET,
        ),
        ReportType(
            EXCEPTIONS_AUDIT_TRAIL,
            "Entries of the audit trail whose operation was not simply done.",
            (
                Parameter("startDateTime", ParameterType.DATE_TIME, required=True, text="From."),
                Parameter("endDateTime", ParameterType.DATE_TIME, required=True, text="Before."),
                Parameter(
                    "syntheticMonitoring",
                    ParameterType.BOOLEAN,
                    required=False,
                    text="Whether what the national organisation's own logins did is told as well.",
                ),
            ),
            _OWN_OR_MARKET,
        ),
        ReportType(
            USER_ACTIVITY,
            "How often each location asked for each operation, and when last.",
            _DAYS,
            _OWN_OR_MARKET,
        ),
        ReportType(
            TRANSACTIONS_METRIC,
            "Requests by day, operation and result.",
            _DAYS,
            _OWN_OR_MARKET,
        ),
    )
}
_BY_SPELLING: Final = {name.replace(" ", "").casefold(): row for name, row in REPORT_TYPES.items()}


def find_type(identifier: str) -> ReportType | None:
    """Return the type with this id, in any case and with or without blanks."""
    return _BY_SPELLING.get(identifier.replace(" ", "").casefold())


def view_of(kind: ReportType, role: Role, organisation: str) -> str:
    """Return a word for what such a participant sees in reports of a type. A report that was made
    for one view is not shown to another: who asked may have changed since (Art. 38)."""
    return f"own/{organisation}" if kind.scopes.get(role) is Scope.OWN else str(role)


def checked_parameters(kind: ReportType, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a report as they are stored. Raises BadRequestError.

    Names match in any case; unknown ones are ignored, as everywhere in that interface.
    """
    by_name = {name.casefold(): value for name, value in given.items()}
    checked: dict[str, Any] = {}
    for parameter in kind.parameters:
        value = by_name.get(parameter.name.casefold())
        if value is None or value == "":
            if parameter.required:
                raise BadRequestError(f"the parameter {parameter.name} is missing")
            continue
        checked[parameter.name] = _READERS[parameter.type](parameter.name, value)
    if {"startDate", "startDateTime"} & checked.keys():
        period = period_of(checked)
        if period.end <= period.start:
            raise BadRequestError("the end is not after the start")
        if period.end - period.start > PERIOD_MAX:
            raise BadRequestError(f"a report spans at most {PERIOD_MAX.days} days")
    return checked


def period_of(parameters: Mapping[str, Any]) -> Period:
    """Return the time span that checked parameters name; days are whole ones in UTC."""
    if "startDateTime" in parameters:
        return Period(
            datetime.fromisoformat(parameters["startDateTime"]),
            datetime.fromisoformat(parameters["endDateTime"]),
        )
    start = date.fromisoformat(parameters["startDate"])
    end = date.fromisoformat(parameters["endDate"]) + timedelta(days=1)
    return Period(
        datetime.combine(start, time.min, tzinfo=UTC), datetime.combine(end, time.min, tzinfo=UTC)
    )


def read_time(name: str, value: object) -> datetime:
    """Return a time that a client wrote, in UTC; without a zone it is UTC. A day is its start.

    Raises BadRequestError naming `name`.
    """
    try:
        if not isinstance(value, str):
            raise TypeError  # noqa: TRY301 - the same sentence for whatever is wrong.
        read = datetime.fromisoformat(value)
        read = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRequestError(f"{name} is no ISO 8601 time") from error
    if read.year not in _YEARS:
        raise BadRequestError(f"{name} is from {_YEARS[0]} to {_YEARS[-1]}")
    return read


def _date(name: str, value: object) -> str:
    return read_time(name, value).date().isoformat()


def _date_time(name: str, value: object) -> str:
    return read_time(name, value).isoformat()


def _boolean(name: str, value: object) -> bool:
    read = {"true": True, "false": False}.get(str(value).casefold())
    if read is None:
        raise BadRequestError(f"{name} is true or false")
    return read


_READERS: Final = {
    ParameterType.DATE: _date,
    ParameterType.DATE_TIME: _date_time,
    ParameterType.BOOLEAN: _boolean,
}
