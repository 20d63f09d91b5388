"""An audit trail as CSV: columns named as in the reports of the REST-built systems.

Their "Event Details" is one cell of `Key: Value;` pairs, in which a serial number may look like
the next pair; here each key is a column of its own (our choice). Columns we have nothing for are
left out. Who may see which member was decided before (`nmvs.audit`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from emvs.csv_cells import csv_lines
from emvs.outcomes import OUTCOMES, Outcome
from emvs.states import Operation

_CATEGORIES: Final = ("Done", "Technical", "Syntax", "Unknown product", "Not dispensable", "Alert")
"""By level of the outcome (our words; the real ones are not public)."""


def _process(entry: dict[str, Any]) -> str:
    operation = Operation[entry["operation"]]
    if operation is Operation.VERIFY:
        return "Verification"
    return "Reactivation" if operation.is_undo else "Decommissioning"


def _level(entry: dict[str, Any]) -> int:
    return OUTCOMES[Outcome[entry["outcome"]]].level


def _member(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda entry: entry.get(name)


_COLUMNS: Final[dict[str, Callable[[dict[str, Any]], object]]] = {
    "Date and Time (UTC)": _member("at"),
    "Process": _process,
    "Event Name": _member("operation"),
    "Transaction ID": _member("transactionId"),
    "Event Code": _member("outcome"),
    "Event Message": lambda entry: OUTCOMES[Outcome[entry["outcome"]]].text,
    "Category": lambda entry: _CATEGORIES[_level(entry)],
    "Severity": _level,
    "InitialState": _member("stateBefore"),
    "ActualState": _member("stateAfter"),
    "ProductCodeScheme": _member("scheme"),
    "ProductCode": _member("productCode"),
    "SerialNumber": _member("serialNumber"),
    "BatchId": _member("submittedBatchId"),
    "BatchExpiryDate": _member("submittedExpiry"),
    "StoredBatchId": _member("batchId"),
    "StoredBatchExpiryDate": _member("expiry"),
    "DataEntryMode": lambda entry: "manual" if entry["manual"] else "non-manual",
    "Interface": _member("interface"),
    "IsIntermarket": lambda entry: "true" if entry["intermarket"] else "false",
    "ClientTransactionId": _member("clientTransactionId"),
    "AlertId": _member("alertId"),
    "EmvsErrorCode": _member("alertCode"),
    "Market": _member("market"),
    "Location": lambda entry: entry["location"] or entry.get("locationToken"),
    "Organisation": _member("name"),
    "Role": _member("role"),
    "ClientId": _member("equipment"),
}


def csv_header() -> str:
    """Return the first line."""
    return csv_lines([list(_COLUMNS)])


def csv_of(entries: Iterable[dict[str, Any]]) -> str:
    """Return one line for each entry; what is not known or not to be seen is an empty cell."""
    return csv_lines(
        ["" if (value := read(entry)) is None else str(value) for read in _COLUMNS.values()]
        for entry in entries
    )
