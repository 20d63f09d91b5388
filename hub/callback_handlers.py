"""Requests about callbacks, repackaging links and traded products: parse, call, render."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from emvs.callback_messages import NOTICE_TYPES, NoticeStatus
from emvs.errors import BadRequestError, ConflictError, NotFoundError
from emvs.infra.clock import Clock
from emvs.infra.web import json_response
from emvs.limits import TRADED_PRODUCTS_MAX
from hub.callbacks import notice_message
from hub.callers import client_of
from hub.hub_ids import notice_id, request_number
from hub.message_bodies import read_message
from hub.organisations import Client, Organisations
from hub.paging import POSITION_LENGTH_MAX, read_limit, read_page
from hub.store import links, notices
from hub.store.catalogue import product_facts
from hub.store.connections import Pool, transaction
from hub.store.links import LinkRow
from hub.store.notices import AttemptRow, NoticeRow
from hub.subscriptions import Subscription, Subscriptions
from hub.times import utc

_BODY_BYTES_MAX: Final = 64 * 1024
_LINK_FILTERS: Final = {
    "sourceProductCode": "source_product_code",
    "sourceBatchId": "source_batch_id",
    "targetProductCode": "target_product_code",
    "targetBatchId": "target_batch_id",
}
_TRADE: Final = "trading other organisations' products"


class Redelivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Body of `POST /obp/v1/notices/redeliver`: which notices are sent anew."""

    statuses: Annotated[list[NoticeStatus], Meta(min_length=1, max_length=4)]
    after: Annotated[int, Meta(ge=0, lt=10**POSITION_LENGTH_MAX)] = 0
    """Only those with a higher `sequence`."""


