"""The self-test itself: a batch's way from serial numbers to a pharmacy in every market."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from emvs.check_digits import gtin_check_digit
from emvs.obp_messages import RequestStatus
from emvs.serial_generator import UNMISTAKABLE, SerialOrder, random_source, serial_slices
from emvs.serial_quality import Verdict, assess
from emvs.state_messages import PackAnswer
from hub.obp.client import ObpClient
from hub.obp.jobs import Batch, Change, Job, JobEnd, JobMessage
from hub.obp.profile import Profile
from hub.obp.selftest.stand import Held, Stand, held_by, pharmacy_verifies, read_stand
from hub.obp.selftest.steps import Protocol, SelftestResult, Step, StoppedError

_SAMPLE_MAX: Final = 1_000
"""Packs that are verified through the hub."""
_CHANGED_MAX: Final = 100
"""Packs that are locked and unlocked again."""
_REPEATED_MAX: Final = 100
"""Serial numbers that are uploaded a second time."""
_DISTRIBUTION_S_MAX: Final = 3600.0
_REPORT_S_MAX: Final = 600.0
_STORE_AGAIN: Final = "NMVS_FE_SN_02"

Progress = Callable[[str, int, int], None]
"""Told what is under way, how much of it is done, and how much there is."""


class Selftest:
    """One run against the systems of an `endpoints.json`."""

    def __init__(
        self,
        endpoints: Path,
        result: SelftestResult,
        *,
        tell: Callable[[Step], None],
        progress: Progress,
    ) -> None:
        """Raise StandError or ProfileError."""
        self._endpoints = endpoints
        self._profile = Profile.from_endpoints(endpoints)
        self._stand: Stand = read_stand(endpoints)
        self._result = result
        result.markets = result.markets or sorted(self._stand.markets)
        self._protocol = Protocol(result, tell)
        self._progress = progress
        run = "".join(secrets.choice(UNMISTAKABLE) for _ in range(8))
        first_13 = f"0952{secrets.randbelow(10**9):09}"
        self._batch = Batch(
            product_code=first_13 + gtin_check_digit(first_13),
            batch_id=f"SELF-{run}",
            expiry=f"{datetime.now(UTC).year % 100 + 3:02}1231",
        )

    async def run(self) -> None:
        """Do all steps; what they found is in the result."""
        try:
            async with ObpClient(self._profile) as client:
                self._client = client
                serial_numbers = self._generate()
                before = await self._held("counting what the markets hold before")
                await self._send_product()
                end = await self._upload(serial_numbers)
                await self._reconcile(end, before)
                await self._verify(serial_numbers)
                await self._ask_pharmacies(serial_numbers)
                await self._upload_again(serial_numbers)
                await self._change(serial_numbers[:_CHANGED_MAX])
        except StoppedError:
            return

    def _generate(self) -> list[str]:
        count = self._result.serial_count
        with self._protocol.step("serial numbers generated", count=count) as step:
            slices = serial_slices(SerialOrder(count), random_source())
            serial_numbers = [one for some in slices for one in some]
            step.expect(len(set(serial_numbers)) == count, "some came twice")
        with self._protocol.step("they meet Art. 4(c)", count=count) as step:
            report = assess(serial_numbers)
            failed = [one.text for one in report.findings if one.severity == "fails"]
            step.expect(report.verdict is not Verdict.FAILS and not failed, "; ".join(failed))
        return serial_numbers

    async def _held(self, name: str) -> dict[str, Held]:
        with self._protocol.step(name) as step:
            markets = self._result.markets
            found = await asyncio.gather(*(held_by(self._stand, market) for market in markets))
            held = dict(zip(markets, found, strict=True))
            step.detail = ", ".join(f"{market} {one.packs:,}" for market, one in held.items())
        return held

    async def _send_product(self) -> None:
        with self._protocol.step("master data in every market") as step:
            company = self._profile.company
            members: dict[str, Any] = {
                "scheme": "GTIN",
                "productCode": self._batch.product_code,
                "name": "Selftestol 10 mg tablets",
                "commonName": "selftestol",
                "pharmaceuticalForm": "tablet",
                "strength": "10 mg",
                "packType": "blister",
                "packSize": 30,
                "markets": [
                    {
                        "market": market,
                        "nationalCode": self._batch.product_code[6:13],
                        "marketingAuthorisationHolder": company,
                    }
                    for market in self._result.markets
                ],
            }
            end = await self._followed(await self._client.prepare_product(members))
            step.expect(end.is_done, _why(end))

    async def _upload(self, serial_numbers: list[str]) -> JobEnd:
        count = len(serial_numbers)
        with self._protocol.step("messages on disk", count=count) as step:
            job = await self._client.prepare_upload(self._batch, serial_numbers)
            megabytes = sum(message.packed_bytes for message in job.messages) / 1e6
            step.detail = f"{len(job.messages)} messages, {megabytes:.1f} MB packed"
        with self._protocol.step("uploaded to the hub", count=count) as step:
            stopped = await self._send(job)
            step.expect(stopped is None, "" if stopped is None else _why(stopped))
        if stopped is not None:
            raise StoppedError
        with self._protocol.step("distributed to every market after that", count=count) as step:
            end = await self._client.wait(job, timeout_s=_DISTRIBUTION_S_MAX, seen=self._seen)
            step.expect(end.is_done, _why(end))
        return end

    async def _send(self, job: Job) -> JobEnd | None:
        total = sum(message.packed_bytes for message in job.messages)
        done = 0

        def sent(_: JobMessage, byte_count: int) -> None:
            nonlocal done
            done += byte_count
            self._progress("bytes uploaded", min(done, total), total)

        return await self._client.send(job, sent=sent)

    def _seen(self, end: JobEnd) -> None:
        total = end.job.serial_count * len(self._result.markets)
        self._progress("packs in markets", sum(end.loaded.values()), total)

    async def _reconcile(self, end: JobEnd, before: dict[str, Held]) -> None:
        """Hold what every market says it has, by the hub's report and by its own database, against
        what was sent."""
        count = self._result.serial_count
        with self._protocol.step("the hub's reconciliation report agrees") as step:
            report = await self._client.request_report(
                "RECONCILIATION",
                productCode=self._batch.product_code,
                batchId=self._batch.batch_id,
            )
            made, _ = await self._client.made_report(report.reportId, timeout_s=_REPORT_S_MAX)
            rows = {str(row.get("market")): row for row in made.rows}
            for market in self._result.markets:
                row = rows.get(market, {})
                told = [row.get(name) for name in ("result", "sent", "held", "missing", "extra")]
                step.expect(told == ["Agrees", count, count, 0, 0], f"{market}: {told}")
        after = await self._held("counting what the markets hold now")
        with self._protocol.step("every market holds what was sent") as step:
            for market in self._result.markets:
                told_count = end.loaded.get(market, 0)
                held = after[market].packs - before[market].packs
                step.expect(told_count == count, f"{market} told the hub of {told_count:,} packs")
                step.expect(held == count, f"{market} holds {held:,} packs more than before")
                step.expect(after[market].is_equal, f"{market}: index and database differ")

    async def _verify(self, serial_numbers: list[str]) -> None:
        sample = random.SystemRandom().sample(serial_numbers, min(_SAMPLE_MAX, len(serial_numbers)))
        with self._protocol.step("a sample verified through the hub", count=len(sample)) as step:
            answers = await self._asked(sample)
            found = Counter(_told(answer) for answer in answers)
            step.expect(found == {"VERIFIED Active": len(sample)}, f"answers: {dict(found)}")
        with self._protocol.step("a serial number never sent is unknown and alerts") as step:
            [answer] = await self._asked([self._foreign(serial_numbers)])
            step.expect(
                {one.outcome for one in answer.markets} == {"SERIAL_UNKNOWN"}, _told(answer)
            )
            step.expect(any(one.alertId for one in answer.markets), "no alert was raised")

    async def _ask_pharmacies(self, serial_numbers: list[str]) -> None:
        markets = self._result.markets
        with self._protocol.step("a pharmacy in every market finds a pack active") as step:
            serial = secrets.choice(serial_numbers)
            verdicts = await asyncio.gather(
                *(
                    pharmacy_verifies(
                        self._endpoints,
                        market,
                        product_code=self._batch.product_code,
                        batch_id=self._batch.batch_id,
                        expiry=self._batch.expiry,
                        serial=serial,
                    )
                    for market in markets
                )
            )
            for market, verdict in zip(markets, verdicts, strict=True):
                told = verdict.state or verdict.category or verdict.detail
                step.expect(verdict.state == "active", f"{market}: {told}")

    async def _upload_again(self, serial_numbers: list[str]) -> None:
        again = serial_numbers[:_REPEATED_MAX]
        with self._protocol.step("the same serial numbers again are refused") as step:
            job = await self._client.prepare_upload(self._batch, again, add=True)
            end = await self._followed(job)
            refused = Counter(
                pack.code
                for status in end.statuses
                for entry in status.markets
                for pack in entry.refusedSerials
            )
            step.expect(not any(end.loaded.values()), f"loaded: {end.loaded}")
            step.expect(
                set(refused) == {_STORE_AGAIN} and not end.is_done, f"refused: {dict(refused)}"
            )

    async def _change(self, serial_numbers: list[str]) -> None:
        with self._protocol.step("packs locked and unlocked", count=len(serial_numbers)) as step:
            for undo, state in ((False, "Locked"), (True, "Active")):
                job = await self._client.prepare_change(
                    Change.DECOMMISSION,
                    self._batch.product_code,
                    self._batch.batch_id,
                    serial_numbers,
                    undo=undo,
                    state="Locked",
                )
                end = await self._followed(job)
                step.expect(end.is_done, _why(end))
                found = {_told(answer) for answer in await self._asked(serial_numbers)}
                step.expect(found == {f"VERIFIED {state}"}, f"answers: {sorted(found)}")

    async def _asked(self, serial_numbers: list[str]) -> list[PackAnswer]:
        job = await self._client.prepare_verification(
            self._batch.product_code, self._batch.batch_id, serial_numbers
        )
        await self._followed(job)
        [message] = job.messages
        return [answer async for answer in self._client.pack_answers(message.transaction_id)]

    async def _followed(self, job: Job) -> JobEnd:
        stopped = await self._client.send(job)
        return stopped or await self._client.wait(job, timeout_s=_DISTRIBUTION_S_MAX)

    @staticmethod
    def _foreign(serial_numbers: list[str]) -> str:
        known = set(serial_numbers)
        length = len(serial_numbers[0])
        while True:
            guess = "".join(secrets.choice(UNMISTAKABLE) for _ in range(length))
            if guess not in known:
                return guess


def _told(answer: PackAnswer) -> str:
    return ", ".join(f"{one.outcome} {one.state or ''}".rstrip() for one in answer.markets)


def _why(end: JobEnd) -> str:
    return "; ".join(_remarks(status) for status in end.statuses) or "nothing was sent"


def _remarks(status: RequestStatus) -> str:
    told = [f"{status.messageType} {status.status}"]
    told += [f"{defect.field}: {defect.text}" for defect in status.defects[:3]]
    told += [f"{one.market} {one.status} {one.lastError or ''}".rstrip() for one in status.markets]
    return ", ".join(told)
