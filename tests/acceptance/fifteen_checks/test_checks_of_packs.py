"""Checks 1 to 5 and 10: one market, its packs, their states and what is printed on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from emvs.infra.embedded_postgres import EmbeddedPostgres
from tests.acceptance.fifteen_checks.open_loop import PRESETS, measure, p95_ms
from tests.acceptance.goods import Goods, Participant, participant, stocked
from tests.acceptance.several_markets import ACTIVE, SUPPLIED, UNDONE, Markets
from tests.integration.processes import running_process
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR_S = 3600
LIMIT_MS = 300
"""Art. 35(1)(f): for at least 95 % of queries, the network not counted."""


async def test_check_01_answers_come_in_time_at_the_peak_second(europe: Markets) -> None:
    """The smallest preset for three seconds; the next test, not in the suite, has them all."""
    serials = [f"P{number}" for number in range(100)]
    goods = await stocked(europe, *serials, in_markets=("IE",))
    pharmacy = Participant(europe.tills["IE"], europe.soap_tills["IE"])
    identity = (goods.code, goods.batch, goods.expiry)
    rate = PRESETS["small"]
    waits_s = await measure(pharmacy, identity, serials, rate_per_s=rate, seconds=3)
    assert len(waits_s) == rate * 3
    assert p95_ms(waits_s) < LIMIT_MS


@pytest.mark.bench
@pytest.mark.timeout(300)
@pytest.mark.parametrize("preset", PRESETS)
async def test_check_01_in_full(
    postgres: EmbeddedPostgres,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    preset: str,
    europe: Markets,
) -> None:
    """Each preset's peak second for half a minute, against a system that is its own process."""
    config = {
        "market": "IE",
        "dsn": postgres.dsn("emvs"),
        "schema": f"check_01_{preset.replace(' ', '_')}",
        "interconnect_token": INTERCONNECT_TOKEN,
        "dialects": ["soap", "rest"],
    }
    async with running_process("nmvs", config, tmp_path) as nmvs:
        running = RunningSystem(europe.http, nmvs.ready, passwords_expire=False)
        serials = await running.load_packs(20_000)
        identity = (running.product_code, running.batch_id, running.expiry)
        pharmacy = await participant(running, "pharmacy", 1)
        rate = PRESETS[preset]
        waits_s = await measure(pharmacy, identity, serials, rate_per_s=rate, seconds=30)
    with capsys.disabled():
        print(f"{preset}: {rate}/s, p95 {p95_ms(waits_s):.1f} ms")  # noqa: T201 - a bench tells.
    assert p95_ms(waits_s) < LIMIT_MS


async def test_check_02_a_stored_serial_number_is_refused(europe: Markets) -> None:
    goods = await stocked(europe, "A1", in_markets=("IE", "PL"))
    assert (await goods.rest("IE", "A1", "Supplied")).code == SUPPLIED
    again = await goods.load("A1", "A2", kind="PPDM")
    assert again["status"] == "STDS"
    for market in again["markets"]:
        assert market["loadedCount"] == 1
        assert market["refusedSerials"] == [{"serialNumber": "A1", "code": "NMVS_FE_SN_02"}]
    assert (await goods.rest("IE", "A1")).code == "11110201", "the stored one is as it was"
    assert (await goods.rest("IE", "A2")).code == ACTIVE
    twice = await goods.load("A3", "A3", kind="PPDM")
    assert (twice["status"], twice["defects"][0]["rule"]) == ("STIV", "duplicate")


