"""Checks 6 to 9 and 12: packs between markets, and what the manufacturer does to them."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.acceptance.goods import Goods, stocked
from tests.acceptance.several_markets import ACTIVE, SUPPLIED, UNDONE, Markets, token

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_check_06_a_supply_is_known_in_the_other_markets(europe: Markets) -> None:
    goods = await stocked(europe, "A1", in_markets=("IE", "PL"))
    assert (await goods.rest("IE", "A1", "Supplied")).code == SUPPLIED
    await europe.settled()
    there = await goods.soap("PL", "G110", "A1")
    assert (there.code, there.state, there.intermarket) == ("NMVS_SUCCESS", "SUPPLIED", False)
    refused = await goods.soap("PL", "G120", "A1")
    assert (refused.code, (refused.alert_id or "")[:3]) == ("NMVS_NC_PCK_22", "PL-")

    await load_in_one_market(goods, "IE", "ONLY_IN_IE")
    assert (await goods.rest("IE", "ONLY_IN_IE")).code == ACTIVE
    missing = await goods.soap("PL", "G110", "ONLY_IN_IE")
    assert (missing.code, (missing.alert_id or "")[:3]) == ("NMVS_NC_PC_02", "PL-")
    listed = (await europe.running["PL"].ask_management("/alerts"))["alerts"]
    assert [one["code"] for one in listed if one["alertId"] == missing.alert_id] == ["A3"]


async def load_in_one_market(goods: Goods, market: str, serial: str) -> None:
    """Deliver a pack to one of its markets alone, as a distribution does that has not ended."""
    port = goods.markets.running[market].ports["interconnect"]
    packs = {"productCode": goods.code, "productVersion": 1, "serialNumbers": [serial]}
    async with goods.markets.http.put(
        f"http://127.0.0.1:{port}/hub/v1/packs/half-way-{goods.code}",
        json=packs | {"batchId": goods.batch, "expiry": goods.expiry},
        headers={"Authorization": f"Bearer {token(market)}"},
    ) as response:
        assert (await response.json())["loadedCount"] == 1


async def test_check_07_a_pack_is_supplied_and_undone_through_another_market(
    europe: Markets,
) -> None:
    goods = await stocked(europe, "P1", in_markets=("PL",))
    seen = await goods.soap("AT", "G110", "P1")
    assert (seen.code, seen.state, seen.intermarket) == ("NMVS_SUCCESS", "ACTIVE", True)
    supplied = await goods.rest("IE", "P1", "Supplied")
    assert (supplied.code, supplied.intermarket) == (SUPPLIED, True)
    at_home = await goods.soap("PL", "G110", "P1")
    assert (at_home.state, at_home.intermarket) == ("SUPPLIED", False)
    refused = await goods.soap("AT", "G120", "P1")
    assert (refused.code, refused.intermarket) == ("NMVS_NC_PCK_19", True)
    assert (refused.alert_id or "").startswith("PL-"), "the market that answers raises the alert"
    assert [entry["market"] for entry in await goods.trail("PL", "P1")] == ["AT", "IE", "PL", "AT"]
    undone = await goods.rest("IE", "P1", "Active")
    assert (undone.code, undone.intermarket) == (UNDONE, True)
    assert (await goods.soap("PL", "G110", "P1")).state == "ACTIVE"


async def test_check_08_who_leaves_a_market_leaves_its_old_batches(europe: Markets) -> None:
    goods = await stocked(europe, "OLD1", "OLD2", in_markets=("IE", "PL"))
    assert (await goods.place("PL"))["productVersion"] == 2
    later = await goods.load("NEW1", batchId="LOT2")
    assert [entry["market"] for entry in later["markets"]] == ["PL"]
    assert (await goods.rest("IE", "OLD1", "Supplied")).code == SUPPLIED
    new = await goods.rest("IE", "NEW1", batch="LOT2")
    assert (new.code, new.intermarket) == (ACTIVE, True), "only Poland has it"


async def test_check_09_a_recall_is_final_and_stops_uploads(europe: Markets) -> None:
    goods = await stocked(europe, "A1", "A2", in_markets=("IE", "PL"))
    assert (await goods.rest("IE", "A1", "Supplied")).code == SUPPLIED
    assert (await goods.recall("IE", "PL"))["status"] == "STDS"
    undo = await goods.rest("IE", "A1", "Active")
    assert (undo.code, undo.alert_id) == ("51421000", None)
    assert (await goods.soap("PL", "G120", "A2")).code == "NMVS_NC_PCK_30"
    again = await goods.recall("IE", "PL")
    assert again["status"] == "STIV"
    assert [defect["rule"] for defect in again["defects"]] == ["already_recalled"] * 2
    more = await goods.load("A3", kind="PPDM")
    assert more["status"] == "STIV"
    assert {defect["rule"] for defect in more["defects"]} == {"recalled", "no_market"}


async def test_check_12_a_replay_after_an_outage_doubles_but_damages_nothing(
    europe: Markets,
) -> None:
    serials = [f"A{number}" for number in range(5)]
    goods = await stocked(europe, *serials, in_markets=("IE", "PL"))
    await europe.stop_market("IE")
    with pytest.raises(aiohttp.ClientError):
        await goods.rest("IE", "A0", "Supplied")  # What the till keeps and sends again later.
    await europe.start_market("IE")
    first = await asyncio.gather(*(goods.rest("IE", serial, "Supplied") for serial in serials))
    assert {answer.code for answer in first} == {SUPPLIED}
    await europe.settled()
    before = [await goods.trail("PL", serial) for serial in serials]

    # The till has lost the answers, and its buffer is sent thrice more.
    for expected, alerts in (("11220201", 0), ("11220201", 0), ("51220201", len(serials))):
        replayed = await asyncio.gather(
            *(goods.rest("IE", serial, "Supplied") for serial in serials)
        )
        assert {answer.code for answer in replayed} == {expected}
        assert len({answer.alert_id for answer in replayed} - {None}) == alerts
    await europe.settled()
    assert [await goods.trail("PL", serial) for serial in serials] == before
    assert (await goods.soap("PL", "G110", "A0")).state == "SUPPLIED"
    assert (await goods.rest("IE", "A0", "Active")).code == UNDONE, "as if it had been sent once"
    await europe.assert_sound()
