"""How much memory the hub needs while many large JSON messages come at once: `pytest -m bench -s`.

The bound is written in docs/ways-in.md.
"""

from __future__ import annotations

import asyncio
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
