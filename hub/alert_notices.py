"""Alerts told to the owner of their product unasked: each new one, and what others do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from emvs.alert_messages import AlertReport
from emvs.alert_states import AlertParty
from hub.store.alerts import StoredAlert, owned_alerts
from hub.store.connections import Connection
from hub.store.notices import NewNotice, put_notices


async def put_alert_notices(
    connection: Connection,
    reports: Sequence[AlertReport],
    now_ms: int,
    *,
    render: Callable[[StoredAlert], dict[str, Any]],
) -> None:
    """Put notices in line of reports that were stored in this transaction, once for each revision.

    What the manufacturer decided itself is not told to it.
    """
    owned = await owned_alerts(connection, [report.alertId for report in reports])
    notices = []
    for report in reports:
        owner, alert = owned.get(report.alertId, ("", None))
        if alert is None or alert.report.revision != report.revision or not _is_news(report):
            continue
        key = f"ALRT:{report.alertId}:{report.revision}"
        notices.append(NewNotice(owner, key, "ALRT", msgspec.json.encode(render(alert))))
    await put_notices(connection, notices, now_ms)


def _is_news(report: AlertReport) -> bool:
    return not report.steps or report.steps[-1].party != AlertParty.OBP
