"""Packs of other markets, asked for through the hub: whom it asks, who alerts, what undoes, and
what is told when the other market gives no answer.

When the hub itself gives none: `tests/integration/nmvs/test_intermarket_rows.py`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from emvs.infra.embedded_postgres import EmbeddedPostgres
from tests.acceptance.goods import Goods, participant, stocked
from tests.acceptance.several_markets import ACTIVE, SUPPLIED, UNDONE, Markets, started

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCHEMA = "intermarket"
BUDGET_S = 0.5
SLACK_S = 0.5
"""For a machine that has other things to do."""
HOUR_S = 3600


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def three(postgres: EmbeddedPostgres) -> AsyncIterator[Markets]:
    """Finland, Ireland and Poland, both dialects in each. In Finland an undo that is refused is an
    alert if it comes from another market."""
    async with started(
        postgres.dsn("emvs"),
        SCHEMA,
        "FI",
        "IE",
        "PL",
        dialects=("soap", "rest"),
        rules={"sync_delay_s": 0.0},
        rest={"token_life_s": 10 * 366 * 86_400},
        hub_limits={"intermarket_s_max": BUDGET_S},
    ) as markets:
        yield markets


# What was done to the pack in Poland; what is asked from Ireland; both codes; the market that
# raises the alert, "-" if none does.
ROWS = """
-          G110  -         SUCCESS    11110100  -
-          G120  Supplied  SUCCESS    11210200  -
Supplied   G110  -         SUCCESS    11110200  -
Supplied   G120  Supplied  NC_PCK_19  51220200  PL
Destroyed  G110  -         SUCCESS    11110300  -
Destroyed  G130  Destroyed NC_PCK_19  51320300  PL
Locked     G120  Supplied  NC_PCK_27  51220400  PL
Locked     G180  Stolen    SUCCESS    11310700  -
Supplied   G150  Sample    NC_PCK_27  51320200  PL
Supplied   G121  Active    NC_PCK_21  51420201  -
Locked     G171  Active    NC_PCK_21  51420400  -
Stolen     G171  Active    NC_PCK_29  51420700  -
-          G121  Active    NC_PCK_29  51420100  -
Supplied   G171  -         NC_PCK_06  11110200  PL
recalled   G120  Supplied  NC_PCK_30  51221000  -
recalled   G110  -         SUCCESS    11111000  -
withdrawn  G120  Supplied  NC_PCK_30  51221200  -
expired    G120  Supplied  NC_PCK_30  51221100  -
batch      G120  Supplied  FE_LOT_13  41020003  PL
expiry     G120  Supplied  FE_LOT_12  41020005  PL
serial     G120  Supplied  NC_PC_02   41020001  IE
"""


@pytest.mark.parametrize("row", ROWS.strip().splitlines())
async def test_the_market_that_holds_the_pack_answers_by_its_rules(
    three: Markets, row: str
) -> None:
    before, name, state, soap_code, rest_code, alerting = row.split()
    expiry = "200131" if before == "expired" else "301231"
    goods = await stocked(three, "A1", "A2", in_markets=("PL",), expiry=expiry)
    misread = {"batch": {"batch": "LOT9"}, "expiry": {"expiry": "311231"}}.get(before, {})
    serials = ("X1", "X2") if before == "serial" else ("A1", "A2")
    if before == "recalled":
        assert (await goods.recall("PL"))["status"] == "STDS"
    elif before == "withdrawn":
        assert (await goods.withdraw("PL"))["status"] == "STDS"
    elif before[0].isupper():
        for serial in serials:
            assert (await goods.rest("PL", serial, before)).status == 200
    soap = await goods.soap("IE", name, serials[0], **misread)
    rest = await goods.rest("IE", serials[1], None if state == "-" else state, **misread)
    assert (soap.code, rest.code) == (f"NMVS_{soap_code}", rest_code)
    here = before == "serial"  # Nobody holds it: the answer is the asking market's own.
    assert (soap.intermarket, rest.intermarket) == (not here, not here)
    assert (soap.alert_id or "-")[:2].rstrip("-") == alerting.strip("-")
    if name != "G171" or state != "-":
        assert (rest.alert_id or "-")[:2].rstrip("-") == alerting.strip("-")
    # Both markets have it on record.
    assert len(await goods.trail("IE", serials[0])) == 1
    (*_, there) = await goods.trail("PL", serials[0])
    assert (there["market"], there["dialect"]) == ("IE", "intermarket")


async def test_product_and_batch_tell_whom_to_ask(three: Markets) -> None:
    goods = await stocked(three, "OLD", in_markets=("PL",))
    assert (await goods.place("FI"))["status"] == "STDS"
    assert (await goods.load("NEW", batchId="LOT2"))["status"] == "STDS"
    for serial, batch, asked in (
        ("OLD", "LOT1", {"PL"}),
        ("NEW", "LOT2", {"FI"}),
        ("NONE", "LOT1", {"PL"}),
        ("NONE", "LOT9", {"FI", "PL"}),
    ):
        before = {market: len(await goods.trail(market, serial)) for market in ("FI", "PL")}
        await goods.rest("IE", serial, batch=batch)
        after = {market: len(await goods.trail(market, serial)) for market in ("FI", "PL")}
        assert {market for market in after if after[market] > before[market]} == asked, serial
    unknown = await Goods(three).soap("IE", "G110", "A1")
    assert (unknown.code, unknown.state, unknown.alert_id) == ("NMVS_NC_PC_01", "UNKNOWN", None)


async def test_only_the_place_that_supplied_may_undo_and_only_for_ten_days(
    three: Markets,
) -> None:
    goods = await stocked(three, "IN_TIME", "TOO_LATE", "LOCKED", in_markets=("FI",))
    for serial, state in (("IN_TIME", "Supplied"), ("TOO_LATE", "Supplied"), ("LOCKED", "Locked")):
        assert (await goods.rest("IE", serial, state)).status == 200
    # Neither at home, nor another pharmacy of the market it came from, nor one elsewhere.
    neighbour = await participant(three.running["IE"], "pharmacy", 2)
    at_home = await goods.soap("FI", "G121", "IN_TIME")
    assert (at_home.code, at_home.alert_id) == ("NMVS_NC_PCK_21", None)
    for market, by in (("IE", neighbour), ("PL", None)):
        refused = await goods.rest(market, "IN_TIME", "Active", by=by)
        assert (refused.code, (refused.alert_id or "")[:3]) == ("51420201", "FI-")

    await advance(three, 239 * HOUR_S)
    assert (await goods.rest("IE", "IN_TIME", "Active")).code == UNDONE
    assert (await goods.rest("FI", "IN_TIME")).code == ACTIVE
    await advance(three, 2 * HOUR_S)
    late = await goods.soap("IE", "G121", "TOO_LATE")
    assert (late.code, late.intermarket, (late.alert_id or "")[:3]) == (
        "NMVS_NC_PCK_20",
        True,
        "FI-",
    )
    assert (await goods.rest("IE", "TOO_LATE", "Active")).code == "51420200"
    assert (await goods.soap("IE", "G171", "LOCKED")).code == "NMVS_SUCCESS", "without limit"


async def advance(markets: Markets, seconds: int) -> None:
    """Move all clocks of national systems."""
    for running in markets.running.values():
        await running.advance_clock(seconds)


async def test_a_market_that_is_down_is_told_so_and_asked_again_later(three: Markets) -> None:
    goods = await stocked(three, "A1", in_markets=("PL",))
    await three.stop_market("PL")
    try:
        rest = await goods.rest("IE", "A1", "Supplied")
        assert (rest.status, rest.code, rest.alert_id) == (503, "B1020000", None)
        soap = await goods.soap("FI", "G120", "A1")
        assert (soap.code, soap.alert_id) == ("NMVS_TE_REQ_05", None)
    finally:
        await three.start_market("PL")
    assert (await goods.rest("IE", "A1", "Supplied")).code == SUPPLIED
    outcomes = [entry["outcome"] for entry in await goods.trail("IE", "A1")]
    assert outcomes == ["MARKET_UNREACHABLE", "DECOMMISSIONED"]


async def test_a_market_that_answers_too_late_has_acted_all_the_same(
    three: Markets, postgres: EmbeddedPostgres
) -> None:
    goods = await stocked(three, "A1", in_markets=("PL",))
    database = await asyncpg.connect(postgres.dsn("emvs"))
    try:
        async with database.transaction():  # Poland's writes wait; so do its answers.
            await database.execute(f"lock table {SCHEMA}_pl.trail in share mode")
            started_s = time.monotonic()
            late = await goods.rest("IE", "A1", "Supplied")
            took_s = time.monotonic() - started_s
            waiting = await goods.soap("FI", "G110", "A1")
    finally:
        await database.close()
    assert (late.status, late.code, late.alert_id) == (503, "B1020000", None)
    assert BUDGET_S <= took_s < BUDGET_S + SLACK_S
    assert waiting.code == "NMVS_TE_REQ_05"
    # As the text of that answer says: verify before you repeat.
    seen = await goods.rest("IE", "A1")
    assert (seen.code, seen.intermarket) == ("11110201", True), "supplied, by this pharmacy"
    again = await goods.rest("IE", "A1", "Supplied")
    assert (again.code, again.alert_id) == ("11220201", None)
    assert (await goods.rest("IE", "A1", "Active")).code == UNDONE