async def test_check_03_an_undo_has_ten_days_and_one_place(europe: Markets) -> None:
    serials = ("IN_TIME", "TOO_LATE", "LOCKED", "DESTROYED", "STOLEN")
    goods = await stocked(europe, *serials, in_markets=("IE",))
    stranger = await participant(europe.running["IE"], "pharmacy", 2)
    await goods.rest("IE", "IN_TIME", "Supplied")
    await goods.rest("IE", "TOO_LATE", "Supplied")
    await goods.rest("IE", "LOCKED", "Locked")
    await goods.rest("IE", "DESTROYED", "Destroyed")
    await goods.rest("IE", "STOLEN", "Stolen")
    for serial, code in (("IN_TIME", "51420201"), ("LOCKED", "51420400")):
        assert (await goods.rest("IE", serial, "Active", by=stranger)).code == code
    elsewhere = await goods.soap("IE", "G121", "IN_TIME", by=stranger)
    assert (elsewhere.code, elsewhere.alert_id) == ("NMVS_NC_PCK_21", None)

    await europe.running["IE"].advance_clock(239 * HOUR_S)
    assert (await goods.rest("IE", "IN_TIME", "Active")).code == UNDONE
    await europe.running["IE"].advance_clock(2 * HOUR_S)
    assert (await goods.soap("IE", "G121", "TOO_LATE")).code == "NMVS_NC_PCK_20"
    assert (await goods.rest("IE", "TOO_LATE", "Active")).code == "51420200"
    await europe.running["IE"].advance_clock(400 * 24 * HOUR_S)
    assert (await goods.soap("IE", "G171", "LOCKED")).code == "NMVS_SUCCESS"
    assert (await goods.rest("IE", "DESTROYED", "Active")).code == "51420301"
    assert (await goods.rest("IE", "STOLEN", "Active")).code == "51420700"


async def test_check_04_what_the_batch_explains_raises_no_alert(europe: Markets) -> None:
    old = await stocked(europe, "A1", in_markets=("IE",), expiry="200131")
    await expect_refusal(old, "51221100", "EXPIRED")
    recalled = await stocked(europe, "A1", in_markets=("IE",))
    assert (await recalled.recall("IE"))["status"] == "STDS"
    await expect_refusal(recalled, "51221000", "RECALLED")
    withdrawn = await stocked(europe, "A1", in_markets=("IE",))
    assert (await withdrawn.withdraw("IE"))["status"] == "STDS"
    await expect_refusal(withdrawn, "51221200", "WITHDRAWN")


async def expect_refusal(goods: Goods, code: str, state: str) -> None:
    """Supply is refused for that reason in both dialects, without an alert."""
    rest = await goods.rest("IE", "A1", "Supplied")
    assert (rest.status, rest.code, rest.state, rest.alert_id) == (409, code, state, None)
    soap = await goods.soap("IE", "G120", "A1")
    assert (soap.code, soap.state, soap.alert_id) == ("NMVS_NC_PCK_30", state, None)


async def test_check_05_the_fourth_supply_at_one_place_is_one_alert(europe: Markets) -> None:
    goods = await stocked(europe, "A1", in_markets=("IE",))
    scans = [await goods.soap("IE", "G120", "A1") for _ in range(4)]
    assert [scan.code for scan in scans] == [
        "NMVS_SUCCESS",
        "NMVS_NC_PCK_23",
        "NMVS_NC_PCK_23",
        "NMVS_NC_PCK_22",
    ]
    assert [scan.alert_id is not None for scan in scans] == [False, False, False, True]
    listed = (await europe.running["IE"].ask_management("/alerts"))["alerts"]
    (alert,) = [one for one in listed if one["productCode"] == goods.code]
    assert (alert["alertId"], alert["code"]) == (scans[3].alert_id, "A7")


async def test_check_10_month_only_is_another_date_than_the_last_day(europe: Markets) -> None:
    goods = await stocked(europe, "A1", in_markets=("IE",), expiry="301100")
    assert (await goods.rest("IE", "A1")).code == ACTIVE
    rest = await goods.rest("IE", "A1", expiry="301130")
    assert (rest.status, rest.code) == (404, "41020005")
    soap = await goods.soap("IE", "G120", "A1", expiry="301130")
    assert soap.code == "NMVS_FE_LOT_12"
    listed = (await europe.running["IE"].ask_management("/alerts"))["alerts"]
    codes = {alert["alertId"]: alert["code"] for alert in listed}
    assert [codes[answer.alert_id or ""] for answer in (rest, soap)] == ["A52", "A52"]
