"""`ObpClient`: everything a manufacturer or parallel distributor asks of the EU Hub.

    async with ObpClient(profile) as client:
        job = await client.prepare_upload(Batch(...), serial_numbers)
        await client.send(job)
        end = await client.wait(job)

What is sent stands on disk first (`hub.obp.journal`), so a program that died in between asks
`client.unfinished()` and sends the rest under the same transaction ids.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, Self

from emvs.limits import SERIALS_PER_MESSAGE_MAX
from emvs.obp_messages import (
    Acknowledgement,
    BatchName,
    ProductMessage,
    RequestStatus,
)
from hub.obp import jobs
from hub.obp.asking import Asking
from hub.obp.connection import Call, Connection
from hub.obp.errors import HubRefusedError, InputError, JournalError, NotEndedError
from hub.obp.jobs import Batch, Change, Job, JobEnd, JobMessage
from hub.obp.journal import Journal, Prepared
from hub.obp.profile import Profile
from hub.obp.retrying import polling_pauses_s

_JUDGEMENT_S_MAX: Final = 3600.0
"""So long is waited for the hub's judgement of a batch's first message."""

Sent = Callable[[JobMessage, int], None]
"""Told how many bytes more of a message's body have left."""
Seen = Callable[[JobEnd], None]
"""Told how far a job is, each time the hub was asked."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ObpClient(Asking):
    """A client of one organisation at one hub. `async with` opens and closes it.

    Methods raise the errors of `hub.obp.errors`. What the hub finds wrong in a message's content
    is a status and never raised.
    """

    def __init__(self, profile: Profile, *, now: Callable[[], datetime] = _utc_now) -> None:
        """`now` dates the transaction ids."""
        self.profile = profile
        self._now = now

    async def __aenter__(self) -> Self:
        """Raise JournalError or ProfileError."""
        from hub.obp.transport import Transport  # noqa: PLC0415 - loads slowly.

        self._journal = await asyncio.to_thread(Journal, self.profile, self._now)
        try:
            self._transport = Transport(self.profile)
        except BaseException:
            self._journal.close()
            raise
        super().__init__(Connection(self.profile, self._transport), self._journal)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.close()
        self._journal.close()

    @property
    def repeat_count(self) -> int:
        """Requests that had to be sent again because the hub could not take them."""
        return self._connection.repeat_count

    # What is prepared

    async def prepare_upload(
        self,
        batch: Batch,
        serial_numbers: Iterable[str],
        *,
        add: bool = False,
        per_message: int = SERIALS_PER_MESSAGE_MAX,
        prepared: Prepared | None = None,
    ) -> Job:
        """Store the messages of an upload: one that makes the batch, and as many as are needed
        that add to it; with `add` the batch exists already.

        The same upload again is recognised: then the job is the earlier one, and only what the
        hub found invalid or has no trace of is to be sent, under new ids.
        """
        members = jobs.batch_members(batch, self.profile.company)
        kind = jobs.ADD if add else jobs.CREATE
        if not 1 <= per_message <= SERIALS_PER_MESSAGE_MAX:
            raise InputError(f"a message has 1 to {SERIALS_PER_MESSAGE_MAX} serial numbers")
        title = f"{batch.product_code} batch {batch.batch_id}"
        return await self._prepare(
            kind,
            members,
            title=title,
            serial_numbers=serial_numbers,
            per_message=per_message,
            prepared=prepared,
        )

    async def prepare_product(self, product: ProductMessage | Mapping[str, Any]) -> Job:
        """Store master data of a product; a mapping has the members of `PMDR`."""
        told = asdict(product) if isinstance(product, ProductMessage) else dict(product)
        told.pop("transactionId", None)
        members = _without_none(told)
        return await self._prepare(jobs.PRODUCT, members, title=str(told.get("productCode", "")))

    async def prepare_recall(
        self, product_code: str, batch_id: str, *, reason: str, markets: Iterable[str]
    ) -> Job:
        """Store a batch recall. It is final once it is sent."""
        members = {
            "productCode": product_code,
            "batchId": batch_id,
            "reason": reason,
            "markets": list(markets),
        }
        return await self._prepare(jobs.RECALL, members, title=f"{product_code} batch {batch_id}")

    async def prepare_withdrawal(
        self, product_code: str, *, reason: str, markets: Iterable[str]
    ) -> Job:
        """Store a product withdrawal. It is final once it is sent."""
        members = {"productCode": product_code, "reason": reason, "markets": list(markets)}
        return await self._prepare(jobs.WITHDRAW, members, title=product_code)

    async def prepare_change(
        self,
        change: Change,
        product_code: str,
        batch_id: str,
        serial_numbers: Iterable[str],
        *,
        undo: bool = False,
        state: str | None = None,
        reason: str | None = None,
        markets: Iterable[str] = (),
        prepared: Prepared | None = None,
    ) -> Job:
        """Store a change of packs' states, or its undo. `state` is wanted for a decommissioning
        and its undo alone: Destroyed, Stolen, Locked, Sample or FreeSample."""
        members = jobs.without_absent(
            {
                "productCode": product_code,
                "batchId": batch_id,
                "state": state,
                "reason": reason,
                "markets": list(markets) or None,
            }
        )
        return await self._prepare(
            jobs.MESSAGES_OF_CHANGES[change][undo],
            members,
            title=f"{product_code} batch {batch_id}",
            serial_numbers=serial_numbers,
            prepared=prepared,
        )

    async def prepare_verification(
        self,
        product_code: str,
        batch_id: str,
        serial_numbers: Iterable[str],
        *,
        prepared: Prepared | None = None,
    ) -> Job:
        """Store a bulk verification. Packs that no market knows raise alerts."""
        return await self._prepare(
            jobs.VERIFY,
            {"productCode": product_code, "batchId": batch_id},
            title=f"{product_code} batch {batch_id}",
            serial_numbers=serial_numbers,
            prepared=prepared,
        )

    async def prepare_link(self, sources: Iterable[BatchName], targets: Iterable[BatchName]) -> Job:
        """Store a repackaging link; for parallel distributors."""
        members = {
            "sources": [asdict(source) for source in sources],
            "targets": [asdict(target) for target in targets],
        }
        return await self._prepare(jobs.LINK, members, title="repackaging link")

    async def _prepare(
        self,
        kind: str,
        members: Mapping[str, Any],
        *,
        title: str,
        serial_numbers: Iterable[str] | None = None,
        per_message: int = SERIALS_PER_MESSAGE_MAX,
        prepared: Prepared | None = None,
    ) -> Job:
        job, spare = await asyncio.to_thread(
            self._journal.prepare,
            kind,
            members,
            title=title,
            serial_numbers=serial_numbers,
            per_message=per_message,
            prepared=prepared,
        )
        if not job.messages:
            self._journal.drop(job)
            raise InputError("there is no serial number to be sent")
        if not job.resumed:
            return job
        return await self._resumed(job, spare)

    async def _resumed(self, job: Job, spare: list[JobMessage]) -> Job:
        """Return the job with messages in place of those that came to nothing."""
        lost: set[int] = set()
        for message in job.messages:
            if message.acknowledgement_id is None:
                if not self._journal.has_body_of(message):
                    lost.add(message.position)
            else:
                try:
                    status = await self.status(message.transaction_id)
                except HubRefusedError as error:
                    if error.status != 404:
                        raise
                    lost.add(message.position)  # Another hub at this address, or one set back.
                else:
                    if status.status == jobs.INVALID:
                        lost.add(message.position)
        renewed = self._journal.renew(job, lost, spare)
        renewed.resumed = len(lost) < len(job.messages)
        return renewed

    # What is sent

    async def send(self, job: Job, *, sent: Sent | None = None) -> JobEnd | None:
        """Send the messages that the hub is not known to have, in order.

        Nothing follows the first message of a batch that the hub finds invalid: then the end is
        returned, with what it says about it. Raises UnreachableError, after which `unfinished`
        has the job still.
        """
        for message in job.messages:
            if message.acknowledgement_id is None:
                await self._send_message(message, sent)
            makes_batch = message.message_type == jobs.CREATE and len(job.messages) > 1
            if makes_batch and any(one.acknowledgement_id is None for one in job.messages):
                status = await self._until(message.transaction_id, jobs.JUDGED)
                if status.status == jobs.INVALID:
                    self._journal.discard(job.unsent)
                    self._journal.drop(job)
                    return JobEnd(job, [status])
        return None

    async def _send_message(self, message: JobMessage, sent: Sent | None) -> None:
        if not self._journal.has_body_of(message):
            raise JournalError(
                f"the body of {message.transaction_id} is gone: send the same again from its"
                " source, or forget it with `obp resume --drop`"
            )

        def tell(byte_count: int) -> None:
            if sent is not None:
                sent(message, byte_count)

        answer = await self._connection.ask(
            Call("POST", message.message_type, packed_file=self._journal.body_of(message)),
            Acknowledgement,
            sent=tell,
        )
        self._journal.acknowledged(message, answer.acknowledgementId, answer.hubTransactionId)

    def unfinished(self) -> list[Job]:
        """Return the jobs that were begun and not wholly sent, oldest first."""
        return self._journal.unfinished()

    def cut_off(self) -> list[str]:
        """Return the titles of jobs that were not prepared to their end, oldest first: nothing of
        them was sent. One may still be at it."""
        return self._journal.begun.titles()

    def recent(self, count_max: int = 20) -> list[Job]:
        """Return the newest jobs of the journal, newest first."""
        return self._journal.recent(count_max)

    def drop(self, job: Job) -> None:
        """Forget a job that is not to be sent any more."""
        self._journal.drop(job)

    def drop_cut_off(self) -> None:
        """Forget the jobs that were not prepared to their end."""
        self._journal.begun.forget()

    # How far it is

    async def wait(
        self,
        job: Job,
        *,
        timeout_s: float | None = None,
        until: frozenset[str] = jobs.ENDED,
        seen: Seen | None = None,
    ) -> JobEnd:
        """Return what became of a job once all its messages have one of these statuses.

        The hub is asked with growing pauses. Raises NotEndedError after `timeout_s`.
        """
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        statuses: dict[int, RequestStatus] = {}
        for pause_s in polling_pauses_s():
            for message in job.messages:
                known = statuses.get(message.position)
                if message.acknowledgement_id and (known is None or known.status not in until):
                    statuses[message.position] = await self.status(message.transaction_id)
            end = JobEnd(job, [statuses[position] for position in sorted(statuses)])
            if seen is not None:
                seen(end)
            if all(status.status in until for status in statuses.values()):
                return end
            if deadline_s is not None and time.monotonic() + pause_s > deadline_s:
                waiting = [
                    f"{one.transactionId} {one.status}"
                    for one in statuses.values()
                    if one.status not in until
                ]
                raise NotEndedError(
                    f"not at its end after {timeout_s:g} s: {', '.join(waiting)}. The hub goes on;"
                    " ask again with `obp status`"
                )
            await asyncio.sleep(pause_s)
        raise AssertionError("pauses do not end")

    async def _until(self, transaction_id: str, until: frozenset[str]) -> RequestStatus:
        deadline_s = time.monotonic() + _JUDGEMENT_S_MAX
        for pause_s in polling_pauses_s(1.0):
            status = await self.status(transaction_id)
            if status.status in until:
                return status
            if time.monotonic() > deadline_s:
                raise NotEndedError(f"the hub has not looked at {transaction_id} yet")
            await asyncio.sleep(pause_s)
        raise AssertionError("pauses do not end")


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_none(inner) for inner in value]
    return value
