"""Looking at requests in order of arrival: judge, load into the catalogue, fill the outbox.

One transaction a request, by one worker: what a rule was told is still true when its result is
stored. Steps: Invalid (STIV), or Valid (STVA) and Loaded (STLD); distribution adds the last one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import asyncpg

from emvs.infra.clock import Clock
from emvs.infra.database import CONNECTION_ERRORS
from emvs.infra.logs import get_logger
from emvs.obp_messages import LinkMessage, PacksMessage, ProductMessage, RecallMessage
from emvs.state_messages import PacksOfBatch
from emvs.transaction_ids import Actor, parse_transaction_id
from hub import state_distribution
from hub.defects import Code, Defects
from hub.delivery_messages import deliveries_of
from hub.distribution_settings import Distribution
from hub.facts import BatchFacts, Judgement, Sender
from hub.identity.store import holders_of
from hub.linking import judge_link_request, store_links
from hub.outbox import Outbox
from hub.pack_rules import judge_packs
from hub.product_rules import judge_product
from hub.progress import ProgressBoard
from hub.quality import Quality
from hub.recall_notices import notify_of_recall, notify_of_withdrawal
from hub.recall_rules import judge_recall, judge_withdrawal
from hub.state_rules import judge_packs_of_batch
from hub.store import captures, catalogue, requests
from hub.store.alerts import adopt_alerts
from hub.store.connections import Connection, Pool, transaction
from hub.store.deliveries import NewDelivery, insert_deliveries
from hub.store.long_answers import insert_defect_pages
from hub.store.quality import want_report
from hub.store.requests import Remarks, RequestRow, UncheckedRequest
from hub.uploads import CatalogueMessage, Message, stored_message

_log = get_logger(__name__)


class _RolledBackError(Exception):
    """Ends a transaction without effect."""


class Loader:
    """Drains the requests that nobody has looked at."""

    def __init__(
        self,
        *,
        pool: Pool,
        clock: Clock,
        outbox: Outbox,
        progress: ProgressBoard,
        quality: Quality,
        distribution: Distribution,
    ) -> None:
        self._distribution = distribution
        self._progress = progress
        self._quality = quality
        self._pool = pool
        self._clock = clock
        self._outbox = outbox
        self._systems = frozenset(outbox.bells)
        self.bell = asyncio.Event()
        self.is_loading = False
        self.valid_count = 0
        self.invalid_count = 0

    async def drain(self) -> None:
        """Look at requests until none is left."""
        self.is_loading = True
        try:
            while await self._next_is_done():
                pass
        except CONNECTION_ERRORS:
            # The last commit may have succeeded without an answer: the couriers look themselves.
            self._outbox.ring_all()
            raise
        finally:
            self.is_loading = False

    async def _next_is_done(self) -> bool:
        """Look at the next request; return False if there is none."""
        try:
            return await self._load_next()
        except asyncpg.DataError as error:
            # It would fail every time, and all requests behind it would wait for ever.
            await self._refuse_next(error)
            return True

    async def _refuse_next(self, error: asyncpg.DataError) -> None:
        """End the next request as invalid, and what takes effect with it alone: PostgreSQL cannot
        hold what is said there."""
        async with transaction(self._pool) as connection:
            request = await requests.lock_next_unchecked(connection)
            if request is None:
                return
            numbers = await captures.rollback_group(connection, request.row.number)
            for number in numbers or [request.row.number]:
                one = await requests.lock_unchecked(connection, number)
                if one is None:
                    continue
                defects = Defects()
                text = "the message holds a character or figure that cannot be stored"
                if numbers:
                    text = (
                        "a message of this capture holds what cannot be stored: none takes effect"
                    )
                defects.add(Code.I1, "$", None, "not_storable", text)
                await _note_check(connection, one.row, Judgement(defects))
                await _end_invalid(connection, one.row, self._clock.now_ms())
                self.invalid_count += 1
        _log.error(
            "request not stored",
            action="request_not_storable",
            transaction_id=request.row.transaction_id,
            error=repr(error),
        )

    async def _load_next(self) -> bool:
        async with transaction(self._pool) as connection:
            request = await requests.lock_next_unchecked(connection)
            if request is None:
                return False
            group = await captures.rollback_group(connection, request.row.number)
            if not group:
                judgement, deliveries = await self._load(connection, request)
        if group:
            return await self._load_together(group)
        # Only now is it certain: counts and bells follow the commit.
        self._quality.bell.set()
        self._outbox.added(delivery.system for delivery in deliveries)
        if judgement.defects:
            self.invalid_count += 1
        else:
            self.valid_count += 1
        _log.info(
            "request looked at",
            action="request_checked",
            transaction_id=request.row.transaction_id,
            defects=judgement.defects.count,
            systems=[delivery.system for delivery in deliveries],
        )
        return True

    async def _load_together(self, numbers: Sequence[int]) -> bool:
        """Load requests that take effect together, or none of them."""
        judged: list[tuple[RequestRow, Judgement]] = []
        told: list[NewDelivery] = []
        loaded = True
        async with transaction(self._pool) as connection:
            try:
                async with connection.transaction():
                    for number in numbers:
                        request = await requests.lock_unchecked(connection, number)
                        if request is None:
                            continue
                        judgement, deliveries = await self._load(connection, request)
                        judged.append((request.row, judgement))
                        told += deliveries
                    _refuse_if_any_invalid(judged)
            except _RolledBackError:
                told, loaded = [], False
                for row, judgement in judged:
                    await self._end_rolled_back(connection, row, judgement)
        self._quality.bell.set()
        self._outbox.added(delivery.system for delivery in told)
        self.valid_count += len(judged) if loaded else 0
        self.invalid_count += 0 if loaded else len(judged)
        _log.info(
            "capture looked at",
            action="capture_checked",
            transaction_ids=[row.transaction_id for row, _ in judged],
            loaded=loaded,
        )
        return True

    async def _end_rolled_back(
        self, connection: Connection, row: RequestRow, judgement: Judgement
    ) -> None:
        if not judgement.defects:
            judgement = Judgement()
            text = "another message of the same capture is invalid, so that none takes effect"
            judgement.defects.add(Code.A16, "$", None, "rolled_back", text)
        await requests.lock_unchecked(connection, row.number)
        await _note_check(connection, row, judgement)
        await _end_invalid(connection, row, self._clock.now_ms())

    async def _load(
        self, connection: Connection, request: UncheckedRequest
    ) -> tuple[Judgement, list[NewDelivery]]:
        row = request.row
        message = stored_message(row.message_type, request.message, request.serials)
        judgement, batch = await self._judge(connection, row, message)
        await _note_check(connection, row, judgement)
        now_ms = self._clock.now_ms()
        if judgement.defects:
            await _end_invalid(connection, row, now_ms)
            return judgement, []
        if isinstance(message, PacksOfBatch):
            sender = self._sender(row)
            deliveries = await state_distribution.load(connection, row, message, judgement, sender)
        else:
            await _store(connection, row, message, judgement, batch=batch, now_ms=now_ms)
            deliveries = deliveries_of(message, judgement)
        if isinstance(message, PacksMessage):
            await want_report(connection, row.number)
        deliveries = self._distribution.delayed(deliveries, now_ms)
        await insert_deliveries(connection, row.number, deliveries, now_ms)
        # Last, as a step's notice takes the lock of all notices: whoever tells of alerts holds
        # theirs before that one, too, and nobody waits while a quarter of a million packs are put.
        for step in ("STVA", "STLD"):
            await requests.add_step(connection, row.number, step, now_ms)
        if isinstance(message, LinkMessage):  # No national system has to be told.
            await requests.add_step(connection, row.number, "STDS", now_ms)
        return judgement, deliveries

    async def _judge(
        self, connection: Connection, row: RequestRow, message: Message
    ) -> tuple[Judgement, BatchFacts | None]:
        """Return the judgement, and the batch if it is known."""
        sender = self._sender(row)
        if isinstance(message, LinkMessage):
            return await judge_link_request(connection, message, sender), None
        product = batch = None
        if row.product_code:
            product = await catalogue.product_facts(connection, row.product_code)
        if isinstance(message, ProductMessage):
            holders = await holders_of(connection, row.organisation_id)
            return judge_product(message, product, replace(sender, holders=holders)), None
        if product and row.batch_id:
            batch = await catalogue.batch_facts(connection, product.product_code, row.batch_id)
        if isinstance(message, PacksMessage):
            today = self._clock.now().date()
            judgement = await judge_packs(
                row.message_type,
                message,
                product,
                batch,
                sender=sender,
                today=today,
                note=partial(self._progress.validated, row.transaction_id),
            )
            return judgement, batch
        if isinstance(message, PacksOfBatch):
            judgement = await judge_packs_of_batch(
                row.message_type, message, product, batch, sender
            )
            return judgement, batch
        if isinstance(message, RecallMessage):
            return judge_recall(message, product, batch, sender), batch
        return judge_withdrawal(message, product, sender), None

    def _sender(self, row: RequestRow) -> Sender:
        actor = parse_transaction_id(row.transaction_id).actor
        return Sender(
            row.organisation_id,
            self._systems,
            is_parallel_distributor=actor is Actor.PARALLEL_DISTRIBUTOR,
        )


def _refuse_if_any_invalid(judged: Sequence[tuple[RequestRow, Judgement]]) -> None:
    if any(judgement.defects for _, judgement in judged):
        raise _RolledBackError


async def _note_check(connection: Connection, row: RequestRow, judgement: Judgement) -> None:
    """Store that a request was looked at, and what there is to say."""
    defects = judgement.defects
    await requests.finish_check(
        connection,
        row.number,
        product_version=judgement.product_version,
        remarks=Remarks(
            defects.listed + judgement.rejected,
            defects.count + len(judgement.rejected),
            judgement.warnings,
        ),
    )
    await insert_defect_pages(connection, row.number, defects.further_pages())


async def _end_invalid(connection: Connection, row: RequestRow, now_ms: int) -> None:
    await requests.add_step(connection, row.number, "STIV", now_ms)
    await requests.drop_serials(connection, row.number)


async def _store(
    connection: Connection,
    row: RequestRow,
    message: CatalogueMessage | LinkMessage,
    judgement: Judgement,
    *,
    batch: BatchFacts | None,
    now_ms: int,
) -> None:
    """Store what a valid message says."""
    if isinstance(message, LinkMessage):
        await store_links(connection, row, message, now_ms)
        return
    code, number = message.productCode or "", row.number
    if isinstance(message, ProductMessage):
        await catalogue.insert_product_version(
            connection,
            message,
            version=judgement.product_version or 0,
            organisation_id=row.organisation_id,
            request_number=number,
        )
        if judgement.product_version == 1:
            await adopt_alerts(connection, code, row.organisation_id)
    elif isinstance(message, PacksMessage):
        if batch is None:
            await catalogue.insert_batch(
                connection,
                product_code=code,
                batch_id=message.batchId or "",
                product_version=judgement.product_version or 0,
                expiry=message.expiry or "",
                manufacturer=message.manufacturer,
                request_number=number,
            )
    elif isinstance(message, RecallMessage):
        await notify_of_recall(connection, row, message, judgement.markets, now_ms)
        await catalogue.insert_recall(
            connection,
            code,
            message.batchId or "",
            markets=judgement.markets,
            reason=message.reason or "",
            request_number=number,
            at_ms=now_ms,
        )
    else:
        await notify_of_withdrawal(connection, row, message, judgement.markets, now_ms)
        await catalogue.insert_withdrawal(
            connection,
            code,
            markets=judgement.markets,
            reason=message.reason or "",
            request_number=number,
            at_ms=now_ms,
        )
