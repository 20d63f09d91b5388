"""An alert as others are shown it: the national organisation, and the manufacturer through the hub.

The members for the national organisation are those of the alert interface of the REST-built
national systems, as far as a public client shows them; what is not recorded here is null. The
report to the hub is a list of what may leave the market: no location, no name, no login
(Delegated Regulation (EU) 2016/161, Art. 38).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from emvs.alert_messages import AlertReport, AlertStep
from emvs.alert_states import AlertParty, AlertState
from emvs.markets import Dialect
from emvs.outcomes import OUTCOMES, Outcome
from emvs.scanner_hints import Hint
from emvs.states import Operation, State
from nmvs.alert_log import AlertView
from nmvs.alert_store import Row
from nmvs.location_tokens import LocationTokens
from nmvs.rest.codes import operation_code
from nmvs.soap.catalogue import NEWEST
from nmvs.soap.codes import RETURN_CODES


def list_entry(row: Row) -> dict[str, Any]:
    """Return an alert as a line of the national organisation's list."""
    outcome, operation = Outcome(row["outcome"]), Operation(row["operation"])
    submitted, stored = orjson.loads(row["submitted"]), _stored(row)
    set_at_s = stored.get("setAt")
    target = operation.target_state
    return {
        "alertDateTime": iso(row["raised_at"]),
        "eventDateTime": iso(row["event_at"]),
        "uniqueAlertID": row["alert_id"],
        "errorCode": "#" + row["hub_code"],
        "transactionID": row["transaction_id"].hex(),
        "clientTransactionID": row["client_transaction_id"],
        "errorMessage": OUTCOMES[outcome].text,
        "eventMessage": OUTCOMES[outcome].text,
        "attemptedOperation": operation.name,
        "organisationID": row["organisation"],
        "clientID": submitted.get("clientId"),
        "userAgent": None,
        "apiVersion": None,
        "manualEntry": row["manual"],
        "operationCode": alert_operation_code(row),
        "isIntermarket": _is_intermarket(row),
        "numberOfDispenseAttempts": row["supplies"],
        "numberOfDecommissionAttempts": row["others"],
        "productCodeScheme": submitted["scheme"],
        "productCode": submitted["productCode"],
        "productName": row["product_name"],
        "serialNumber": submitted["serialNumber"],
        "providedBatchNumber": submitted["batchId"],
        "providedExpiryDate": submitted["expiry"],
        "storedBatchNumber": stored.get("batchId"),
        "storedExpiryDate": stored.get("expiry"),
        "sourceMarket": row["initiating_market"],
        "raisingMarket": _raising_market(row),
        "sourceLocationID": row["location"],
        "requestedPackTargetState": target.name if target else None,
        "currentPackState": stored.get("state"),
        "packLastUpdateLocationID": row["set_by_location"],
        "packLastUpdateTimestamp": iso(datetime.fromtimestamp(set_at_s, UTC)) if set_at_s else None,
        "packLastUpdateMarket": row["set_by_market"],
        "storedNHRN": row["national_code"],
        "sourceBusinessProcess": row["source_process"],
        "alertRecencyValue": None,
        "state": row["state"],
        "repeatGroup": row["repeat_group"] or None,
        "repeatCount": row["repeat_count"],
    }


def detail(view: AlertView) -> dict[str, Any]:
    """Return an alert with its history, for the national organisation."""
    row = view.row
    return list_entry(row) | {
        "sourceLocationName": row["name"],
        "dialect": row["dialect"] or None,
        "forwardedAt": row["forwarded_at"] and iso(row["forwarded_at"]),
        "forwardRefusal": row["forward_refusal"],
        "history": [
            {
                "state": step.state,
                "party": step.party,
                "at": iso(datetime.fromtimestamp(step.at / 1000, UTC)),
                "reason": step.reason,
                "text": step.text,
            }
            for step in _steps(view)
        ],
    }


def report(view: AlertView, tokens: LocationTokens, dialect: Dialect) -> AlertReport:
    """Return an alert as the hub is told it. `dialect` names the code if the request had none."""
    row = view.row
    submitted, stored = orjson.loads(row["submitted"]), _stored(row)
    return AlertReport(
        alertId=row["alert_id"],
        revision=row["revision"],
        code=row["hub_code"],
        outcome=Outcome(row["outcome"]).name,
        nationalReturnCode=_national_code(row, dialect),
        operation=Operation(row["operation"]).name,
        sourceProcess=row["source_process"],
        raisingMarket=_raising_market(row),
        initiatingMarket=row["initiating_market"],
        raisedAt=_ms(row["raised_at"]),
        eventAt=_ms(row["event_at"]),
        manual=row["manual"],
        scheme=submitted["scheme"],
        productCode=submitted["productCode"],
        serialNumber=submitted["serialNumber"],
        batchId=submitted["batchId"],
        expiry=submitted["expiry"],
        storedBatchId=stored.get("batchId"),
        storedExpiry=stored.get("expiry"),
        storedState=stored.get("state"),
        locationToken=tokens.of_location(row["location_market"], row["location"]),
        repeatGroup=row["repeat_group"],
        state=AlertState(row["state"]),
        steps=_steps(view),
    )


def iso(value: datetime) -> str:
    """Return a time as ISO 8601, in UTC, to the millisecond."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _steps(view: AlertView) -> list[AlertStep]:
    row = view.row
    raised = AlertStep(AlertState.NEW, AlertParty.SYSTEM, _ms(row["raised_at"]))
    # The history is read after the alert: what came in between is not part of this revision.
    changes = [change for change in view.changes if change["revision"] <= row["revision"]]
    return [raised] + [
        AlertStep(
            change["state"], change["party"], _ms(change["at"]), change["reason"], change["text"]
        )
        for change in changes
    ]


def _stored(row: Row) -> dict[str, Any]:
    return orjson.loads(row["stored"]) if row["stored"] else {}


def _raising_market(row: Row) -> str:
    market: str = row["alert_id"][:2]
    return market


def _is_intermarket(row: Row) -> bool:
    different: bool = row["initiating_market"] != _raising_market(row)
    return different


def alert_operation_code(row: Row) -> str:
    """Return the code of the REST dialect under which the terminal was told."""
    stored = _stored(row)
    state = stored.get("state")
    hint = orjson.loads(row["submitted"]).get("hint")
    return operation_code(
        Outcome(row["outcome"]),
        Operation(row["operation"]),
        State[state] if state else None,
        here=stored.get("setBy") == row["location_number"],
        hint=None if hint is None else Hint(hint),
    )


def _national_code(row: Row, dialect: Dialect) -> str:
    """Return the code under which the terminal was told, in the dialect it speaks."""
    interface, _, _ = row["dialect"].partition("-")  # A bulk's is named after its dialect.
    spoken = interface if interface in set(Dialect) else dialect
    if spoken == Dialect.REST:
        return alert_operation_code(row)
    is_undo = Operation(row["operation"]).is_undo
    silent = False
    case = Outcome(row["outcome"]), is_undo, _is_intermarket(row), silent
    return RETURN_CODES[NEWEST.number][case].code


def _ms(value: datetime) -> int:
    return round(value.timestamp() * 1000)
