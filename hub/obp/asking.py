"""What is asked of the hub: requests, alerts, callbacks, reports, identity. No pack is changed."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from emvs.account_messages import ClientCertificate, OrganisationAccount, SessionToken
from emvs.obp_messages import (
    Defect,
    DefectPage,
    RefusedPage,
    RequestList,
    RequestStatus,
    RequestSummary,
    UnloadedPack,
)
from emvs.report_messages import Report, ReportFormat, ReportStatus
from emvs.state_messages import PackAnswer, PackAnswers
from hub.obp.connection import Call, Connection, decoded
from hub.obp.errors import HubRefusedError, LoginRefusedError, NotEndedError, ProtocolError
from hub.obp.jobs import without_absent
from hub.obp.journal import Journal
from hub.obp.results import (
    Alert,
    AlertPage,
    CaptureJob,
    InLine,
    NoticeEntry,
    NoticePage,
    ReportPage,
    Subscription,
    Subscriptions,
)
from hub.obp.retrying import polling_pauses_s

_PAGE: Final = "500"
_PACKS_PAGE: Final = "1000"
_EPCIS: Final = "/epcis/"
_Page = TypeVar("_Page")


class Asking:
    """Questions to one hub."""

    def __init__(self, connection: Connection, journal: Journal) -> None:
        self._connection = connection
        self._journal = journal

    async def status(self, transaction_id: str) -> RequestStatus:
        """Return what became of a request, named by its own id or one of the hub's."""
        return await self._connection.ask(
            Call("GET", f"requests/{_quoted(transaction_id)}"), RequestStatus
        )

    async def requests(
        self, *, after: str = "", newest_first: bool = False
    ) -> AsyncIterator[RequestSummary]:
        """Yield the organisation's requests, beginning after the one with a hub id."""
        query = {"limit": _PAGE} | ({"order": "newest"} if newest_first else {})
        while True:
            query |= {"after": after} if after else {}
            page = await self._connection.ask(Call("GET", "requests", query), RequestList)
            for summary in page.requests:
                yield summary
            if page.next is None:
                return
            after = page.next

    async def pack_answers(self, transaction_id: str) -> AsyncIterator[PackAnswer]:
        """Yield what the markets made of each pack of a change or verification."""
        after: int | None = 0
        while after is not None:
            page = await self._page_of(transaction_id, "packs", PackAnswers, after=str(after))
            for answer in page.packs:
                yield answer
            after = page.next

    async def defects(self, transaction_id: str) -> AsyncIterator[Defect]:
        """Yield all that is wrong with a message: a status lists the first 1,000 defects."""
        after: int | None = 0
        while after is not None:
            page = await self._page_of(transaction_id, "defects", DefectPage, after=str(after))
            for defect in page.defects:
                yield defect
            after = page.next

    async def refused(self, transaction_id: str, market: str) -> AsyncIterator[UnloadedPack]:
        """Yield all packs that a market refused: a status lists the first 1,000."""
        after: int | None = 0
        while after is not None:
            page = await self._page_of(
                transaction_id, "refused", RefusedPage, after=str(after), market=market
            )
            for pack in page.packs:
                yield pack
            after = page.next

    async def complete(self, status: RequestStatus) -> RequestStatus:
        """Return a status with all defects and refused packs that the hub keeps."""
        if status.defectsTruncated:
            status.defects = [one async for one in self.defects(status.transactionId)]
            status.defectsTruncated = len(status.defects) < status.defectCount
        for entry in status.markets:
            if entry.refusedTruncated:
                packs = self.refused(status.transactionId, entry.market)
                entry.refusedSerials = [pack async for pack in packs]
                entry.refusedTruncated = len(entry.refusedSerials) < entry.refusedCount
        return status

    async def _page_of(
        self, transaction_id: str, what: str, kind: type[_Page], **query: str
    ) -> _Page:
        path = f"requests/{_quoted(transaction_id)}/{what}"
        query["limit"] = _PACKS_PAGE
        return await self._connection.ask(Call("GET", path, query), kind)

    async def alerts(self, **filters: str) -> AsyncIterator[Alert]:
        """Yield alerts on own products in the order of their last change.

        `filters` are those of the interface: code, productCode, state, market, from, to, after,
        order.
        """
        after = filters.pop("after", "0")
        while True:
            query = {"limit": _PAGE, "after": after, **filters}
            page = await self._connection.ask(Call("GET", "alerts", query), AlertPage)
            for alert in page.alerts:
                yield alert
            if not page.has_more:
                return
            after = str(page.next)

    async def alert(self, alert_id: str) -> Alert:
        """Open an alert: a new one becomes active."""
        return await self._connection.ask(Call("GET", f"alerts/{_quoted(alert_id)}"), Alert)

    async def decide_alert(
        self, alert_id: str, state: str, *, reason: str | None = None, text: str | None = None
    ) -> Alert:
        """Move an alert to another state; the market decides whether that may be."""
        body = without_absent({"state": state, "reason": reason, "text": text})
        path = f"alerts/{_quoted(alert_id)}/state"
        return await self._connection.ask(Call("POST", path, body=body, repeatable=False), Alert)

    async def subscriptions(self) -> list[Subscription]:
        """Return the callback endpoints, the primary one first."""
        call = Call("GET", "subscriptions")
        return (await self._connection.ask(call, Subscriptions)).subscriptions

    async def subscribe(self, url: str, *, secret: str | None = None) -> Subscription:
        """Register an endpoint: the first is the primary one, a further one stands beside it.

        Without a secret one is made here, so that it is known even if the answer is lost.
        """
        secret = secret or secrets.token_urlsafe(32)
        transaction_id = self._journal.ids.new("SBPS")
        body = {"transactionId": transaction_id, "url": url, "secret": secret}
        found = await self._connection.ask(Call("POST", "SBPS", body=body), Subscription)
        found.secret = secret
        return found

    async def roll(self, subscription_id: str) -> list[Subscription]:
        """Make an endpoint the primary one."""
        call = Call("POST", f"subscriptions/{_quoted(subscription_id)}/roll")
        return (await self._connection.ask(call, Subscriptions)).subscriptions

    async def unsubscribe(self, subscription_id: str) -> list[Subscription]:
        """Remove an endpoint."""
        path = f"subscriptions/{_quoted(subscription_id)}"
        call = Call("DELETE", path, repeatable=False)
        return (await self._connection.ask(call, Subscriptions)).subscriptions

    async def notices(self, **filters: str) -> AsyncIterator[NoticeEntry]:
        """Yield notices in order. `filters`: messageType, status, after, order."""
        after = filters.pop("after", "0")
        while True:
            query = {"limit": _PAGE, "after": after, **filters}
            page = await self._connection.ask(Call("GET", "notices", query), NoticePage)
            for notice in page.notices:
                yield notice
            if not page.has_more:
                return
            after = page.next

    async def redeliver(self, notice_id: str) -> int:
        """Have a notice sent at once; return how many are in line for it."""
        call = Call("POST", f"notices/{_quoted(notice_id)}/redeliver")
        return (await self._connection.ask(call, InLine)).in_line

    async def redeliver_many(self, statuses: Iterable[str], *, after: int = 0) -> int:
        """Have all notices with these statuses sent anew; return how many."""
        body = {"statuses": list(statuses), "after": after}
        call = Call("POST", "notices/redeliver", body=body)
        return (await self._connection.ask(call, InLine)).in_line

    # Reports

    async def request_report(self, report_type: str, **members: Any) -> Report:
        """Ask for a report: `RPRQ`. Members: format, productCode, batchId, serialNumber, markets,
        since, until."""
        transaction_id = self._journal.ids.new("RPRQ")
        told = {"transactionId": transaction_id, "reportType": report_type, **members}
        return await self._connection.ask(Call("POST", "RPRQ", body=without_absent(told)), Report)

    async def report(self, report_id: str) -> Report:
        """Return a report as it stands, with its rows if it is done and not CSV."""
        return (await self._fetched(report_id))[0]

    async def made_report(
        self, report_id: str, *, timeout_s: float | None = None
    ) -> tuple[Report, bytes]:
        """Return a report once it is made or has failed, and its CSV if it is that.

        Raises NotEndedError after `timeout_s`.
        """
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        for pause_s in polling_pauses_s():
            report, content = await self._fetched(report_id)
            if report.status is not ReportStatus.WAITING:
                return report, content
            if deadline_s is not None and time.monotonic() + pause_s > deadline_s:
                raise NotEndedError(
                    f"the report is not made yet; `obp report --id {report_id}` fetches it later"
                )
            await asyncio.sleep(pause_s)
        raise AssertionError("pauses do not end")

    async def reports(self) -> list[Report]:
        """Return the organisation's reports that are kept, oldest first, without their rows."""
        found: list[Report] = []
        after: str | None = ""
        while after is not None:
            query = {"limit": _PAGE} | ({"after": after} if after else {})
            page = await self._connection.ask(Call("GET", "reports", query), ReportPage)
            found += page.reports
            after = page.next
        return found

    async def _fetched(self, report_id: str) -> tuple[Report, bytes]:
        reply = await self._connection.fetch(Call("GET", f"reports/{_quoted(report_id)}"))
        if reply.headers.get("content-type", "").startswith("text/csv"):
            truncated = reply.headers.get("report-truncated") == "true"
            report = Report(
                reply.headers.get("report-id", report_id),
                transactionId="",
                reportType="",
                format=ReportFormat.CSV,
                status=ReportStatus.DONE,
                requestedAt="",
                truncated=truncated,
            )
            return report, reply.body
        return decoded(reply, Report), b""

    # EPCIS

    async def capture(self, document: bytes, *, proceed: bool = False) -> str:
        """Hand in an EPCIS 2.0 document; return the id of its job.

        The hub knows events that it has captured: what may have been taken is sent again, and the
        job is that of the first time. Without `proceed` all of it is loaded or nothing.
        """
        behaviour = "proceed" if proceed else "rollback"
        call = Call(
            "POST",
            "capture",
            body=msgspec.Raw(document),
            base=_EPCIS,
            headers={"GS1-Capture-Error-Behaviour": behaviour},
        )
        reply = await self._connection.fetch(call)
        capture_id = reply.headers.get("location", "").rpartition("/")[2]
        if not capture_id:
            raise ProtocolError("the hub took the capture and names no job")
        return capture_id

    async def captured(self, capture_id: str, *, timeout_s: float | None = None) -> CaptureJob:
        """Return a capture's job once it has ended. Raises NotEndedError after `timeout_s`."""
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        call = Call("GET", f"capture/{_quoted(capture_id)}", base=_EPCIS)
        for pause_s in polling_pauses_s():
            job = await self._connection.ask(call, CaptureJob)
            if not job.running:
                return job
            if deadline_s is not None and time.monotonic() + pause_s > deadline_s:
                raise NotEndedError(f"capture {capture_id} is not at its end yet")
            await asyncio.sleep(pause_s)
        raise AssertionError("pauses do not end")

    # Who one is

    async def organisation(self) -> OrganisationAccount:
        """Return the account of one's own organisation."""
        return await self._connection.ask(Call("GET", "organisation"), OrganisationAccount)

    async def certificate_authority(self) -> str:
        """Return the root that signs the hub's certificates, PEM."""
        reply = await self._connection.fetch(Call("GET", "certificate-authority"))
        return reply.body.decode("ascii", "replace")

    async def request_certificate(self, signing_request: str) -> ClientCertificate:
        """Return a client certificate for a PKCS#10 request (PEM); the same for the same one."""
        call = Call("POST", "certificates", body={"certificateRequest": signing_request})
        return await self._connection.ask(call, ClientCertificate)

    async def exchange_token(self, message_type: str) -> SessionToken:
        """Register the profile's initial token (`RGST`), or reset its session token (`RSST`).

        Until `keep_token` is called, a repeat has the same transaction id and gets the same token.
        """
        transaction_id = self._journal.ids.pending(message_type)
        call = Call("POST", message_type, body={"transactionId": transaction_id})
        try:
            return await self._connection.ask(call, SessionToken)
        except (HubRefusedError, LoginRefusedError):
            self._journal.ids.settled(message_type)
            raise

    def keep_token(self, message_type: str) -> None:
        """Note that the new token is stored where the next run finds it."""
        self._journal.ids.settled(message_type)


def _quoted(name: str) -> str:
    return quote(name, safe="")
