"""A client of bulk and recovery that reads only what real ones read: status, Location, eta."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import aiohttp
import orjson

from tests.integration.running import RunningSystem

DONE_S_MAX = 30.0


class BulkAnswer(NamedTuple):
    """Status, headers and body."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    members: dict[str, Any]

    @property
    def codes(self) -> list[str]:
        """Operation code of each pack's result."""
        return [each["result"]["operationCode"] for each in self.members["packs"]]


class BulkClient:
    """One equipment, logged in."""

    def __init__(self, system: RunningSystem, registration: dict[str, Any]) -> None:
        self.system = system
        self._login = registration["rest"]
        self.token = ""

    async def log_in(self) -> BulkClient:
        """Fetch a token."""
        form = {"grant_type": "client_credentials", **self._login}
        url = f"{self.system.service}/connect/token"
        async with self.system.http.post(url, data=form) as response:
            assert response.status == 200, await response.text()
            self.token = (await response.json())["access_token"]
        return self

    def pack(self, serial_number: str, **other: Any) -> dict[str, Any]:
        """Return a pack of the system's product as it stands in a request."""
        return {
            "productCodeScheme": "gs1",
            "productCode": self.system.product_code,
            "serialNumber": serial_number,
            "batchId": self.system.batch_id,
            "expiryDate": self.system.expiry,
        } | other

    async def post(self, path: str, body: Any) -> BulkAnswer:
        """Submit a body, bytes or what becomes JSON."""
        content = io.BytesIO(body if isinstance(body, bytes) else orjson.dumps(body))
        async with self.system.http.post(
            self.system.service + path, headers=self._headers(), data=content
        ) as response:
            return await _answer(response)

    async def get(self, location: str) -> BulkAnswer:
        """Ask for a result once."""
        async with self.system.http.get(location, headers=self._headers()) as response:
            return await _answer(response)

    def _headers(self) -> dict[str, str]:
        # The mode is sent on all calls by real clients, though none of these wants it.
        return {"Authorization": f"Bearer {self.token}", "emvs-data-entry-mode": "non-manual"}

    async def submit(
        self, packs: Sequence[Any], state: str | None = None, path: str = "/product/packs"
    ) -> str:
        """Submit packs; return the address of the result."""
        body: dict[str, Any] = {"numberOfPacks": len(packs), "packs": packs}
        if state is not None:
            body = {"state": state} | body
        answer = await self.post(path, body)
        assert answer.status == 202, answer
        return answer.headers["location"]

    async def result(self, location: str) -> BulkAnswer:
        """Ask until the result is there."""
        async with asyncio.timeout(DONE_S_MAX):
            while (answer := await self.get(location)).status == 409:
                assert answer.members.keys() == {"operationCode", "information", "eta"}
                await asyncio.sleep(0.02)
        assert answer.status == 200, answer
        assert "eta" not in answer.members
        assert "location" not in answer.headers
        return answer

    async def codes(
        self, packs: Sequence[Any], state: str | None = None, path: str = "/product/packs"
    ) -> list[str]:
        """Submit packs and return the operation codes of their results."""
        answer = await self.result(await self.submit(packs, state, path))
        assert [each["pack"] for each in answer.members["packs"]] == list(packs)
        return answer.codes


async def client_of(system: RunningSystem, kind: str = "wholesaler", number: int = 1) -> BulkClient:
    """Register a participant and log it in."""
    return await BulkClient(system, await system.register(kind, number)).log_in()


async def _answer(response: aiohttp.ClientResponse) -> BulkAnswer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return BulkAnswer(response.status, headers, await response.json())
