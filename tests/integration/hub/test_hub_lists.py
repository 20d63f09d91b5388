"""Lists of the hub, page by page, from either end."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.integration.hub.callback_stand import distributor, target_batch
from tests.integration.hub.stand import CODE, Obp, StartStand
from tests.integration.hub.test_hub_hostile import report
from tests.integration.hub.test_hub_links import TARGET, linked

COUNT = 5


async def listed(obp: Obp, what: str, order: str) -> list[Any]:
    """Return a whole list, read in pages of two."""
    found: list[Any] = []
    after: dict[str, str] = {}
    while True:
        status, page = await obp.get(what, limit="2", order=order, **after)
        assert status == 200, page
        assert len(page[what]) <= 2
        found += page[what]
        if not (page["hasMore"] if "hasMore" in page else page["next"]):
            return found
        after = {"after": page["next"]}


async def test_every_list_is_the_same_from_both_ends(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp, ours = stand.obp, await distributor(stand)
    await obp.product("IE")
    for number in range(COUNT):
        await obp.packs([f"A{number}"], batchId=f"L{number}")
        asked = {"transactionId": obp.transaction_id("RPRQ"), "reportType": "MARKET"}
        _, told, _ = await obp.post("RPRQ", asked)
    alerts = {"alerts": [report(number) for number in range(COUNT)]}
    headers = {"Authorization": "Bearer interconnect-token-of-IE"}
    url = f"{stand.hub.url}/nmvs/v1/alerts"
    async with stand.http.post(url, json=alerts, headers=headers) as response:
        assert response.status == 200
    sources = [{"productCode": CODE, "batchId": f"L{number}"} for number in range(COUNT)]
    await target_batch(ours, "B1")
    await linked(ours, sources=sources, targets=[TARGET])
    async with asyncio.timeout(20):
        while (await obp.get(f"reports/{told['reportId']}"))[1]["status"] == "Waiting":
            await asyncio.sleep(0.02)
    own = ((obp, what) for what in ("requests", "reports", "notices", "alerts"))
    for who, what in (*own, (ours, "links")):
        oldest = await listed(who, what, "oldest")
        assert len(oldest) >= COUNT, what
        assert await listed(who, what, "newest") == oldest[::-1]
        status, problem = await who.get(what, order="best")
        assert (status, problem["detail"]) == (400, "order is oldest or newest")
