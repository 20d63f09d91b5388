"""Logging in over the wire, and a pack to ask about."""

from __future__ import annotations

from typing import Any

from tests.integration.nmvs.rest_raw_client import RawAnswer, RawConnection
from tests.integration.running import RunningSystem

CODE = "09506000134376"
WHERE = "batch=LOT1&expiry=301231"
SCANNED = "emvs-data-entry-mode: non-manual"


async def token_answer(port: int, client_id: str, client_secret: str) -> RawAnswer:
    """Ask for a token; return what comes."""
    form = f"grant_type=client_credentials&client_id={client_id}&client_secret={client_secret}"
    async with RawConnection(port) as connection:
        return await connection.ask("POST", "/identity/connect/token", body=form.encode())


async def token_of(port: int, client_id: str, client_secret: str) -> str:
    """Return a token."""
    answer = await token_answer(port, client_id, client_secret)
    assert answer.status == 200, answer
    token = answer.members["access_token"]
    assert isinstance(token, str)
    return token


async def ask_pack(
    port: int, token: str, *headers: str, serial: str = "S1", state: str | None = None
) -> RawAnswer:
    """Verify a pack, or ask for a state."""
    async with RawConnection(port) as connection:
        return await connection.ask(
            "GET" if state is None else "PATCH",
            f"/verification/product/gs1/{CODE}/pack/{serial}?{WHERE}",
            f"Authorization: Bearer {token}",
            SCANNED,
            *headers,
            body=None if state is None else b'{"state":"%s"}' % state.encode(),
        )


async def load_packs(running: RunningSystem, *serial_numbers: str) -> None:
    """Deliver packs with these serial numbers."""
    await running.deliver(
        "products",
        "product-1",
        scheme="GTIN",
        productCode=CODE,
        version=1,
        name="Examplol 10 mg",
        commonName="examplol",
        nationalCode="280012345678",
    )
    await running.deliver(
        "packs",
        "packs-1",
        productCode=CODE,
        productVersion=1,
        batchId="LOT1",
        expiry="301231",
        serialNumbers=list(serial_numbers),
    )


async def manage(
    running: RunningSystem, method: str, path: str, body: Any = None, *, status: int = 200
) -> dict[str, Any]:
    """Call the management port; return the answer."""
    async with running.http.request(method, f"{running.management}{path}", json=body) as response:
        text = await response.text()
        assert response.status == status, text
        if not text:
            return {}
        members: dict[str, Any] = await response.json(content_type=None)
        return members
