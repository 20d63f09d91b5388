"""Telling the hub of alerts: in order, at least once, until it has heard.

The alert table is the outbox: an alert waits as long as the hub does not know its present
revision. The hub stores a report that comes twice once. Nobody waits for this: while the hub is
away, alerts are raised as ever.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final

import aiohttp
import msgspec
import orjson

from emvs.alert_messages import AlertReport, AlertReports, AlertsTaken
from emvs.errors import HubUnreachableError
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from nmvs.alert_log import AlertLog, AlertView
from nmvs.alert_store import AlertStore
from nmvs.recovery import Recovery

_REPORTS_PER_MESSAGE_MAX: Final = 50
_ATTEMPT_S_MAX: Final = 30.0
_ANSWER_BYTES_MAX: Final = 256 * 1024
_FIRST_WAIT_S: Final = 0.2
_WAIT_S_MAX: Final = 30.0
_JITTER: Final = 0.2
"""Share of a wait that is drawn at random, so that markets do not come back in step."""
_LOOK_S: Final = 30.0
"""The table is looked at so often without a bell: a commit that got no answer rings none."""

_log = get_logger(__name__)


class AlertForwarder:
    """Sends reports. `run` is its one loop; `bells` wake it."""

    def __init__(
        self,
        *,
        hub_url: str,
        token: str,
        store: AlertStore,
        log: AlertLog,
        clock: Clock,
        report_of: Callable[[AlertView], AlertReport],
        bells: Sequence[asyncio.Event],
    ) -> None:
        self._url = f"{hub_url.rstrip('/')}/nmvs/v1/alerts"
        self._store = store
        self._alerts = log
        self._clock = clock
        self._report_of = report_of
        self._bells = bells
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_ATTEMPT_S_MAX),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            connector=aiohttp.TCPConnector(limit=1),
        )
        self.forwarded_count = 0
        self.failure_count = 0

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    async def run(self) -> None:
        """Forward what waits, until cancelled; trouble is waited out, longer each time."""
        failures_in_a_row = 0
        while True:
            for bell in self._bells:
                bell.clear()
            try:
                while await self.forward_some():
                    failures_in_a_row = 0
            except (HubUnreachableError, *Recovery.TROUBLE) as error:
                _log.warning("alerts not forwarded", action="forwarding_failed", error=repr(error))
            except Exception:  # noqa: BLE001 - a defect of ours must not end forwarding for ever.
                _log.exception("alerts not forwarded", action="forwarding_failed")
            else:
                failures_in_a_row = 0
                await self._wait_for_bell()
                continue
            failures_in_a_row += 1
            self.failure_count += 1
            await asyncio.sleep(_wait_s(failures_in_a_row))

    async def forward_some(self) -> bool:
        """Forward the first alerts in line; return False if none waits.

        Raises HubUnreachableError, or what a database that is away raises.
        """
        alert_ids = await self._store.not_forwarded(_REPORTS_PER_MESSAGE_MAX)
        if not alert_ids:
            return False
        reports = [self._report_of(view) for view in await self._alerts.views(alert_ids)]
        taken = await self._post(reports)
        refusals = {refused.alertId: refused.text for refused in taken.refused}
        revisions = {report.alertId: report.revision for report in reports}
        await self._store.mark_forwarded(revisions, refusals, self._clock.now())
        for alert_id, text in refusals.items():
            _log.error("alert refused", action="alert_refused", alert_id=alert_id, error=text)
        self.forwarded_count += len(reports) - len(refusals)
        return True

    async def _post(self, reports: list[AlertReport]) -> AlertsTaken:
        body = orjson.dumps(AlertReports(reports))
        try:
            async with self._session.post(self._url, data=body) as response:
                if response.status != 200 or (response.content_length or 0) > _ANSWER_BYTES_MAX:
                    raise HubUnreachableError(f"the hub answered with HTTP {response.status}")
                return msgspec.json.decode(await response.read(), type=AlertsTaken)
        except (aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError) as error:
            raise HubUnreachableError(f"the hub cannot be told: {error!r}") from error

    async def _wait_for_bell(self) -> None:
        waits = [asyncio.ensure_future(bell.wait()) for bell in self._bells]
        try:
            await asyncio.wait(waits, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


def _wait_s(failures_in_a_row: int) -> float:
    wait_s = min(_FIRST_WAIT_S * 2.0 ** min(failures_in_a_row - 1, 30), _WAIT_S_MAX)
    return wait_s * (1 + _JITTER * random.uniform(-1, 1))  # noqa: S311 - jitter, not a secret.
