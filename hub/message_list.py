"""Every message that manufacturers send to the hub, by its name: for schemas and descriptions."""

from __future__ import annotations

from typing import Any, Final

from emvs.account_messages import (
    CertificateRequest,
    ClientMessage,
    OrganisationMessage,
    ReportingMessage,
    TokenMessage,
)
from emvs.alert_messages import AlertDecision
from emvs.report_messages import ReportRequest, ReportRetrieval
from hub.callback_handlers import Redelivery
from hub.subscriptions import Subscription
from hub.uploads import MESSAGE_KINDS

MESSAGES: Final[dict[str, Any]] = {
    **{name: kind.message for name, kind in MESSAGE_KINDS.items()},
    "SBPS": Subscription,
    "SBRS": ReportingMessage,
    "RGST": TokenMessage,
    "RSST": TokenMessage,
    "ORGR": OrganisationMessage,
    "CLIR": ClientMessage,
    "RPRQ": ReportRequest,
    "RRRQ": ReportRetrieval,
    "certificates": CertificateRequest,
    "redeliver": Redelivery,
    "state": AlertDecision,
}
"""The name is the message type or, where there is none, the last part of the path."""
