"""Bulk of pack and recovery: submits many packs, fetches what came of them, judges each."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

from pharmacy_client.testbook.book import NON_MANUAL, Expected, FetchBulk, Pack, SubmitBulk
from pharmacy_client.testbook.doing import (
    NOT_OFFERED,
    POLL_S,
    RESULT_S_MAX,
    Doing,
    NotApplicableError,
    NotOfferedHereError,
    eta_problems,
    location_problems,
)
from pharmacy_client.testbook.judging import Answer, problems_of, read_answer
from pharmacy_client.testbook.wire import Till


class BulkRun:
    """The bulk steps of one case: a result is fetched from where the last submission said."""

    def __init__(self, till: Till, packs: Mapping[str, Pack]) -> None:
        self._till = till
        self._packs = packs
        self._location: str | None = None
        self._submitted: list[dict[str, str]] = []
        self._bulk_path = "/product/packs"

    async def submit(self, action: SubmitBulk, expected: Expected, doing: Doing) -> None:
        """Submit packs. Raises NotOfferedHereError."""
        self._location = None
        packs = [self._bulk_pack(action, number) for number in range(len(action.packs))]
        body: dict[str, Any] = {"numberOfPacks": action.number_of_packs or len(packs)}
        if action.state is not None:
            body["state"] = action.state
        body["packs"] = packs
        self._bulk_path = "/recovery/packs" if action.transitions else "/product/packs"
        reply = await self._till.send(
            "POST",
            self._till.base + self._bulk_path,
            headers={"emvs-data-entry-mode": NON_MANUAL},
            body=body,
            log=doing.sent,
        )
        if reply.status in NOT_OFFERED:
            raise NotOfferedHereError(f"the system answers {self._bulk_path} with {reply.status}")
        answer = read_answer(reply)
        doing.note(answer)
        doing.problems += problems_of(answer, expected, text_needed=False)
        if answer.http_status == 202:
            self._submitted = packs
            self._location = answer.headers.get("location")
            doing.problems += location_problems(self._location) + eta_problems(answer)

    def _bulk_pack(self, action: SubmitBulk, number: int) -> dict[str, str]:
        name = action.packs[number]
        pack = self._packs[name]
        if name in action.changes:
            pack = action.changes[name](pack)
        members = {
            "productCodeScheme": "gs1",
            "productCode": pack.product_code,
            "serialNumber": pack.serial_number,
            "batchId": pack.batch_id,
            "expiryDate": pack.expiry,
        }
        transition = action.transitions[number] if action.transitions else None
        return members if transition is None else {"transitionType": transition, **members}

    async def fetch(
        self, action: FetchBulk, expected: Expected, results: tuple[Expected, ...], doing: Doing
    ) -> None:
        """Fetch what came of them. Raises NotApplicableError if it came too soon for the step."""
        url = self._location
        if action.unknown_id:
            url = f"{self._till.base}{self._bulk_path}/{uuid.uuid4()}"
        if url is None:
            doing.problems.append("there is no result to fetch: the submission was not accepted")
            return
        answer = await self._get(url, doing)
        if action.early:
            if answer.http_status == 200 and answer.members.get("operationCode") == "12200000":
                raise NotApplicableError("the result was there at once")
            doing.problems += problems_of(answer, expected, text_needed=False)
            doing.problems += eta_problems(answer)
            return
        deadline = asyncio.get_running_loop().time() + RESULT_S_MAX
        while answer.http_status == 409 and not action.unknown_id:
            if asyncio.get_running_loop().time() > deadline:
                doing.problems.append(f"no result within {RESULT_S_MAX:g} s")
                return
            await asyncio.sleep(POLL_S)
            doing.sent.clear()
            answer = await self._get(url, doing)
        doing.problems += problems_of(answer, expected, text_needed=False)
        if results and answer.http_status == 200:
            self._judge_results(answer, results, doing)

    async def _get(self, url: str, doing: Doing) -> Answer:
        headers = {"emvs-data-entry-mode": NON_MANUAL}
        answer = read_answer(await self._till.send("GET", url, headers=headers, log=doing.sent))
        doing.note(answer)
        return answer

    def _judge_results(self, answer: Answer, results: tuple[Expected, ...], doing: Doing) -> None:
        """Hold each pack's result against what is expected of it; order is that of the request."""
        problems = doing.problems
        if "eta" in answer.members or "location" in answer.headers:
            problems.append("a result must have neither eta nor Location")
        rows = answer.members.get("packs")
        if not isinstance(rows, list) or len(rows) != len(results):
            count = len(rows) if isinstance(rows, list) else "no"
            problems.append(f"{count} packs in the result, expected {len(results)}")
            return
        for number, (row, expected) in enumerate(zip(rows, results, strict=True), 1):
            pack = row.get("pack") if isinstance(row, dict) else None
            members = row.get("result") if isinstance(row, dict) else None
            if pack != self._submitted[number - 1] or not isinstance(members, dict):
                problems.append(f"pack {number}: not the pack of the request with its result")
                continue
            one = Answer(members=members)
            found = problems_of(one, expected)
            alert_id = one.text("alertId")
            if alert_id is not None:
                doing.alert_ids.append(alert_id)
                if members.get("uprc") != alert_id:
                    found.append("uprc is not the alert's id")
            if "eta" in members:
                found.append("eta in a pack's result")
            problems += [f"pack {number}: {problem}" for problem in found]
