"""Bodies are in memory in a bounded number; those beyond wait, and are refused in time."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.integration.hub.stand import StartStand, product


@pytest.mark.parametrize("size", [1_000, 2_000_000], ids=["small", "large"])
async def test_an_upload_that_finds_no_room_in_memory_is_refused_in_time(
    start_stand: StartStand, size: int
) -> None:
    one = {"uploads_in_memory_max": 1, "small_uploads_in_memory_max": 1, "body_read_s_max": 1.0}
    stand = await start_stand("IE", limits=one)
    head = f"POST /obp/v1/PMDR HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stand.obp.token}\r\n"
    writers = []
    for _ in range(2):  # The first is read until it is too slow; the second has its place then.
        port = int(stand.hub.url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{head}Content-Length: {size}\r\n\r\n{{".encode())
        await writer.drain()
        writers.append(writer)
        # A place is waited for as long as a body: who comes at once would give up at once, too.
        await asyncio.sleep(0.3)
    await stand.obp.get("requests")
    message = {"transactionId": stand.obp.transaction_id("PMDR"), **product("IE")}
    body = msgspec.json.encode(message)
    other_size = 2_001_000 - size
    (status, problem, headers), (other, _, _) = await asyncio.gather(
        stand.obp.post("PMDR", body.ljust(size)), stand.obp.post("PMDR", body.ljust(other_size))
    )
    assert (status, problem["detail"][:16]) == (503, "too many uploads"), problem
    assert "Retry-After" in headers
    assert other == 202  # Small and large ones do not wait for each other.
    for writer in writers:
        writer.transport.abort()
