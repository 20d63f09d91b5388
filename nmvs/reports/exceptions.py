"""The report on exceptions in the audit trail: entries whose operation was not simply done.

The columns are those of the REST-built national systems. "Event Details" is one cell of
`Key: Value;` pairs; what is not recorded has an empty value, so that a reader finds every key.
Whose entries, and which of their members, is decided by `nmvs.audit`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from emvs.audit_views import AUDIT_VIEWS, AuditView
from emvs.outcomes import OUTCOMES, Outcome
from emvs.roles import Role
from emvs.states import Operation, State
from nmvs.alert_store import Row
from nmvs.alert_view import alert_operation_code
from nmvs.audit import AuditRequest
from nmvs.participants import Participant
from nmvs.reports.csv_tables import Cell, utc_text
from nmvs.reports.definitions import Period
from nmvs.reports.sources import Sources, organisation_of, organisations_by_location
from nmvs.rest.answers import STATE_NAMES
from nmvs.rest.codes import FIXED, code_pattern, operation_code

COLUMNS: Final = (
    "Date and Time (UTC)",
    "Process",
    "Event Name",
    "Event Description",
    "Transaction ID",
    "Event Code",
    "Event Message",
    "Event Details",
    "Category",
    "Severity",
)
EXCEPTIONS: Final = tuple(outcome for outcome, facts in OUTCOMES.items() if facts.level > 0)
_CATEGORIES: Final = ("Done", "Technical", "Syntax", "Unknown product", "Not dispensable", "Alert")
"""By level of the outcome (our words; the real ones are not public)."""
_SEVERITIES: Final = ("Information", "Error", "Error", "Warning", "Warning", "Critical")
_BLANK_BEHIND_SEMICOLON: Final = re.compile(r";\s+")
_SEES_OTHERS: Final = (AuditView.INVESTIGATED_PACKS, AuditView.EVERYTHING)


async def rows(
    sources: Sources, participant: Participant, period: Period, *, synthetic: bool
) -> AsyncIterator[list[list[Cell]]]:
    """Yield lines, some at a time, oldest first."""
    view = AUDIT_VIEWS[participant.role]
    own = view is AuditView.OWN_ENTRIES
    request = AuditRequest(
        participant.role,
        location=participant.location if own else None,
        start=period.start,
        end=period.end,
        outcomes=EXCEPTIONS,
        alerts_only=view is AuditView.INVESTIGATED_PACKS,
    )
    locations = await organisations_by_location(sources.pool)
    async for part in sources.audit.read(request):
        entries = [e for e in part.entries if synthetic or e["role"] != Role.NMVO.value]
        alerts: dict[str, Row] = {}
        if view in _SEES_OTHERS:
            found = await sources.alerts.details([e["alertId"] for e in entries if e["alertId"]])
            alerts = {row["alert_id"]: row for row in found}
        yield [_line(sources, entry, alerts.get(entry["alertId"]), locations) for entry in entries]


def _line(
    sources: Sources,
    entry: dict[str, Any],
    alert: Row | None,
    locations: Mapping[tuple[str, str], str],
) -> list[Cell]:
    outcome, operation = Outcome[entry["outcome"]], Operation[entry["operation"]]
    facts = OUTCOMES[outcome]
    return [
        entry["at"],
        _process(operation),
        outcome.name,
        facts.text,
        entry["transactionId"],
        _event_code(outcome, operation, entry, alert),
        facts.text,
        event_details(_details(sources, entry, alert, locations)),
        _CATEGORIES[facts.level],
        _SEVERITIES[facts.level],
    ]


def event_details(pairs: Mapping[str, object]) -> str:
    """Return pairs as one cell. No value can look like the next pair: a blank behind a semicolon,
    which no identifier has, is left out of it."""
    texts = []
    for key, value in pairs.items():
        text = value if isinstance(value, str) else _text(value)
        texts.append(f"{key}: {_BLANK_BEHIND_SEMICOLON.sub(';', ' '.join(text.split()))};")
    return " ".join(texts)


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _details(
    sources: Sources,
    entry: dict[str, Any],
    alert: Row | None,
    locations: Mapping[tuple[str, str], str],
) -> dict[str, object]:
    operation = Operation[entry["operation"]]
    target = operation.target_state
    product = sources.catalogue.products.get(entry["productCode"] or "")
    after = _state(entry["stateAfter"])
    location = entry["location"] or entry.get("locationToken")
    target_name = STATE_NAMES[target] if target else None
    submitted = orjson.loads(alert["submitted"]) if alert else {}
    set_at_s = alert and alert["stored"] and orjson.loads(alert["stored"]).get("setAt")
    return {
        "ActualState": after,
        "APIVersion": None,
        "AttemptedOperation": operation.name,
        "BatchExpiryDate": entry["submittedExpiry"],
        "BatchId": entry["submittedBatchId"],
        "ClientEquipmentId": entry["equipment"],
        # What the trail wrote before it had a column for it.
        "ClientId": entry["equipment"] or submitted.get("clientId"),
        "ClientLocation": location,
        "ClientOrganisationId": organisation_of(
            locations, entry["market"] or "", entry["location"] or ""
        ),
        "ConnectorLocationId": None,
        "DataEntryMode": "manual" if entry["manual"] else "non-manual",
        "EmvsErrorCode": entry["alertCode"] and "#" + entry["alertCode"],
        "EUPublicPackState": after and ("Active" if after == "Active" else "Inactive"),
        "InitialState": _state(entry["stateBefore"]),
        "InitiatingMessageType": "IMT" if entry["intermarket"] else _process(operation),
        "IpAddress": None,
        "IsBadData": OUTCOMES[Outcome[entry["outcome"]]].level == 2,
        "IsBulk": entry["interface"].endswith("-bulk"),
        "IsIntermarketResponse": entry["intermarket"],
        "Location": entry["name"],
        "Market": entry["market"],
        "NumberOfDispenseAttempts": alert and alert["supplies"],
        "PackLastUpdateLocation": alert and alert["set_by_location"],
        "PackLastUpdateMarket": alert and alert["set_by_market"],
        "PackLastUpdateTimestamp": set_at_s and utc_text(datetime.fromtimestamp(set_at_s, UTC)),
        "ProductCode": entry["productCode"],
        "ProductCodeScheme": entry["scheme"],
        "ProductName": product and product.name,
        "RequestedAPIVersion": None,
        "RequestedState": target_name,
        "SerialNumber": entry["serialNumber"],
        "StoredBatchExpiryDate": entry["expiry"],
        "StoredBatchId": entry["batchId"],
        "StoredNHRN": product and product.national_code,
        "TargetState": target_name,
        "User": None,
        "UserAgent": None,
    }


def _event_code(
    outcome: Outcome, operation: Operation, entry: dict[str, Any], alert: Row | None
) -> str:
    """Return the operation code, or the outcome's name where no request is answered so."""
    if alert is not None:
        return alert_operation_code(alert)
    if outcome in FIXED:
        return FIXED[outcome]
    if code_pattern(outcome) is None:
        return outcome.name
    state = entry["stateBefore"]
    return operation_code(outcome, operation, State[state] if state else None, here=False)


def _state(name: str | None) -> str | None:
    return STATE_NAMES[State[name]] if name else None


def _process(operation: Operation) -> str:
    if operation is Operation.VERIFY:
        return "Verification"
    return "Reactivation" if operation.is_undo else "Decommissioning"
