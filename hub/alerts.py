"""Alerts between the markets and the manufacturers: taken, told, and decisions passed back.

The market that raised an alert holds the truth. What a manufacturer decides goes there at once and
is stored here as the market answers; if the market is away nothing is done, and the manufacturer
is told so. Exactly six codes go to manufacturers (hub release 1.8), each to the owner of the
product code alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from emvs.alert_messages import AlertDecision, AlertReport, AlertsTaken, RefusedReport
from emvs.alert_states import AlertState
from emvs.alerts import ALERT_ID
from emvs.errors import BadRequestError, NotFoundError, UnavailableError
from emvs.infra.clock import Clock
from emvs.infra.logs import get_logger
from emvs.markets import MARKETS
from emvs.outcomes import HUB_CODES_FORWARDED, OUTCOMES, Outcome
from hub.alert_filters import NOBODY, AlertFilter, read_filter
from hub.alert_notices import put_alert_notices
from hub.hub_ids import hub_transaction_id
from hub.national_client import NationalClient, NationalSystemError
from hub.organisations import Client
from hub.store import alerts as store
from hub.store.alerts import StoredAlert
from hub.store.connections import Pool, transaction
from hub.times import utc

_NOT_FOUND: Final = "there is no alert with this id"
_DECISION_S_MAX: Final = 4.0
_OPENED_S_MAX: Final = 2.0
"""A manufacturer that opens an alert is not kept waiting for a market that is away."""

_log = get_logger(__name__)


class Alerts:
    """What the hub does with alerts."""

    def __init__(self, *, pool: Pool, clock: Clock, clients: Mapping[str, NationalClient]) -> None:
        self._pool = pool
        self._clock = clock
        self._clients = clients

    async def take(self, reports: list[AlertReport], system: str) -> AlertsTaken:
        """Store a national system's reports; return those that are not taken, with the reason."""
        taken = AlertsTaken()
        good = []
        for report in reports:
            text = _defect(report, system)
            if text is None:
                good.append(report)
            else:
                taken.refused.append(RefusedReport(report.alertId, text))
        if good:
            async with transaction(self._pool) as connection:
                await store.put_reports(connection, system, good, self._clock.now_ms())
                await put_alert_notices(connection, good, self._clock.now_ms(), render=_summary)
        return taken

    async def page(self, client: Client, query: Mapping[str, str]) -> dict[str, Any]:
        """Return a page of the alerts of the client's organisation, in order of change."""
        wanted = read_filter(query)
        return await self._page(wanted, organisation_id=client.organisation_id)

    async def page_of_all(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return alerts of all organisations, for the European one; each with its owner.

        The parameter `owner` is an organisation's id, or `none` for product codes of nobody.
        """
        wanted = read_filter(query, more=frozenset({"owner"}))
        owner = query.get("owner") or None
        if owner and not (owner.isascii() and owner.isalnum()):
            raise BadRequestError("owner is an organisation's id, or none")
        ownerless = owner == NOBODY
        return await self._page(
            wanted,
            organisation_id=None if ownerless else owner,
            ownerless=ownerless,
            with_owner=True,
        )

    async def _page(
        self,
        wanted: AlertFilter,
        *,
        organisation_id: str | None,
        ownerless: bool = False,
        with_owner: bool = False,
    ) -> dict[str, Any]:
        page = wanted.page
        found = await store.list_alerts(
            self._pool,
            wanted._replace(page=page._replace(limit=page.limit + 1)),
            organisation_id=organisation_id,
            ownerless=ownerless,
        )
        shown = found[: page.limit]
        return {
            "alerts": [
                ({"organisationId": alert.organisation_id} if with_owner else {}) | _summary(alert)
                for alert in shown
            ],
            "next": str(shown[-1].position if shown else page.after),
            "hasMore": len(found) > page.limit,
        }

    async def open(self, client: Client, alert_id: str) -> dict[str, Any]:
        """Return an alert that the manufacturer opens: a new one becomes active."""
        alert = await self._find(client, alert_id)
        if alert.report.state is AlertState.NEW:
            try:
                report = await self._national(alert).open_alert(alert_id, timeout_s=_OPENED_S_MAX)
            except (NationalSystemError, UnavailableError) as error:
                # It stays new; whoever opens it next tries again.
                _log.warning("not opened", action="alert_not_opened", error=str(error))
            else:
                alert = await self._store(client, alert, report)
        return _details(alert)

    async def decide(self, client: Client, alert_id: str, wanted: AlertDecision) -> dict[str, Any]:
        """Have the alert's market change it; return it as it is afterwards.

        Raises what the market refused it with, NotFoundError, or UnavailableError if the market is
        away: repeating the same decision is safe.
        """
        alert = await self._find(client, alert_id)
        try:
            report = await self._national(alert).change_alert(
                alert_id, wanted, timeout_s=_DECISION_S_MAX
            )
        except NationalSystemError as error:
            raise UnavailableError(f"the market cannot be told now; try again ({error})") from error
        return _details(await self._store(client, alert, report))

    async def _find(self, client: Client, alert_id: str) -> StoredAlert:
        alert = None
        if ALERT_ID.fullmatch(alert_id):
            alert = await store.find_alert(self._pool, alert_id, client.organisation_id)
        if alert is None:
            raise NotFoundError(_NOT_FOUND)
        return alert

    async def _store(self, client: Client, alert: StoredAlert, report: AlertReport) -> StoredAlert:
        async with transaction(self._pool) as connection:
            await store.put_reports(connection, alert.system, [report], self._clock.now_ms())
        return await self._find(client, alert.report.alertId)

    def _national(self, alert: StoredAlert) -> NationalClient:
        client = self._clients.get(alert.system)
        if client is None:
            raise UnavailableError(f"the system of {alert.system} is not connected")
        return client


def _defect(report: AlertReport, system: str) -> str | None:
    if not ALERT_ID.fullmatch(report.alertId):
        return "the alert id has not the form of one"
    market = MARKETS.get(report.raisingMarket)
    if market is None or market.system != system or report.alertId[:2] != report.raisingMarket:
        return f"{system} does not raise alerts in the name of {report.raisingMarket!a}"
    if report.code not in HUB_CODES_FORWARDED:
        return f"alerts with code {report.code!a} are not forwarded"
    if report.outcome not in Outcome.__members__:
        return f"{report.outcome!a} is no outcome"
    return None


def _summary(alert: StoredAlert) -> dict[str, Any]:
    report = alert.report
    return {
        "alertId": report.alertId,
        "transactionId": hub_transaction_id("ALRT", alert.received_at_ms, alert.number),
        "code": "#" + report.code,
        "text": OUTCOMES[Outcome[report.outcome]].text,
        "nationalReturnCode": report.nationalReturnCode,
        "operation": report.operation,
        "sourceProcess": report.sourceProcess,
        "raisingMarket": report.raisingMarket,
        "initiatingMarket": report.initiatingMarket,
        "eventAt": utc(report.eventAt),
        "raisedAt": utc(report.raisedAt),
        "manualEntry": report.manual,
        "scheme": report.scheme,
        "productCode": report.productCode,
        "serialNumber": report.serialNumber,
        "batchId": report.batchId,
        "expiry": report.expiry,
        "storedBatchId": report.storedBatchId,
        "storedExpiry": report.storedExpiry,
        "storedState": report.storedState,
        "locationToken": report.locationToken,
        "repeatGroup": report.repeatGroup,
        "state": report.state,
    }


def _details(alert: StoredAlert) -> dict[str, Any]:
    return _summary(alert) | {
        "history": [
            {
                "state": step.state,
                "party": step.party,
                "at": utc(step.at),
                "reason": step.reason,
                "text": step.text,
            }
            for step in alert.report.steps
        ]
    }