class CallbackHandlers:
    """What a client can ask about how the hub tells it things, and about what it repackages."""

    def __init__(
        self,
        *,
        pool: Pool,
        clock: Clock,
        organisations: Organisations,
        subscriptions: Subscriptions,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._organisations = organisations
        self._subscriptions = subscriptions

    async def subscribe(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/SBPS`."""
        client = client_of(self._organisations, request)
        wanted = await read_message(request, Subscription, bytes_max=_BODY_BYTES_MAX)
        return json_response(await self._subscriptions.register(client, wanted), status=201)

    async def subscriptions(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/subscriptions`."""
        return json_response(
            await self._subscriptions.shown(client_of(self._organisations, request))
        )

    async def roll(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/subscriptions/{subscription id}/roll`."""
        client = client_of(self._organisations, request)
        subscription_id = request.match_info["subscription_id"]
        return json_response(await self._subscriptions.roll(client, subscription_id))

    async def unsubscribe(self, request: web.Request) -> web.Response:
        """`DELETE /obp/v1/subscriptions/{subscription id}`."""
        client = client_of(self._organisations, request)
        subscription_id = request.match_info["subscription_id"]
        return json_response(await self._subscriptions.remove(client, subscription_id))

    async def notices(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/notices?after=...&limit=...&order=...&messageType=...&status=...`."""
        client = client_of(self._organisations, request)
        page = read_page(request.query)
        found = await notices.list_notices(
            self._pool,
            client.organisation_id,
            page._replace(limit=page.limit + 1),
            message_type=_message_type(request.query.get("messageType")),
            status=_status(request.query.get("status")),
        )
        shown = found[: page.limit]
        return json_response(
            {
                "notices": [_notice(row, attempt) for row, attempt in shown],
                "next": str(shown[-1][0].number if shown else page.after),
                "hasMore": len(found) > page.limit,
            }
        )

    async def notice(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/notices/{notice id}`: with every attempt that is kept."""
        row, attempts = await self._find(request)
        told = _notice(row, attempts[-1] if attempts else None)
        return json_response(told | {"attempts": [_attempt(one) for one in attempts]})

    async def redeliver(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/notices/{notice id}/redeliver`: send it at once, whatever became of it."""
        client = client_of(self._organisations, request)
        row, _ = await self._find(request)
        count = await self._subscriptions.send_again(client, number=row.number)
        return json_response({"inLine": count}, status=202)

    async def redeliver_many(self, request: web.Request) -> web.Response:
        """`POST /obp/v1/notices/redeliver`: send all that have one of these statuses."""
        client = client_of(self._organisations, request)
        wanted = await read_message(request, Redelivery, bytes_max=_BODY_BYTES_MAX)
        count = await self._subscriptions.send_again(
            client, after=wanted.after, statuses=wanted.statuses
        )
        return json_response({"inLine": count}, status=202)

    async def links(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/links?after=...&limit=...&order=...&sourceBatchId=...`: one's own."""
        client = client_of(self._organisations, request)
        page = read_page(request.query)
        found = await links.list_links(
            self._pool,
            client.organisation_id,
            page._replace(limit=page.limit + 1),
            filters={column: request.query.get(name) for name, column in _LINK_FILTERS.items()},
        )
        shown = found[: page.limit]
        return json_response(
            {
                "links": [_link(row) for row in shown],
                "next": str(shown[-1].number if shown else page.after),
                "hasMore": len(found) > page.limit,
            }
        )

    async def traded_products(self, request: web.Request) -> web.Response:
        """`GET /obp/v1/traded-products?after=...&limit=...`."""
        client = self._distributor(request)
        after = request.query.get("after", "")
        limit = read_limit(request.query)
        codes = await links.list_traded_products(
            self._pool, client.organisation_id, after=after, count_max=limit + 1
        )
        shown = codes[:limit]
        return json_response(
            {
                "productCodes": shown,
                "next": shown[-1] if shown else after,
                "hasMore": len(codes) > limit,
            }
        )

    async def trade(self, request: web.Request) -> web.Response:
        """`PUT /obp/v1/traded-products/{product code}`."""
        client = self._distributor(request)
        product_code = request.match_info["product_code"]
        if await product_facts(self._pool, product_code) is None:
            raise NotFoundError("no product has this code")
        async with transaction(self._pool) as connection:
            if not await links.add_traded_product(
                connection, client.organisation_id, product_code, TRADED_PRODUCTS_MAX
            ):
                raise ConflictError(
                    f"an organisation trades at most {TRADED_PRODUCTS_MAX} products"
                )
        return json_response({"productCode": product_code})

    async def trade_no_longer(self, request: web.Request) -> web.Response:
        """`DELETE /obp/v1/traded-products/{product code}`."""
        client = self._distributor(request)
        product_code = request.match_info["product_code"]
        if not await links.drop_traded_product(self._pool, client.organisation_id, product_code):
            raise NotFoundError("your organisation does not trade this product")
        return json_response({"productCode": product_code})

    async def _find(self, request: web.Request) -> tuple[NoticeRow, list[AttemptRow]]:
        client = client_of(self._organisations, request)
        wanted = request.match_info["notice_id"]
        number = request_number(wanted)
        found = None
        if number is not None:
            found = await notices.find_notice(self._pool, client.organisation_id, number)
        if found is None or _id_of(found[0]) != wanted:
            raise NotFoundError("your organisation has no notice with this id")
        return found

    def _distributor(self, request: web.Request) -> Client:
        client = client_of(self._organisations, request)
        client.check_is_distributor(_TRADE)
        return client


def _id_of(row: NoticeRow) -> str:
    return notice_id(row.message_type, row.created_at_ms, row.number)


def _notice(row: NoticeRow, last: AttemptRow | None) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(notice_message(row))
    waiting = row.status is NoticeStatus.WAITING
    told["delivery"] = {
        "status": row.status,
        "attemptCount": row.attempt_count,
        "nextAttemptAt": utc(row.next_attempt_at_ms) if waiting else None,
        "endedAt": None if row.ended_at_ms is None else utc(row.ended_at_ms),
        "lastAttempt": None if last is None else _attempt(last),
    }
    return told


def _attempt(row: AttemptRow) -> dict[str, Any]:
    return {
        "at": utc(row.at_ms),
        "url": row.url,
        "httpStatus": row.http_status,
        "error": row.error,
        "durationMs": row.duration_ms,
    }


def _link(row: LinkRow) -> dict[str, Any]:
    source, target = row.link
    return {
        "source": {"productCode": source.product_code, "batchId": source.batch_id},
        "target": {"productCode": target.product_code, "batchId": target.batch_id},
        "linkedAt": utc(row.at_ms),
        "transactionId": row.transaction_id,
    }


def _message_type(text: str | None) -> str | None:
    if text and text not in NOTICE_TYPES:
        raise BadRequestError(f"messageType is one of {', '.join(NOTICE_TYPES)}")
    return text or None


def _status(text: str | None) -> NoticeStatus | None:
    try:
        return NoticeStatus(text) if text else None
    except ValueError as error:
        raise BadRequestError(f"status is one of {', '.join(NoticeStatus)}") from error
