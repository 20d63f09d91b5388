"""What is asked of the hub: requests, alerts, callbacks. Nothing here changes a pack."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable
from typing import Final
from urllib.parse import quote

from emvs.obp_messages import RequestList, RequestStatus, RequestSummary
from emvs.state_messages import PackAnswer, PackAnswers
from hub.obp.connection import Call, Connection
from hub.obp.jobs import without_absent
from hub.obp.journal import Journal
from hub.obp.results import (
    Alert,
    AlertPage,
    InLine,
    NoticeEntry,
    NoticePage,
    Subscription,
    Subscriptions,
)

_PAGE: Final = "500"
_PACKS_PAGE: Final = "1000"


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

    async def requests(self, *, after: str = "") -> AsyncIterator[RequestSummary]:
        """Yield the organisation's requests, oldest first, from the one after a hub id."""
        while True:
            query = {"limit": _PAGE} | ({"after": after} if after else {})
            page = await self._connection.ask(Call("GET", "requests", query), RequestList)
            for summary in page.requests:
                yield summary
            if page.next is None:
                return
            after = page.next

    async def pack_answers(self, transaction_id: str) -> AsyncIterator[PackAnswer]:
        """Yield what the markets made of each pack of a change or verification."""
        after = 0
        while True:
            page = await self._connection.ask(
                Call(
                    "GET",
                    f"requests/{_quoted(transaction_id)}/packs",
                    {"limit": _PACKS_PAGE, "after": str(after)},
                ),
                PackAnswers,
            )
            for answer in page.packs:
                yield answer
            if page.next is None:
                return
            after = page.next

    async def alerts(self, **filters: str) -> AsyncIterator[Alert]:
        """Yield alerts on own products in the order of their last change.

        `filters` are those of the interface: code, productCode, state, market, from, to, after.
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
        transaction_id = self._journal.new_transaction_id("SBPS")
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
        """Yield notices in order. `filters`: messageType, status, after."""
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


def _quoted(name: str) -> str:
    return quote(name, safe="")
