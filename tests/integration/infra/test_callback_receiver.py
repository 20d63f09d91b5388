"""`emvs callback-receiver` as a developer runs it: a process, its lines, its answers."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from emvs.callback_signatures import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.integration.receiver_process import COMMAND, ReceiverProcess, receiving

SECRET = "secret-of-the-receiver"
StartReceiver = Callable[..., Awaitable[ReceiverProcess]]
VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "callbacks.json").read_text()
)


@pytest.fixture
async def start_receiver() -> AsyncIterator[StartReceiver]:
    """Start receivers; all end with the test."""
    async with AsyncExitStack() as exits:

        async def start(*arguments: str) -> ReceiverProcess:
            return await exits.enter_async_context(receiving(*arguments))

        yield start


async def post(url: str, body: bytes, *, secret: str = SECRET, timestamp: str = "1") -> int:
    headers = {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: sign(secret, timestamp, body)}
    async with (
        aiohttp.ClientSession() as http,
        http.post(url + "any/path", data=body, headers=headers) as response,
    ):
        return response.status


async def test_notices_are_readable_lines(start_receiver: StartReceiver) -> None:
    receiver = await start_receiver("--secret", SECRET)
    bodies = [vector["body"].encode() for vector in VECTORS]
    assert [await post(receiver.url, body) for body in bodies] == [204, 204, 204]
    assert await receiver.line() == (
        "2026-11-22T10:00:00.000Z  RCBR batch recall: 09506000134376 LOT1 in DE, IE,"
        ' "glass particles"; your batches: 09506000134352 T1  RCBRRSHEUHUB0012026326000000000101'
    )
    assert "product withdrawal: 09506000134376 in IE" in await receiver.line()
    assert "1 defects: productCode other_owner" in await receiver.line()
    assert await post(receiver.url, bodies[0]) == 204
    assert (await receiver.line()).endswith("(repeat)")


async def test_what_is_not_the_hub_s_is_refused(start_receiver: StartReceiver) -> None:
    receiver = await start_receiver("--secret", SECRET)
    body = VECTORS[0]["body"].encode()
    assert await post(receiver.url, body, secret="another secret") == 401
    assert await post(receiver.url, b"{}") == 400
    assert await post(receiver.url, b"\xff") == 400
    strange = b'{"noticeId":"x\\u001b[2J","messageType":"STVA","organisationId":"","sequence":1,'
    strange += b'"createdAt":"","content":{"defectCount":1,"defects":[1],"markets":5}}'
    assert await post(receiver.url, strange) == 204
    assert "\x1b" not in await receiver.line()
    counted = b'[{"market":"IE","status":"Distributed","outcomes":{"DECOMMISSIONED":2}}]'
    assert await post(receiver.url, strange.replace(b"[1]", b"{}").replace(b"5", counted)) == 204
    assert await receiver.line()
    plain = strange.replace(b'"defectCount":1,"defects":[1]', b'"defectCount":0')
    assert await post(receiver.url, plain.replace(b"5", counted)) == 204
    assert "IE Distributed (2 DECOMMISSIONED)" in await receiver.line()
    refused = b'[{"market":"IE","status":"Distributed","loadedCount":0,"refusedCount":3}]'
    assert await post(receiver.url, plain.replace(b"5", refused)) == 204
    assert "IE Distributed (0 packs loaded, 3 refused)" in await receiver.line()
    async with aiohttp.ClientSession() as http, http.get(receiver.url) as response:
        assert response.status == 405


async def test_it_fails_on_purpose_and_prints_json(start_receiver: StartReceiver) -> None:
    receiver = await start_receiver("--fail", "2", "--json")
    body = VECTORS[1]["body"].encode()
    assert [await post(receiver.url, body) for _ in range(3)] == [503, 503, 204]
    assert json.loads(await receiver.line()) == json.loads(body)
    assert await receiver.stop(signal.SIGINT) == 0


async def test_a_taken_port_is_one_sentence(start_receiver: StartReceiver) -> None:
    receiver = await start_receiver()
    port = receiver.url.rpartition(":")[2].strip("/")
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, "callback-receiver", "--port", port),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(second.communicate(), 30)
    assert (second.returncode, said.count(b"\n")) == (1, 1)
    assert f"cannot listen on 127.0.0.1:{port}".encode() in said
