"""Long work of the hub lets the event loop run in between, whatever it is given."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from emvs.errors import BadRequestError
from emvs.obp_messages import PacksMessage
from emvs.report_messages import ReportFormat
from hub.body_lines import Lines, lines_after
from hub.reports.tables import Table
from hub.xml_twin import NAMESPACE
from hub.xml_twin.reading import json_of


async def turns_during(work: Any) -> tuple[Any, int]:
    """Return what some work returns, and how often somebody else had a turn meanwhile."""
    turns = 0
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    return await task, turns


@pytest.mark.parametrize("form", list(ReportFormat))
async def test_a_report_is_written_in_slices(form: ReportFormat) -> None:
    rows = [{"a": number, "b": 'x,"y'} for number in range(5_001)]
    text, turns = await turns_during(Table(("a", "b", "c"), rows).written(form))
    assert turns > 5
    if form is ReportFormat.JSON:
        assert orjson.loads(text) == [row | {"c": None} for row in rows]
    else:
        lines = text.decode().splitlines()
        assert (len(lines), lines[0], lines[5_001]) == (5_002, "a,b,c", '5000,"x,""y",')
    assert await Table(("a",)).written(ReportFormat.JSON) == b"[]"


class _Parts:
    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)

    async def read(self) -> bytes:
        return self.parts.pop(0) if self.parts else b""


@pytest.mark.parametrize("rest", [b"", b'"A0"\n"A'])
async def test_lines_are_whole_however_they_come(rest: bytes) -> None:
    body = b"".join(b'"A%d"\r\n' % number for number in range(1, 20_000))
    parts: Any = _Parts(body[:7], body[7:150_001], body[150_001:])
    found: list[Lines] = [lines async for lines in lines_after(parts, rest)]
    assert b"\n".join(lines.text for lines in found).replace(b"\r", b"") == (
        (rest + body).replace(b"\r", b"").removesuffix(b"\n")
    )
    assert all(len(lines.text) <= 65_536 for lines in found)
    number = 2
    for lines in found:
        assert lines.first == number
        number += lines.text.count(b"\n") + 1


@pytest.mark.parametrize("open_with", [b"<!--", b"<serialNumbers ", b"<?x "])
async def test_a_tag_or_comment_without_an_end_is_refused_early(open_with: bytes) -> None:
    body = f'<PPDC xmlns="{NAMESPACE}">'.encode() + open_with + b"x" * 2_000_000
    with pytest.raises(BadRequestError, match="has more than"):
        await json_of(body, PacksMessage, "PPDC")


async def test_a_long_text_is_no_long_tag() -> None:
    text = "x" * 2_000_000
    body = f'<PPDC xmlns="{NAMESPACE}"><batchId>{text}</batchId></PPDC>'.encode()
    assert orjson.loads(await json_of(body, PacksMessage, "PPDC")) == {"batchId": text}
