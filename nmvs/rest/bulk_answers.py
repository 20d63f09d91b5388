"""Rendering of tickets, of "not ready", and of the results of many packs, in pieces."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from emvs.outcomes import Outcome
from nmvs.bulk.jobs import Worked
from nmvs.requests import Answer
from nmvs.rest.answers import answer_members
from nmvs.rest.bulk_forms import BulkForm
from nmvs.rest.codes import THROTTLED, text_member
from nmvs.rest.texts import display_text

_PACKS_AT_ONCE: Final = 50
"""Rendered in one go: half a millisecond."""
_NOT_DONE: Final = frozenset(
    {
        Outcome.UNAVAILABLE,
        Outcome.OVERLOADED,
        Outcome.HUB_UNREACHABLE,
        Outcome.HUB_TIMEOUT,
        Outcome.MARKET_UNREACHABLE,
    }
)
"""Outcomes whose code has a letter. First clients read a number here and lose the whole answer if
there is a letter in one code, so in bulk results these have a code without (our choice)."""


def render_bulk(code: str, language: str = "en", **members: str) -> bytes:
    """Return a body about the whole request. A code whose third part is 0 has no text."""
    body: dict[str, str] = {"operationCode": code}
    if code[3] != "0":
        body[text_member(code)] = display_text(code, language)
    return orjson.dumps(body | members)


def instant(at: datetime) -> str:
    """Return an instant with three digits and a Z: other forms break one client or another."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def render_worked(worked: Worked, ams_url: str, language: str = "en") -> bytes:
    """Return a pack as it was sent with its result."""
    if worked.answer is None:
        result = _code_members(worked.item.defect, language)
    elif worked.answer.outcome in _NOT_DONE:
        result = _code_members(THROTTLED, language)
    else:
        result = _result(worked.answer, worked, ams_url, language)
    return b'{"pack":%b,"result":%b}' % (worked.item.echo, orjson.dumps(result))


def _code_members(code: str, language: str) -> dict[str, Any]:
    return {"operationCode": code, text_member(code): display_text(code, language)}


def _result(answer: Answer, worked: Worked, ams_url: str, language: str) -> dict[str, Any]:
    _, members = answer_members(answer, worked.operation, ams_url, language)
    if answer.alert is not None:
        members["uprc"] = answer.alert.alert_id
    return members


async def render_results(
    form: BulkForm,
    slices: AsyncIterator[list[Worked]],
    ams_url: str,
    language: str,
    rest: Callable[[], Awaitable[None]],
) -> AsyncGenerator[bytes, None]:
    """Yield the body of the results, piece by piece; in between `rest` lets others run."""
    comma = b""
    head = b'{"operationCode":"%b","packs":[' % form.delivered.encode()
    async for worked in slices:
        for start in range(0, len(worked), _PACKS_AT_ONCE):
            part = worked[start : start + _PACKS_AT_ONCE]
            yield (
                head + comma + b",".join([render_worked(each, ams_url, language) for each in part])
            )
            head, comma = b"", b","
            await rest()
    yield head + b"]}"
