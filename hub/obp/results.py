"""What the hub tells beside statuses of requests, as types. Unknown members are left out.

Statuses, alerts and packs' answers have the types of `emvs.obp_messages`, `emvs.state_messages` and
`emvs.callback_messages`, reports those of `emvs.report_messages`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from emvs.report_messages import Report


class Alert(msgspec.Struct, rename="camel"):
    """An alert on a product of one's own."""

    alert_id: str
    code: str
    state: str
    product_code: str = ""
    serial_number: str | None = None
    batch_id: str | None = None
    expiry: str | None = None
    operation: str = ""
    text: str = ""
    source_process: str = ""
    raising_market: str = ""
    raised_at: str | int = ""
    stored_batch_id: str | None = None
    stored_expiry: str | None = None
    location_token: str | None = None
    history: list[dict[str, Any]] = []


class AlertPage(msgspec.Struct, rename="camel"):
    """Alerts in the order of their last change; `after=next` asks for the page that follows."""

    alerts: list[Alert]
    next: str | int | None = None
    has_more: bool = False


class Subscription(msgspec.Struct, rename="camel"):
    """An endpoint for callbacks."""

    subscription_id: str
    url: str
    is_primary: bool
    created_at: str = ""
    secret: str | None = None
    """Told once, in the answer to the registration."""


class Subscriptions(msgspec.Struct, rename="camel"):
    """All endpoints, the primary one first."""

    subscriptions: list[Subscription]


class Attempt(msgspec.Struct, rename="camel"):
    """One call of the endpoint."""

    at: str
    url: str
    http_status: int | None = None
    error: str | None = None
    duration_ms: int | None = None


class Delivery(msgspec.Struct, rename="camel"):
    """What became of a notice at the endpoint."""

    status: str
    attempt_count: int
    next_attempt_at: str | None = None
    ended_at: str | None = None
    last_attempt: Attempt | None = None


class NoticeEntry(msgspec.Struct, rename="camel"):
    """A notice with its delivery."""

    notice_id: str
    message_type: str
    sequence: int
    created_at: str
    content: dict[str, Any]
    delivery: Delivery
    attempts: list[Attempt] = []


class NoticePage(msgspec.Struct, rename="camel"):
    """Notices in their order."""

    notices: list[NoticeEntry]
    next: str
    has_more: bool = False


class InLine(msgspec.Struct, rename="camel"):
    """How many notices are to be sent anew."""

    in_line: int


class ReportPage(msgspec.Struct):
    """Reports without their rows, oldest first; `after=next` asks for the page that follows."""

    reports: list[Report]
    next: str | None = None


class CapturedRequest(msgspec.Struct, rename="camel"):
    """A message that the hub made of EPCIS events."""

    transaction_id: str
    message_type: str
    status: str
    product_code: str | None = None
    batch_id: str | None = None
    serial_count: int = 0


class CaptureJob(msgspec.Struct):
    """How an EPCIS 2.0 capture stands; names as EPCIS has them."""

    captureID: str  # noqa: N815
    running: bool
    success: bool
    captureErrorBehaviour: str = ""  # noqa: N815
    errors: list[dict[str, Any]] = []
    error_count: int = msgspec.field(default=0, name="emvs:errorCount")
    """May be larger than the list."""
    requests: list[CapturedRequest] = msgspec.field(default_factory=list, name="emvs:requests")
    repeat_count: int = msgspec.field(default=0, name="emvs:repeatCount")
    """Events left out, as they were captured before."""
