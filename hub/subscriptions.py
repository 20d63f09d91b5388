"""Callback endpoints of an organisation: registered, rolled, removed.

The hub keeps two, a primary and a non-primary one, and calls the primary alone; a roll makes the
other the primary one (published: ProcessProductServiceSubscription and its Roll). Rules and
messages beyond that are ours. A secret is told once, in the answer that made it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from emvs.callback_messages import URGENT_TYPES, NoticeStatus
from emvs.errors import BadRequestError, ConflictError, NotFoundError
from emvs.infra.clock import Clock
from emvs.limits import NOTICES_WAITING_MAX
from hub.callback_rules import url_trouble
from hub.callbacks import Callbacks
from hub.config import CallbackConfig
from hub.hub_ids import hub_transaction_id
from hub.organisations import Client
from hub.reception import check_transaction_id
from hub.store import notices
from hub.store import subscriptions as store
from hub.store.connections import Connection, Pool, transaction
from hub.store.subscriptions import EndpointRow
from hub.times import utc

MESSAGE_TYPE: Final = "SBPS"
_SECRET_BYTES: Final = 32
_NOT_FOUND: Final = "your organisation has no such subscription"
_SECRET: Final = "16 to 200 characters of ASCII that can be seen"  # noqa: S105 - no password.


class Subscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Body of `POST /obp/v1/SBPS`. Without a secret one is made."""

    transaction_id: str
    url: str
    secret: Annotated[str, Meta(pattern=r"\A[!-~]{16,200}\Z", description=_SECRET)] | None = None


class Subscriptions:
    """What can be done with callback endpoints."""

    def __init__(
        self, *, pool: Pool, clock: Clock, callbacks: Callbacks, config: CallbackConfig
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._callbacks = callbacks
        self._config = config

    async def register(self, client: Client, wanted: Subscription) -> dict[str, Any]:
        """Store an endpoint: the first is the primary one, a further one the non-primary one.

        A repeated transaction id is answered the same, without the secret. Raises BadRequestError
        or ForbiddenError for a wrong id or URL, ConflictError if the id stands on something else.
        """
        check_transaction_id(wanted.transaction_id, MESSAGE_TYPE, client)
        if trouble := url_trouble(wanted.url, self._config.hosts_allowed):
            raise BadRequestError(f"{trouble} - at `$.url`")
        secret = wanted.secret or secrets.token_urlsafe(_SECRET_BYTES)
        async with transaction(self._pool) as connection:
            endpoints = await self._locked(connection, client)
            for known in endpoints:
                if known.transaction_id == wanted.transaction_id:
                    return _same(known, wanted)
            endpoint = await store.put_endpoint(
                connection,
                client.organisation_id,
                transaction_id=wanted.transaction_id,
                url=wanted.url,
                secret=secret,
                is_primary=not endpoints,
                at_ms=self._clock.now_ms(),
            )
            if endpoint.is_primary:
                # What patients' safety depends on is told even if it came before the endpoint.
                await self._send(
                    connection, client, NoticeStatus.STORED, message_types=sorted(URGENT_TYPES)
                )
        self._callbacks.wake(client.organisation_id)
        return _shown(endpoint) | {"secret": secret}

    async def roll(self, client: Client, subscription_id: str) -> dict[str, Any]:
        """Make an endpoint the primary one; what waits is sent to it at once. If it is that
        already nothing changes. Raises NotFoundError."""
        async with transaction(self._pool) as connection:
            endpoint = _find(await self._locked(connection, client), subscription_id)
            if not endpoint.is_primary:
                await store.swap_ranks(connection, client.organisation_id)
                await self._send(connection, client, NoticeStatus.WAITING)
        self._callbacks.wake(client.organisation_id)
        return await self.shown(client)

    async def remove(self, client: Client, subscription_id: str) -> dict[str, Any]:
        """Delete an endpoint. Raises NotFoundError, or ConflictError if it is the primary one of
        two."""
        async with transaction(self._pool) as connection:
            endpoints = await self._locked(connection, client)
            endpoint = _find(endpoints, subscription_id)
            if endpoint.is_primary and len(endpoints) > 1:
                raise ConflictError("this is the primary one: roll to the other one first")
            await store.drop_endpoint(connection, endpoint.number)
            if len(endpoints) == 1:
                await notices.stop_waiting(connection, client.organisation_id)
        return await self.shown(client)

    async def send_again(
        self,
        client: Client,
        *,
        number: int | None = None,
        after: int = 0,
        statuses: Sequence[NoticeStatus] = (),
    ) -> int:
        """Put notices in line anew: the one with this number, or those after a number that have
        these statuses, until so many wait as may; return how many. Raises ConflictError if there
        is no endpoint: what waited would wait for ever."""
        async with transaction(self._pool) as connection:
            if not await self._locked(connection, client):
                raise ConflictError("there is no callback endpoint: register one with SBPS first")
            waiting = 0
            # Those that wait already take no more room.
            if number is None and NoticeStatus.WAITING not in statuses:
                waiting = await notices.waiting_count(connection, client.organisation_id)
            count = await notices.put_in_line_again(
                connection,
                client.organisation_id,
                self._clock.now_ms(),
                number=number,
                after=after,
                statuses=statuses,
                count_max=max(0, NOTICES_WAITING_MAX - waiting),
            )
        self._callbacks.wake(client.organisation_id)
        return count

    async def shown(self, client: Client) -> dict[str, Any]:
        """Return the organisation's endpoints, the primary one first."""
        endpoints = await store.endpoints_of(self._pool, client.organisation_id)
        return {"subscriptions": [_shown(endpoint) for endpoint in endpoints]}

    async def _locked(self, connection: Connection, client: Client) -> list[EndpointRow]:
        """Return the endpoints; neither they nor the notices in line change meanwhile."""
        await store.lock_organisation(connection, client.organisation_id)
        await notices.lock_notices(connection)
        return await store.endpoints_of(connection, client.organisation_id)

    async def _send(
        self,
        connection: Connection,
        client: Client,
        status: NoticeStatus,
        *,
        message_types: list[str] | None = None,
    ) -> None:
        await notices.put_in_line_again(
            connection,
            client.organisation_id,
            self._clock.now_ms(),
            statuses=[status],
            message_types=message_types or [],
        )


def _find(endpoints: list[EndpointRow], subscription_id: str) -> EndpointRow:
    for endpoint in endpoints:
        if _id(endpoint) == subscription_id:
            return endpoint
    raise NotFoundError(_NOT_FOUND)


def _id(endpoint: EndpointRow) -> str:
    return hub_transaction_id(MESSAGE_TYPE, endpoint.created_at_ms, endpoint.number)


def _same(known: EndpointRow, wanted: Subscription) -> dict[str, Any]:
    if known.url != wanted.url or wanted.secret not in {None, known.secret}:
        raise ConflictError("this transaction id stands on another subscription already")
    return _shown(known) | {"secret": None}


def _shown(endpoint: EndpointRow) -> dict[str, Any]:
    return {
        "subscriptionId": _id(endpoint),
        "transactionId": endpoint.transaction_id,
        "url": endpoint.url,
        "isPrimary": endpoint.is_primary,
        "createdAt": utc(endpoint.created_at_ms),
    }
