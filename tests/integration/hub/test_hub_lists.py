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


async def paged(obp: Obp, path: str, member: str, **query: str) -> list[Any]:
    """Return all of what a status has no room for."""
    found: list[Any] = []
    after: int | None = 0
    while after is not None:
        status, page = await obp.get(path, after=str(after), limit="700", **query)
        assert status == 200, page
        found += page[member]
        after = page["next"]
    return found


async def test_what_a_status_has_no_room_for_can_be_read_in_pages(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    await obp.product("IE")
    bad = await obp.packs([f"ä{number}" for number in range(2_300)])
    assert (bad["status"], bad["defectCount"], bad["defectsTruncated"]) == ("STIV", 2_300, True)
    path = f"requests/{bad['transactionId']}/defects"
    defects = await paged(obp, path, "defects")
    assert [one["value"] for one in defects] == [f"ä{number}" for number in range(2_300)]
    assert defects[:1_000] == bad["defects"]

    serial_numbers = [f"A{number}" for number in range(1_500)]
    few = await obp.packs(serial_numbers)
    assert (few["defectsTruncated"], few["markets"][0]["refusedTruncated"]) == (False, False)
    again = await obp.packs(serial_numbers, batchId="LOT2")
    (entry,) = again["markets"]
    assert (entry["refusedCount"], entry["refusedTruncated"]) == (1_500, True)
    path = f"requests/{again['transactionId']}/refused"
    refused = await paged(obp, path, "packs", market="IE")
    assert [one["serialNumber"] for one in refused] == serial_numbers
    for query, status in (
        ({}, 400),
        ({"market": "DE"}, 404),
        ({"market": "IE", "limit": "0"}, 400),
    ):
        assert (await obp.get(path, **query))[0] == status

    await stand.manage("POST", "/clock", advance_s=31 * 86_400)
    pool = stand.hub.database.pool
    async with asyncio.timeout(30):
        while await pool.fetchval("select count(*) from refused_page, defect_page"):
            stand.hub.retention.bell.set()
            await asyncio.sleep(0.02)
