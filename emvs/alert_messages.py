"""What national systems and the hub say to each other about alerts, and the hub to a manufacturer.

A national system reports an alert with its whole history, again after every change:
`POST {hub}/nmvs/v1/alerts`; the same revision may come twice. The hub passes on what a
manufacturer does: `POST {national system}/hub/v1/alerts/{alert id}/state`, or `.../opened` without
a body when it has opened the alert; both are answered with the report after the change. Locations
travel as anonymous tokens only (Delegated Regulation (EU) 2016/161, Art. 38). The real exchange is
not public; this one is ours. Times are milliseconds since 1970 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from emvs.alert_states import AlertReason, AlertState

# ruff: noqa: N815 - these are the names on the wire.


@dataclass(slots=True)
class AlertStep:
    """One entry of an alert's history."""

    state: str
    party: str
    at: int
    reason: str | None = None
    text: str | None = None


@dataclass(slots=True)
class AlertReport:
    """An alert as it stands at the market that raised it."""

    alertId: str
    revision: int
    """Counts the changes of state; a report with a lower one is out of date."""
    code: str
    """Without the number sign: one of `emvs.outcomes.HUB_CODES_FORWARDED`."""
    outcome: str
    """Name of an `emvs.outcomes.Outcome`."""
    nationalReturnCode: str
    operation: str
    """Name of an `emvs.states.Operation`."""
    sourceProcess: str
    raisingMarket: str
    initiatingMarket: str
    raisedAt: int
    eventAt: int
    """Earlier than `raisedAt` if the request was replayed."""
    manual: bool
    scheme: str
    productCode: str
    serialNumber: str | None
    """None once the hub has forgotten it."""
    batchId: str | None
    expiry: str | None
    storedBatchId: str | None
    storedExpiry: str | None
    storedState: str | None
    locationToken: str
    """The same for all alerts of one location; tells nothing else of it."""
    repeatGroup: str
    """The same for alerts on one identifier, code, location and day."""
    state: AlertState
    steps: list[AlertStep] = field(default_factory=list)


@dataclass(slots=True)
class AlertReports:
    """Reports of one national system, oldest first."""

    alerts: list[AlertReport]


@dataclass(slots=True)
class RefusedReport:
    """A report that the hub did not take; it is not sent again."""

    alertId: str
    text: str


@dataclass(slots=True)
class AlertsTaken:
    """The hub's answer: all reports are stored but these."""

    refused: list[RefusedReport] = field(default_factory=list)


@dataclass(slots=True)
class AlertDecision:
    """What a manufacturer wants of an alert."""

    state: AlertState
    reason: AlertReason | None = None
    text: str | None = None
