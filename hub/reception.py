"""Taking in a request: whose it is, whether it came before, whether there is room, and storing it.

The acknowledgement leaves after the commit. Nothing is judged here (`hub.loading`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from emvs.errors import BadRequestError, ConflictError, ForbiddenError, OverloadedError
from emvs.infra.clock import Clock
from emvs.markets import MARKETS
from emvs.obp_messages import Acknowledgement, LinkMessage, PacksMessage, ProductMessage
from emvs.state_messages import VerifyMessage
from emvs.transaction_ids import IdentifierType, parse_transaction_id
from hub.hub_ids import acknowledgement_of
from hub.organisations import ACTORS, Client
from hub.outbox import Outbox
from hub.store.catalogue import batch_facts, product_facts
from hub.store.connections import Connection, Pool, transaction
from hub.store.requests import RequestRow, find_request, insert_request, unchecked_count
from hub.uploads import Upload, stored_message

_RETRY_AFTER_S: Final = 5
_DISTRIBUTORS_MESSAGES: Final = frozenset({"RPLK"})
"""What only a parallel distributor sends."""


class Reception:
    """Takes in requests; `loading_bell` rings for each new one."""

    def __init__(
        self,
        *,
        pool: Pool,
        clock: Clock,
        outbox: Outbox,
        loading_bell: asyncio.Event,
        unchecked_max: int,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._outbox = outbox
        self._loading_bell = loading_bell
        self._unchecked_max = unchecked_max
        self.accepted_count = 0

    async def accept(self, upload: Upload, client: Client) -> Acknowledgement:
        """Store a request and return its acknowledgement; a repeated one gets the same again.

        Raises BadRequestError or ForbiddenError for a wrong transaction id, ConflictError if it
        stands on another message already, OverloadedError if there is no room.
        """
        check_transaction_id(upload.transaction_id, upload.message_type, client)
        known = await find_request(self._pool, transaction_id=upload.transaction_id)
        if known is None:
            await self._refuse_if_full(upload)
            async with transaction(self._pool) as connection:
                row = await insert_request(
                    connection,
                    upload,
                    organisation_id=client.organisation_id,
                    client_id=client.client_id,
                    at_ms=self._clock.now_ms(),
                )
            if row is not None:
                self.accepted_count += 1
                self._loading_bell.set()
                return _acknowledge(row)
            # The same request came twice at once, and the other was first.
            known = await find_request(self._pool, transaction_id=upload.transaction_id)
            assert known is not None, "requests are never deleted"
        if known.digest != upload.digest:
            raise ConflictError("this transaction id stands on another message already")
        return _acknowledge(known)

    async def accept_together(
        self,
        uploads: Sequence[Upload],
        client: Client,
        note: Callable[[Connection, list[int]], Awaitable[None]],
    ) -> None:
        """Store requests whose transaction ids the hub has made, all or none; `note` adds what
        belongs to them in the same transaction, given their numbers.

        Raises OverloadedError if there is no room.
        """
        for upload in uploads:
            await self._refuse_if_full(upload)
        async with transaction(self._pool) as connection:
            numbers = []
            for upload in uploads:
                row = await insert_request(
                    connection,
                    upload,
                    organisation_id=client.organisation_id,
                    client_id=client.client_id,
                    at_ms=self._clock.now_ms(),
                )
                assert row is not None, "60 random bits do not come twice"
                numbers.append(row.number)
            await note(connection, numbers)
        self.accepted_count += len(uploads)
        self._loading_bell.set()

    async def _refuse_if_full(self, upload: Upload) -> None:
        if await unchecked_count(self._pool) >= self._unchecked_max:
            raise OverloadedError(
                f"{self._unchecked_max} requests wait to be checked; nothing was stored",
                retry_after_s=_RETRY_AFTER_S,
            )
        markets = await self._markets_of(upload)
        self._outbox.refuse_if_full(
            {MARKETS[market].system for market in markets if market in MARKETS}
        )

    async def _markets_of(self, upload: Upload) -> list[str]:
        """Return the markets that the message will go to, as far as can be told."""
        message = stored_message(upload.message_type, upload.message, None)
        if isinstance(message, ProductMessage):
            return [part.market for part in message.markets if part.market]
        if isinstance(message, LinkMessage):
            return []
        if not isinstance(message, PacksMessage | VerifyMessage) and message.markets:
            return message.markets
        if upload.product_code is None or upload.batch_id is None:
            return []
        product = await product_facts(self._pool, upload.product_code)
        if product is None:
            return []
        version = message.productVersion if isinstance(message, PacksMessage) else None
        if version is None:
            batch = await batch_facts(self._pool, upload.product_code, upload.batch_id)
            version = batch.product_version if batch else product.latest_version
        return list(product.markets_by_version.get(version, ()))


def check_transaction_id(text: str, message_type: str, client: Client) -> None:
    """Raise BadRequestError or ForbiddenError unless this may stand on the client's request."""
    try:
        parts = parse_transaction_id(text)
    except ValueError as error:
        raise BadRequestError(f"{error} - at `$.transactionId`") from error
    if message_type in _DISTRIBUTORS_MESSAGES:
        client.check_is_distributor(message_type)
    wanted = ACTORS[client.kind]
    if parts.message_type != message_type:
        trouble = f"is one of {parts.message_type}, the message is {message_type}"
    elif parts.identifier_type is not IdentifierType.REQUEST:
        trouble = f"has the type {parts.identifier_type}, a request has RQ"
    elif parts.actor is not wanted:
        trouble = f"has the actor {parts.actor}, an organisation of this kind has {wanted}"
    else:
        if (parts.organisation_id, parts.client_id) != (client.organisation_id, client.client_id):
            raise ForbiddenError(
                f"the transaction id names client {parts.organisation_id}/{parts.client_id},"
                f" the token is that of {client.organisation_id}/{client.client_id}"
            )
        return
    raise BadRequestError(f"the transaction id {trouble} - at `$.transactionId`")


def _acknowledge(row: RequestRow) -> Acknowledgement:
    return acknowledgement_of(row.message_type, row.transaction_id, row.received_at_ms, row.number)
