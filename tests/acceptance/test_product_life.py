"""A product's life: versions, markets that are left, recalls, withdrawals; hub and tills."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from emvs.infra.embedded_postgres import EmbeddedPostgres
from tests.acceptance.goods import Goods, master_data, stocked
from tests.acceptance.several_markets import ACTIVE, SUPPLIED, UNDONE, Markets, started

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two(postgres: EmbeddedPostgres) -> AsyncIterator[Markets]:
    """Ireland and Poland, both dialects in each."""
    async with started(
        postgres.dsn("emvs"),
        "product_life",
        "IE",
        "PL",
        dialects=("soap", "rest"),
        rules={"sync_delay_s": 0.0},
    ) as markets:
        yield markets


# One life, row by row: the message, the batch (with the version it names), the markets it names;
# how it ends, which markets take it, and why others do not.
LIFE = """
PMDR  -       IE,PL  STDS  IE,PL  -
PPDC  LOT1    -      STDS  IE,PL  -
PPDC  LOT1    -      STIV  -      batch_exists
PPDC  LOT9/2  -      STIV  -      unknown_version
PMDR  -       PL     STDS  PL     -
PPDM  LOT1/2  -      STIV  -      other_version
PPDM  LOT1/1  -      STDS  IE,PL  -
PPDM  LOT1    -      STDS  IE,PL  -
PPDM  LOT2    -      STIV  -      unknown_batch
PPDC  LOT2    -      STDS  PL     -
RCBR  LOT2    IE     STIV  -      other_market
RCBR  LOT1    IE     STDS  IE     -
RCBR  LOT1    IE     STIV  -      already_recalled
RCBR  LOT1    IE,PL  STIV  -      already_recalled
PPDM  LOT1    -      STDS  PL     recalled
RCBR  LOT1    PL     STDS  PL     -
PPDM  LOT1    -      STIV  -      no_market,recalled
PPDM  LOT2    -      STDS  PL     -
WDPR  -       IE     STDS  IE     -
WDPR  -       IE     STIV  -      already_withdrawn
WDPR  -       IE,PL  STIV  -      already_withdrawn
PMDR  -       IE,PL  STDS  IE,PL  -
PPDC  LOT3    -      STDS  PL     withdrawn
PPDM  LOT3    -      STDS  PL     withdrawn
WDPR  -       PL     STDS  PL     -
PPDC  LOT4    -      STIV  -      no_market,withdrawn
PPDM  LOT2    -      STIV  -      no_market,withdrawn
RCBR  LOT3    PL     STDS  PL     -
"""


async def test_what_the_hub_takes_in_the_life_of_a_product(two: Markets) -> None:
    goods = Goods(two)
    numbers = itertools.count(1)
    for line in LIFE.strip().splitlines():
        kind, batch, named, status, taken, rules = line.split()
        ended = await send(goods, kind, batch, named, next(numbers))
        assert ended["status"] == status, (line, ended)
        took = [entry["market"] for entry in ended["markets"] if entry["status"] == "Distributed"]
        assert sorted(took) == [market for market in taken.split(",") if market != "-"], line
        found = {defect["rule"] for defect in ended["defects"]}
        assert found == {rule for rule in rules.split(",") if rule != "-"}, (line, ended)
        assert all(defect["text"] for defect in ended["defects"])


async def send(goods: Goods, kind: str, batch: str, named: str, number: int) -> dict[str, Any]:
    """Send a row's message; return how it ended."""
    markets = named.split(",")
    if kind == "PMDR":
        return await goods.place(*markets)
    if kind == "WDPR":
        return await goods.withdraw(*markets)
    batch_id, _, version = batch.partition("/")
    if kind == "RCBR":
        return await goods.recall(*markets, batchId=batch_id)
    members: dict[str, Any] = {"productVersion": int(version)} if version else {}
    return await goods.load(f"S{number}", kind=kind, batchId=batch_id, **members)


async def test_a_version_is_made_by_the_hub_and_never_changed(two: Markets) -> None:
    goods = await stocked(two, "A1", in_markets=("IE",))
    message = master_data(goods.code, "IE", "PL") | {"productVersion": 1}
    message["transactionId"] = two.obp.transaction_id("PMDR")
    status, answer, _ = await two.obp.post("PMDR", message)
    assert status == 400, answer
    assert "productVersion" in answer["detail"]
    assert (await goods.place("IE", "PL"))["productVersion"] == 2
    more = await goods.load("A2", kind="PPDM")
    assert [entry["market"] for entry in more["markets"]] == ["IE"], "the batch stays in version 1"


