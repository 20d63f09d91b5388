"""The manufacturer's client hands in EPCIS documents over a connection that loses answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from aiohttp import web

from hub.obp import ObpClient, Profile
from tests.acceptance.fault_proxy import FaultProxy
from tests.integration.hub.stand import StartStand

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/hub/epcis.json").read_text())


async def lose_first_capture(request: web.Request, count: int) -> web.Response | None:
    if request.method == "POST" and count == 1:
        await asyncio.sleep(2)
    return None


async def test_a_capture_that_lost_its_answer_is_sent_again(
    start_stand: StartStand, tmp_path: Path
) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    await obp.product("IE")
    document = json.dumps(VECTORS["commissioning"]).encode()
    async with FaultProxy(obp.url) as proxy:
        proxy.fault = lose_first_capture
        profile = Profile(
            url=proxy.url,
            organisation_id=obp.organisation_id,
            client_id=obp.client_id,
            token=obp.token,
            journal=str(tmp_path),
            timeout_s=1.0,
        )
        async with ObpClient(profile) as client:
            job = await client.captured(await client.capture(document), timeout_s=20)
            assert client.repeat_count == 1
            assert (job.success, job.repeat_count) == (True, 0)
            assert [one.serial_count for one in job.requests] == [4]
            assert await client.capture(document) == job.captureID
    captures = await stand.hub.database.pool.fetchval("select count(*) from epcis_capture")
    assert captures == 1
