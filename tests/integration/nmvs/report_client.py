"""A client of the report and alert interfaces, as an organisation's extractor is written."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import aiohttp

from emvs.csv_cells import unprotect
from tests.integration.running import RunningSystem

_ATTEMPTS_MAX = 400


class Answer(NamedTuple):
    """What came back."""

    status: int
    members: dict[str, Any]
    headers: dict[str, str]


class ReportClient:
    """Logged in as one participant. `await ReportClient.of(running, "nmvo", 9)`."""

    def __init__(self, running: RunningSystem, token: str) -> None:
        self._http = running.http
        self.base = f"{running.service}/verification"
        self.headers = {"Authorization": f"Bearer {token}", "emvs-api-version": "3.4"}

    @classmethod
    async def of(cls, running: RunningSystem, kind: str, number: int) -> ReportClient:
        """Register a participant and log in."""
        return await cls.back(running, await running.register(kind, number))

    @classmethod
    async def back(cls, running: RunningSystem, registration: dict[str, Any]) -> ReportClient:
        """Log in as a registered participant."""
        form = {"grant_type": "client_credentials", **registration["rest"]}
        url = f"{running.service}/connect/token"
        async with running.http.post(url, data=form) as response:
            return cls(running, (await response.json())["access_token"])

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> Answer:
        """Return the answer to a call."""
        url = path if path.startswith("http") else self.base + path
        async with self._http.request(
            method, url, json=body, params=query, headers=self.headers
        ) as response:
            assert response.content_type == "application/json", await response.text()
            return Answer(response.status, await response.json(), dict(response.headers))

    async def until_ready(self, location: str) -> aiohttp.ClientResponse:
        """Return the first answer that is no "not ready"; the caller reads it."""
        for _ in range(_ATTEMPTS_MAX):
            response = await self._http.get(location, headers=self.headers)
            if response.status != 409:
                return response
            members = await response.json()
            assert members["eta"].endswith("Z"), members
            assert "." in members["eta"]
            await asyncio.sleep(0.02)
        raise AssertionError("it never became ready")

    async def report(self, type_id: str, **parameters: Any) -> list[list[str]]:
        """Have a report made; return its lines, banner included, as a program reads them."""
        asked = {"report Type Id": type_id, "name": "N", "requested By": "B"}
        accepted = await self.ask(
            "POST", "/report/report-request", asked | {"parameters": parameters}
        )
        assert accepted.status == 202, accepted
        return await self.lines(accepted.headers["Location"])

    async def lines(self, uri: str) -> list[list[str]]:
        """Return a report's lines."""
        response = await self.until_ready(uri)
        assert response.status == 200, await response.text()
        assert response.content_type == "text/csv"
        return read_lines((await response.read()).decode(response.charset or ""))


async def times_around_now(running: RunningSystem, days: int) -> tuple[datetime, datetime]:
    """Return times so many days before and after the system's own."""
    now = datetime.fromisoformat((await running.ask_management("/clock"))["now"])
    return now - timedelta(days=days), now + timedelta(days=days)


def read_lines(text: str) -> list[list[str]]:
    """Return the lines of a CSV file."""
    rows = csv.reader(io.StringIO(text, newline=""))
    return [[unprotect(cell) for cell in row] for row in rows]


def by_column(lines: list[list[str]]) -> list[dict[str, str]]:
    """Return a report's lines by column, the banner left out."""
    header = lines[3]
    return [dict(zip(header, line, strict=True)) for line in lines[4:]]


def details(cell: str) -> dict[str, str]:
    """Return the pairs of a cell "Event Details", as a reader takes them apart."""
    pairs = cell.removesuffix(";").split("; ")
    return {key.rstrip(":"): value for key, _, value in (pair.partition(": ") for pair in pairs)}
