"""Carries out one step's action: sends what it says, and notes what is wrong with the answer."""

from __future__ import annotations

from collections.abc import Mapping

from pharmacy_client.testbook.asking import as_carried, pack_url
from pharmacy_client.testbook.book import (
    Actor,
    Ask,
    CallReport,
    FetchBulk,
    Pack,
    Step,
    SubmitBulk,
)
from pharmacy_client.testbook.bulk_steps import BulkRun
from pharmacy_client.testbook.doing import Doing
from pharmacy_client.testbook.judging import Answer, problems_of, read_answer
from pharmacy_client.testbook.report import Sent
from pharmacy_client.testbook.report_steps import ReportRun
from pharmacy_client.testbook.wire import Till


class CaseRun:
    """The steps of one case. Keeps what later steps need of earlier ones."""

    def __init__(self, tills: Mapping[Actor, Till], packs: Mapping[str, Pack]) -> None:
        self._tills = tills
        self._packs = packs
        self._bulk = BulkRun(tills[Actor.TESTED], packs)
        self._reports = ReportRun(tills[Actor.TESTED])

    async def prepare(self, step: Step, doing: Doing) -> None:
        """Do what has to happen before. What is not done is a problem."""
        for ask in step.prepare:
            answer = await self._ask(ask, doing.sent)
            if answer.http_status != 200:
                code = answer.members.get("operationCode")
                doing.problems.append(
                    f"preparation: {ask.pack} could not be set {ask.state} by the {ask.by}:"
                    f" HTTP {answer.http_status}, {code}"
                )

    async def perform(self, step: Step, doing: Doing) -> None:
        """Do the step's action. Raises NotOfferedHereError, NotApplicableError."""
        action, expected = step.action, step.expected
        if isinstance(action, CallReport):
            await self._reports.call(action.call, doing)
            return
        assert expected is not None, "only reports have expectations of their own"
        if isinstance(action, Ask):
            for _ in range(action.times):
                doing.note(await self._ask(action, doing.sent))
                doing.problems += problems_of(doing.answer, expected)
                if expected.alert and not doing.answer.text("warning"):
                    doing.problems.append("no text beside the alert")
        elif isinstance(action, SubmitBulk):
            await self._bulk.submit(action, expected, doing)
        elif isinstance(action, FetchBulk):
            await self._bulk.fetch(action, expected, step.results, doing)

    async def _ask(self, ask: Ask, log: list[Sent]) -> Answer:
        till = self._tills[ask.by]
        pack = self._packs[ask.pack]
        if ask.change is not None:
            pack = ask.change(pack)
        url = pack_url(till.base, as_carried(pack, ask), ask.spelling)
        headers = {} if ask.entry_mode is None else {"emvs-data-entry-mode": ask.entry_mode}
        method, body = ("GET", None) if ask.state is None else ("PATCH", {"state": ask.state})
        return read_answer(await till.send(method, url, headers=headers, body=body, log=log))
