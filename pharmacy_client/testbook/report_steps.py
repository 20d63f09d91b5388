"""The report interface: types, a request, the list, the report itself."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pharmacy_client.testbook.book import Expected, ReportCall
from pharmacy_client.testbook.doing import (
    NOT_OFFERED,
    POLL_S,
    RESULT_S_MAX,
    Doing,
    NotOfferedHereError,
    eta_problems,
    location_problems,
)
from pharmacy_client.testbook.judging import Answer, form_problems, problems_of, read_answer
from pharmacy_client.testbook.wire import Till

_BANNER_LINES: Final = 3
_REPORT_TYPE: Final = "UserActivityReport"


class ReportRun:
    """The steps of the report case: what is requested is listed and fetched after."""

    def __init__(self, till: Till) -> None:
        self._till = till
        self._report: dict[str, Any] = {}

    async def call(self, call: ReportCall, doing: Doing) -> None:
        """Do one of the calls. Raises NotOfferedHereError."""
        base = f"{self._till.report_base}/report"
        if call is ReportCall.TYPES:
            reply = await self._till.send("GET", f"{base}/report-types", log=doing.sent)
            if reply.status in NOT_OFFERED:
                raise NotOfferedHereError(f"the system answers /report with {reply.status}")
            doing.note(read_answer(reply))
            self._judge_types(doing)
        elif call is ReportCall.REQUEST:
            now = datetime.now(UTC)
            parameters = {
                "startDate": (now - timedelta(days=1)).date().isoformat(),
                "endDate": (now + timedelta(days=1)).date().isoformat(),
            }
            body = {
                "report Type Id": _REPORT_TYPE,
                "name": "Test book",
                "requested By": "testbook",
                "parameters": parameters,
            }
            reply = await self._till.send(
                "POST", f"{base}/report-request", body=body, log=doing.sent
            )
            doing.note(read_answer(reply))
            self._judge_request(doing)
        elif call is ReportCall.LIST:
            url = f"{base}/report-requests?requestedBy=testbook"
            doing.note(read_answer(await self._till.send("GET", url, log=doing.sent)))
            self._judge_list(doing)
        else:
            await self._fetch(doing)

    def _judge_types(self, doing: Doing) -> None:
        answer = doing.answer
        if answer.http_status != 200 or answer.problem is not None:
            doing.problems.append(f"HTTP {answer.http_status}, expected 200 with JSON")
        elif _REPORT_TYPE not in str(answer.members):
            doing.problems.append(f"{_REPORT_TYPE} is not among the types")

    def _judge_request(self, doing: Doing) -> None:
        answer = doing.answer
        if answer.http_status not in (200, 202) or answer.problem is not None:
            doing.problems.append(f"HTTP {answer.http_status}, expected 202 with JSON")
            return
        doing.problems += form_problems(answer, text_needed=False) + eta_problems(answer)
        if not answer.text("id"):
            doing.problems.append("id is missing")
        self._report = dict(answer.members)

    def _judge_list(self, doing: Doing) -> None:
        answer = doing.answer
        doing.problems += problems_of(
            answer, Expected(codes=("15100000",), alert=None), text_needed=False
        )
        rows = answer.members.get("reports")
        rows = rows if isinstance(rows, list) else []
        mine = [r for r in rows if isinstance(r, dict) and r.get("id") == self._report.get("id")]
        if not mine:
            doing.problems.append("the requested report is not in the list")
            return
        self._report["uri"] = mine[0].get("uri")
        doing.problems += location_problems(mine[0].get("uri"), "uri")

    async def _fetch(self, doing: Doing) -> None:
        uri = self._report.get("uri")
        if not isinstance(uri, str):
            doing.problems.append("there is no report to fetch")
            return
        deadline = asyncio.get_running_loop().time() + RESULT_S_MAX
        while True:
            reply = await self._till.send(
                "GET", uri, headers={"Accept": "text/csv"}, log=doing.sent
            )
            if reply.status != 409 or asyncio.get_running_loop().time() > deadline:
                break
            doing.sent.clear()
            await asyncio.sleep(POLL_S)
        doing.answer = Answer(reply.status, headers=reply.headers, body=reply.body)
        kind = reply.headers.get("content-type", "")
        if reply.status != 200 or not kind.startswith("text/csv"):
            doing.problems.append(f"HTTP {reply.status} with {kind}, expected 200 with text/csv")
            return
        rows = list(csv.reader(io.StringIO(reply.body.decode("utf-8", "replace"), newline="")))
        if len(rows) <= _BANNER_LINES or len(rows[_BANNER_LINES]) < len(rows[0]):
            doing.problems.append("the report has no three lines of banner and a header row")