async def test_a_market_that_was_left_keeps_what_it_has(two: Markets) -> None:
    goods = await stocked(two, "OLD1", "OLD2", "OLD3", in_markets=("IE", "PL"))
    assert (await goods.place("PL"))["status"] == "STDS"
    assert (await goods.load("OLD4", kind="PPDM"))["status"] == "STDS"
    assert (await goods.load("NEW1", batchId="LOT2"))["status"] == "STDS"
    # Old packs are dispensed there, and both markets still hear of each other.
    assert (await goods.rest("IE", "OLD1", "Supplied")).code == SUPPLIED
    assert (await goods.soap("PL", "G120", "OLD4")).code == "NMVS_SUCCESS"
    await two.settled()
    assert (await goods.soap("PL", "G110", "OLD1")).state == "SUPPLIED"
    assert (await goods.rest("IE", "OLD4")).state == "SUPPLIED"
    assert (await goods.rest("IE", "OLD1", "Active")).code == UNDONE
    # A new pack is Poland's: it is found, and its change is told to nobody.
    new = await goods.rest("IE", "NEW1", "Supplied", batch="LOT2")
    assert (new.code, new.intermarket) == (SUPPLIED, True)
    await two.settled()
    assert {entry["dialect"] for entry in await goods.trail("IE", "NEW1")} == {"rest"}
    # A recall of the old batch reaches the market that was left.
    assert (await goods.recall("IE"))["status"] == "STDS"
    recalled = await goods.rest("IE", "OLD2", "Supplied")
    assert (recalled.code, recalled.alert_id) == ("51221000", None)
    assert (await goods.soap("PL", "G120", "OLD2")).code == "NMVS_SUCCESS"
    # So does a withdrawal.
    assert (await goods.withdraw("IE"))["status"] == "STDS"
    assert (await goods.rest("IE", "OLD3", "Supplied")).code == "51221200"


async def test_nothing_comes_back_from_a_recall_or_a_withdrawal(two: Markets) -> None:
    serials = ("SUPPLIED", "LOCKED", "FREE")
    recalled = await stocked(two, *serials, in_markets=("IE", "PL"))
    withdrawn = await stocked(two, *serials, in_markets=("IE", "PL"))
    for goods in (recalled, withdrawn):
        assert (await goods.rest("IE", "SUPPLIED", "Supplied")).code == SUPPLIED
        assert (await goods.rest("IE", "LOCKED", "Locked")).status == 200
    assert (await recalled.recall("IE"))["status"] == "STDS"
    assert (await withdrawn.withdraw("IE"))["status"] == "STDS"
    await expect_no_return(recalled, "1000", "RECALLED")
    await expect_no_return(withdrawn, "1200", "WITHDRAWN")
    # Withdrawn before recalled; and the other market goes on.
    assert (await withdrawn.recall("IE"))["status"] == "STDS"
    assert (await withdrawn.rest("IE", "FREE")).state == "WITHDRAWN"
    for goods in (recalled, withdrawn):
        assert (await goods.rest("PL", "FREE")).code == ACTIVE
    # It is so after a restart, and after a new version that names the market again.
    assert (await withdrawn.place("IE", "PL"))["status"] == "STDS"
    await two.stop_market("IE")
    await two.start_market("IE")
    await expect_no_return(recalled, "1000", "RECALLED")
    await expect_no_return(withdrawn, "1200", "WITHDRAWN")


async def expect_no_return(goods: Goods, digits: str, state: str) -> None:
    """Nothing can be undone and nothing be decommissioned, in both dialects, without an alert."""
    for serial, name, wanted in (
        ("SUPPLIED", "G121", "Active"),
        ("LOCKED", "G171", "Active"),
    ):
        soap = await goods.soap("IE", name, serial)
        assert (soap.code, soap.alert_id) == ("NMVS_NC_PCK_29", None)
        rest = await goods.rest("IE", serial, wanted)
        assert (rest.code, rest.state, rest.alert_id) == (f"5142{digits}", state, None)
    for wanted in ("Destroyed", "Stolen", "Sample"):
        rest = await goods.rest("IE", "FREE", wanted)
        assert (rest.code, rest.alert_id) == (f"5132{digits}", None)
    seen = await goods.soap("IE", "G110", "FREE")
    assert (seen.code, seen.state) == ("NMVS_SUCCESS", state)
