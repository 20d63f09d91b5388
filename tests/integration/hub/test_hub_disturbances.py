"""Distribution slowed down, stopped and put out of order on purpose; nothing is ever lost."""

from __future__ import annotations

import asyncio
from random import Random
from statistics import quantiles
from typing import Any

import pytest

from hub.app import Hub
from hub.config import HubConfig
from hub.distribution_settings import PUBLISHED, DistributionChange, delay_s
from tests.integration.hub.stand import CODE, Stand, StartStand, hub_settings, packs

HOUR = 3_600


async def patch(stand: Stand, market: str, **change: Any) -> dict[str, Any]:
    status, answer = await stand.manage("PATCH", f"/distribution/{market}", **change)
    assert status == 200, answer
    return answer


def kinds_applied(stand: Stand, code: str) -> list[str]:
    return [kind for kind, _ in stand.wires[code].applied.values()]


async def test_a_slow_market_is_told_when_its_time_has_come(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    await stand.obp.product("IE", "DE")
    await patch(stand, "IE", delay={"medianS": HOUR, "p95S": HOUR})
    sent = await stand.obp.send("PPDC", **packs(["A1"]))
    more = await stand.obp.send("PPDM", **packs(["A2"]))
    await stand.obp.ended(more, until={"STLD"})
    async with asyncio.timeout(20):
        while len(stand.wires["DE"].applied) < 3:
            await asyncio.sleep(0.02)
    status = (await stand.obp.get(f"requests/{sent}"))[1]
    waiting = next(entry for entry in status["markets"] if entry["system"] == "IE")
    assert waiting["status"] == "Waiting"
    assert waiting["dueAt"] > waiting["originalAt"]
    # What is not slowed down any more still keeps its place behind what is.
    await patch(stand, "IE", delay=None)
    state = {"productCode": CODE, "batchId": "LOT1", "serialNumbers": ["A1"], "state": "Destroyed"}
    update = await stand.obp.send("PSUDC", **state)
    await stand.obp.ended(update, until={"STLD"})
    assert kinds_applied(stand, "IE") == ["products"]
    await stand.manage("POST", "/clock", advance_s=HOUR + 60)
    await stand.obp.ended(update)
    assert kinds_applied(stand, "IE") == ["products", "packs", "packs", "states"]
    assert (await stand.obp.ended(sent))["status"] == "STDS"


def test_the_published_delay_has_the_published_shape() -> None:
    random = Random(1)
    drawn = [delay_s(PUBLISHED, random) for _ in range(20_000)]
    cuts = quantiles(drawn, n=20)
    assert cuts[9] == pytest.approx(120, rel=0.05)
    assert cuts[18] == pytest.approx(1800, rel=0.1)


async def test_a_stopped_market_loses_nothing_in_a_day_and_a_restart(
    start_stand: StartStand, dsn: str, schema_name: str
) -> None:
    stand = await start_stand("IE", "DE")
    placed = await stand.obp.product("IE", "DE")
    assert [entry["replayed"] for entry in placed["markets"]] == [False, False]
    await patch(stand, "IE", paused=True)
    sent = [await stand.obp.send("PPDC", **packs([f"{n}A"], batchId=f"L{n}")) for n in range(5)]
    await stand.obp.ended(sent[-1], until={"STLD"})
    await stand.manage("POST", "/clock", advance_s=86_400)
    _, outbox = await stand.manage("GET", "/outbox")
    lines = {line["system"]: (line["paused"], line["waiting"]) for line in outbox["systems"]}
    assert lines["IE"] == (True, 5)
    await stand.hub.__aexit__()
    hub = Hub(HubConfig(**hub_settings(dsn, schema_name, stand.wires)))
    async with hub:
        again = Stand(hub, stand.wires, stand.obp, stand.http)
        stand.obp.url = hub.url
        _, told = await again.manage("GET", "/distribution")
        assert told["systems"]["IE"]["paused"] is True
        await patch(again, "IE", paused=False)
        for transaction_id in sent:
            ended = await again.obp.ended(transaction_id)
            assert ended["status"] == "STDS"
            entry = next(entry for entry in ended["markets"] if entry["system"] == "IE")
            assert entry["replayed"] is True
            assert entry["at"] > entry["originalAt"]
        applied = [
            message["batchId"]
            for kind, message in stand.wires["IE"].applied.values()
            if kind == "packs"
        ]
        assert applied == [f"L{n}" for n in range(5)]


async def test_a_market_that_is_away_for_a_day_gets_everything_with_both_times(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    await stand.obp.packs(["A1"])
    await stand.wires["IE"].stop()
    state = {"productCode": CODE, "batchId": "LOT1", "serialNumbers": ["A1"], "state": "Locked"}
    update = await stand.obp.send("PSUDC", **state)
    tried = await stand.obp.attempted(update)
    assert tried["markets"][0]["replayed"] is False
    await stand.manage("POST", "/clock", advance_s=86_400)
    await stand.obp.attempted(update, tried["markets"][0]["attempts"] + 1)
    await stand.wires["IE"].start()
    entry = (await stand.obp.ended(update))["markets"][0]
    assert entry["replayed"] is True
    assert entry["originalAt"][:10] < entry["at"][:10]
    kind, told = list(stand.wires["IE"].applied.values())[-1]
    assert kind == "states"
    assert told["requestedAt"] > 0


async def test_messages_are_swapped_and_state_updates_overtake_packs(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    await obp.product("IE")
    await patch(stand, "IE", swapNext=3)
    sent = [await obp.send("PPDC", **packs([f"{n}A"], batchId=f"L{n}")) for n in range(3)]
    for transaction_id in sent:
        await obp.ended(transaction_id)
    applied = [
        told["batchId"] for kind, told in stand.wires["IE"].applied.values() if kind == "packs"
    ]
    assert applied == ["L2", "L1", "L0"]

    await patch(stand, "IE", statesFirst=1)
    upload = await obp.send("PPDC", **packs(["Z1"], batchId="LZ"))
    await obp.ended(upload, until={"STLD"})
    state = {"productCode": CODE, "batchId": "LZ", "serialNumbers": ["Z1"], "state": "Destroyed"}
    update = await obp.ended(await obp.send("PSUDC", **state))
    await obp.ended(upload)
    assert kinds_applied(stand, "IE")[-2:] == ["states", "packs"]
    assert update["markets"][0]["outcomes"] == {"SERIAL_UNKNOWN": 1}
    assert (await stand.manage("GET", "/distribution"))[1]["systems"]["IE"] == {
        "paused": False, "delay": None, "swapNext": 0, "statesFirst": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("market", "change", "status", "says"),
    [
        ("IE", {"paused": True}, 200, ""),
        ("FR", {"paused": True}, 404, "not connected"),
        ("IE", {"delay": "published"}, 200, ""),
        ("IE", {"delay": "slow"}, 400, "published"),
        ("IE", {"delay": {"medianS": 0, "p95S": 1}}, 400, "median"),
        ("IE", {"delay": {"medianS": 5, "p95S": 1}}, 400, "median"),
        ("IE", {"delay": {"medianS": 1, "p95S": 1e9}}, 400, "86400"),
        ("IE", {"swapNext": 65}, 400, "64"),
        ("IE", {"pause": True}, 400, "pause"),
    ],
)  # fmt: skip
async def test_settings_are_checked(
    start_stand: StartStand, market: str, change: dict[str, Any], status: int, says: str
) -> None:
    stand = await start_stand("IE")
    got, answer = await stand.manage("PATCH", f"/distribution/{market}", **change)
    assert (got, says in str(answer)) == (status, True), answer


async def test_a_fault_that_ends_undoes_no_setting_made_meanwhile(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    distribution = stand.hub.distribution
    for paused in (True, False):
        await distribution.change("IE", DistributionChange(swap_next=2))
        await asyncio.gather(
            distribution.change("IE", DistributionChange(paused=paused)),
            distribution.used("IE", swapped=True),
        )
        setting = distribution.of("IE")
        assert (setting.paused, setting.swap_next) == (paused, 0)
        await distribution.load()
        assert distribution.of("IE") == setting
