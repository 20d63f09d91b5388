"""Replies about many packs: tickets, lists of tickets, and results in pieces."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from emvs.outcomes import Outcome
from emvs.states import State
from nmvs.bulk.jobs import Item, Job, Worked, transaction_id_of
from nmvs.requests import Answer
from nmvs.soap.bulk_messages import CommonData
from nmvs.soap.catalogue import Endpoint, Version
from nmvs.soap.codes import choose_return_code
from nmvs.soap.mixed_items import item_endpoint
from nmvs.soap.render import escape, render_product, render_return_code, render_state, render_time

PACKS_AT_ONCE: Final = 50
"""Rendered in one go: half a millisecond (our choice)."""

SUCCESS: Final = render_return_code("SUCCESS", "Successfully processed.")

VerifyCodes = Mapping[State, str]
Rest = Callable[[], Awaitable[None]]


class JobHeader(NamedTuple):
    """What is stored with a job: what the reply about it repeats."""

    req_type: str
    client_transaction_id: str
    common: CommonData | None = None
    """None of a mixed bulk."""
    wrong: tuple[int, str | None] | None = None
    """Outcome and alert id, if the common data were wrong for all packs."""
    client: str | None = None
    """Client login id that submitted; None of jobs that earlier versions stored."""

    def stored(self) -> dict[str, Any]:
        """Return what can be stored as JSON."""
        return self._asdict() | {"common": self.common and list(self.common)}

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> JobHeader:
        """Return what was stored."""
        common = stored["common"]
        return cls(**dict(stored) | {"common": common and CommonData(*common)})


def render_answer_code(endpoint: Endpoint, answer: Answer, verify_codes: VerifyCodes) -> str:
    """Return the return code of an answer."""
    chosen = choose_return_code(endpoint, answer, verify_codes)
    alert = ""
    if answer.alert is not None and endpoint.version.has_alert_ids:
        alert = f' ns1:alertId="{answer.alert.alert_id}"'
    return f'<ns1:ReturnCode ns1:code="{chosen.code}" ns1:desc="{chosen.description}"{alert}/>'


def _answer(job: Job, worked: Worked) -> Answer:
    """Return what came of an item; one that reached no pack has an answer, too."""
    if worked.answer is not None:
        return worked.answer
    at = job.done_at or job.accepted_at
    return Answer(
        Outcome[worked.item.defect],
        transaction_id_of(job.job_id, worked.position),
        round(at.timestamp() * 1000),
    )


def render_pack(endpoint: Endpoint, item: Item, answer: Answer, codes: VerifyCodes) -> str:
    """Return a pack with its own state, reasons and return code."""
    state, reasons = render_state(answer)
    return (
        f'<ns1:Pack ns1:sn="{escape(item.serial_number)}" ns1:state="{state}">{reasons}'
        f"{render_answer_code(endpoint, answer, codes)}</ns1:Pack>"
    )


def render_item(job: Job, worked: Worked, version: Version, codes: VerifyCodes) -> str:
    """Return an item of a mixed bulk with what came of it."""
    item, answer = worked.item, _answer(job, worked)
    req_type, language = item.echo.decode().split()
    return (
        f'<ns1:TrxItem ns1:reqType="{req_type}"><ns1:Transaction>'
        f"<ns1:Language>{language}</ns1:Language>"
        f"<ns1:ClientTrxId>{item.client_transaction_id}</ns1:ClientTrxId>"
        f"<ns1:NMVSTrxId>{answer.transaction_id}</ns1:NMVSTrxId>"
        f"<ns1:Timestamp>{render_time(answer.at_ms)}</ns1:Timestamp></ns1:Transaction>"
        f"{render_product(item, answer, version)}"
        f"{render_pack(item_endpoint(req_type, version), item, answer, codes)}</ns1:TrxItem>"
    )


def render_tickets(name: str, jobs: Sequence[Job]) -> str:
    """Return the list with this name."""
    tickets = "".join(
        f"<ns1:Transaction><ns1:ClientTrxId>{JobHeader.read(job.header).client_transaction_id}"
        f"</ns1:ClientTrxId><ns1:NMVSTrxId>{job.job_id.hex}</ns1:NMVSTrxId></ns1:Transaction>"
        for job in jobs
    )
    return f"<ns1:{name}>{tickets}</ns1:{name}>"


async def render_packs(
    job: Job,
    slices: AsyncIterator[list[Worked]],
    endpoint: Endpoint,
    codes: VerifyCodes,
    rest: Rest,
) -> AsyncGenerator[str, None]:
    """Yield product and packs of a bulk. `endpoint`: the one that submitted it, in the version of
    the reply."""
    common = JobHeader.read(job.header).common
    assert common is not None, "only mixed bulks have none"
    head = ""
    async for worked in slices:
        if not head:
            # What is stored is told by any pack that was found as it was sent.
            answers = [each.answer for each in worked if each.answer is not None]
            answers.sort(key=lambda answer: answer.batch is None)
            told = render_product(common, answers[0] if answers else None, endpoint.version)
            head = f"{told}<ns1:Packs>"
            yield head
        for start in range(0, len(worked), PACKS_AT_ONCE):
            yield "".join(
                [
                    render_pack(endpoint, each.item, _answer(job, each), codes)
                    for each in worked[start : start + PACKS_AT_ONCE]
                ]
            )
            await rest()
    yield "</ns1:Packs>"


async def render_items(
    job: Job, slices: AsyncIterator[list[Worked]], version: Version, codes: VerifyCodes, rest: Rest
) -> AsyncGenerator[str, None]:
    """Yield the items of a mixed bulk."""
    opening = "<ns1:TrxList>"
    async for worked in slices:
        for start in range(0, len(worked), PACKS_AT_ONCE):
            yield opening + "".join(
                [
                    render_item(job, each, version, codes)
                    for each in worked[start : start + PACKS_AT_ONCE]
                ]
            )
            opening = ""
            await rest()
    yield f"{opening}</ns1:TrxList>"
