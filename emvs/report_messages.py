"""Reports that a manufacturer asks the EU Hub for: `RPRQ` requests one, `RRRQ` retrieves it.

The two steps are published; kinds of reports, their members and columns are ours. A report is made
in the background and kept for a time. No rule stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

# ruff: noqa: N815 - these are the names on the wire.

REPORT_TYPES: Final = {
    "PRODUCT_STATUS": "versions of products and where they stand in each market",
    "BATCH_STATUS": "packs of batches by state, as each market holds them",
    "PACK_AUDIT": "what the organisation itself did to a pack (Art. 38)",
    "MARKET": "products and batches by market",
    "ALERT": "alerts on the organisation's products",
    "RECONCILIATION": "what was sent against what each market holds",
}


class ReportFormat(StrEnum):
    """How a report is written."""

    JSON = "JSON"
    CSV = "CSV"


class ReportStatus(StrEnum):
    """Where a report stands."""

    WAITING = "Waiting"
    DONE = "Done"
    FAILED = "Failed"


@dataclass(slots=True)
class ReportRequest:
    """`RPRQ`."""

    transactionId: str
    reportType: str | None = None
    """A key of `REPORT_TYPES`."""
    format: str | None = None
    """`JSON` (default) or `CSV`."""
    productCode: str | None = None
    batchId: str | None = None
    serialNumber: str | None = None
    """Of `PACK_AUDIT`, together with the product code."""
    markets: list[str] = field(default_factory=list)
    """None: all."""
    since: str | None = None
    """Of `ALERT`: raised from then on, ISO 8601 with time zone."""
    until: str | None = None
    """Of `ALERT`: raised before."""


@dataclass(slots=True)
class ReportRetrieval:
    """`RRRQ`."""

    transactionId: str
    reportId: str | None = None
    """As the answer to `RPRQ` told it, or the transaction id of that request."""


@dataclass(slots=True)
class Report:
    """Answer to `RPRQ` (HTTP 202) and `RRRQ`: with `rows` once it is done, unless it is CSV, whose
    content is the answer's body."""

    reportId: str
    transactionId: str
    """Of the `RPRQ`."""
    reportType: str
    format: ReportFormat
    status: ReportStatus
    requestedAt: str
    madeAt: str | None = None
    keptUntil: str | None = None
    rowCount: int = 0
    truncated: bool = False
    """Whether there was more than a report holds."""
    error: str | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class ReportNotice:
    """Callback `RPRQ`: a report is made, or failed. For those who subscribed with `SBRS`."""

    reportId: str
    transactionId: str
    reportType: str
    status: ReportStatus
    rowCount: int
    error: str | None = None
