"""How much memory the hub needs while many large JSON messages come at once: `pytest -m bench -s`.

The bound is written in docs/ways-in.md.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import msgspec
import pytest

from emvs.limits import SERIAL_LENGTH_MAX, SERIALS_PER_MESSAGE_MAX
from tests.integration.hub.national_wire import NationalWire
from tests.integration.hub.stand import Obp, packs, register
from tests.integration.hub.test_hub_process import HubProcess, process_settings

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

AT_ONCE = 16
CAPTURED = 500_000
GROWTH_MIB_MAX = 512
"""Eight are in memory at a time (`uploads_in_memory_max`)."""


def message(obp: Obp, number: int, *, escaped: bool) -> bytes:
    """Return as many packs as a message may have, as JSON; each character as \\uXXXX if wanted."""
    serials = [f"{number:03}{n:0{SERIAL_LENGTH_MAX - 3}}" for n in range(SERIALS_PER_MESSAGE_MAX)]
    head = {"transactionId": obp.transaction_id("PPDC"), **packs([], batchId=f"M{number}")}
    if not escaped:
        return msgspec.json.encode(head | {"serialNumbers": serials})
    texts = ('"' + "".join(f"\\u{ord(one):04x}" for one in text) + '"' for text in serials)
    return msgspec.json.encode(head).replace(b"[]", b"[" + ",".join(texts).encode() + b"]")


@pytest.mark.parametrize("escaped", [False, True], ids=["plain", "escaped"])
async def test_large_json_messages_at_once_need_a_bounded_amount_of_memory(
    escaped: bool,
    dsn: str,
    schema_name: str,
    http: aiohttp.ClientSession,
    start_wires: Callable[..., Awaitable[dict[str, NationalWire]]],
    tmp_path: Path,
) -> None:
    wires = await start_wires("IE")
    hub = HubProcess("hub", process_settings(dsn, schema_name, wires), tmp_path)
    await hub.start()
    await register(http, hub.ready["management"])
    obp = Obp(hub.ready["url"], http)
    await obp.product("IE")
    rows = [("at start", hub.memory_bytes_max >> 20)]
    for at_once in (1, 4, AT_ONCE):
        bodies = [
            message(obp, 100 * at_once + number, escaped=escaped) for number in range(at_once)
        ]
        timeout = aiohttp.ClientTimeout(total=300)
        answers = await asyncio.gather(
            *(obp.post("PPDC", body, timeout=timeout) for body in bodies)
        )
        assert {status for status, _, _ in answers} == {202}
        rows.append(
            (f"{at_once} at once of {len(bodies[0]) >> 20} MiB", hub.memory_bytes_max >> 20)
        )
    assert await hub.stop() == 0
    for row in rows:
        sys.stdout.write(f"{row[0]}: {row[1]} MiB\n")
    assert rows[-1][1] - rows[0][1] < GROWTH_MIB_MAX


async def test_large_captures_at_once_need_a_bounded_amount_of_memory(
    dsn: str,
    schema_name: str,
    http: aiohttp.ClientSession,
    start_wires: Callable[..., Awaitable[dict[str, NationalWire]]],
    tmp_path: Path,
) -> None:
    hub = HubProcess("hub", process_settings(dsn, schema_name, await start_wires("IE")), tmp_path)
    await hub.start()
    await register(http, hub.ready["management"])
    obp = Obp(hub.ready["url"], http)
    await obp.product("IE")
    at_start = hub.memory_bytes_max >> 20

    async def capture(number: int) -> None:
        packs = (f"urn:epc:id:sgtin:9506000.013437.{number}X{n:018}" for n in range(CAPTURED))
        event = {
            "type": "ObjectEvent",
            "eventTime": "2026-11-22T10:00:00Z",
            "eventTimeZoneOffset": "+01:00",
            "action": "ADD",
            "bizStep": "commissioning",
            "epcList": list(packs),
            "ilmd": {"cbvmda:lotNumber": f"E{number}", "cbvmda:itemExpirationDate": "2030-12-31"},
        }
        document = {"type": "EPCISDocument", "schemaVersion": "2.0"}
        body = msgspec.json.encode(document | {"epcisBody": {"eventList": [event]}})
        assert len(body) > 25 << 20
        headers = {"Authorization": f"Bearer {obp.token}", "Content-Type": "application/json"}
        url = f"{obp.url}/epcis/capture"
        timeout = aiohttp.ClientTimeout(total=300)
        sent = io.BytesIO(body)
        async with http.post(url, data=sent, headers=headers, timeout=timeout) as response:
            assert response.status == 202, await response.text()

    rows = []
    for at_once in (1, 6):
        await asyncio.gather(*(capture(10 * at_once + number) for number in range(at_once)))
        rows.append((f"{at_once} captures at once", hub.memory_bytes_max >> 20))
    assert await hub.stop() == 0
    for row in [("at start", at_start), *rows]:
        sys.stdout.write(f"{row[0]}: {row[1]} MiB\n")
    assert rows[-1][1] - at_start < GROWTH_MIB_MAX
