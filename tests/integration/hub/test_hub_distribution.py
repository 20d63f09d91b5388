"""The outbox: in order, at least once, one at a time for each market, whatever happens there."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

from hub.app import Hub
from hub.config import HubConfig, RetryConfig
from tests.integration.hub.stand import CODE, Stand, StartStand, hub_settings, packs, product


async def send_batches(stand: Stand, count: int) -> list[str]:
    return [
        await stand.obp.send("PPDC", **packs([f"{number}A", f"{number}B"], batchId=f"L{number}"))
        for number in range(count)
    ]


def batches_applied(stand: Stand, code: str) -> list[str]:
    applied = stand.wires[code].applied.values()
    return [message["batchId"] for kind, message in applied if kind == "packs"]


@pytest.mark.parametrize(
    "faults",
    [
        ["drop_before", "drop_before"],
        ["drop_after", "", "drop_after", "drop_after"],
        ["slow"],
        ["500", "503", "401", "404"],
        ["", "drop_after", "500", "slow", "drop_before", "429"],
    ],
)
async def test_every_fault_ends_in_order_and_once(
    start_stand: StartStand, faults: list[str]
) -> None:
    stand = await start_stand("IE", "DE")
    await stand.obp.product("IE", "DE")
    wire = stand.wires["IE"]
    wire.faults = list(faults)
    sent = await send_batches(stand, 8)
    for transaction_id in sent:
        ended = await stand.obp.ended(transaction_id)
        assert ended["status"] == "STDS"
        assert [entry["loadedCount"] for entry in ended["markets"]] == [2, 2]
    for code in ("IE", "DE"):
        assert batches_applied(stand, code) == [f"L{number}" for number in range(8)]
    failing = sum(1 for fault in faults if fault)
    assert len(wire.attempts) == 9 + failing
    assert wire.in_flight_max == 1 + faults.count("slow") > 0


async def test_a_market_that_is_away_holds_up_no_other_and_loses_nothing(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE", "DE")
    await stand.obp.product("IE", "DE")
    await stand.wires["IE"].stop()
    sent = await send_batches(stand, 3)
    async with asyncio.timeout(10):
        while len(batches_applied(stand, "DE")) < 3:
            await asyncio.sleep(0.02)
    waiting = await stand.obp.ended(sent[0], until={"STLD"})
    entries = {entry["market"]: entry for entry in waiting["markets"]}
    assert (entries["IE"]["status"], entries["DE"]["status"]) == ("Waiting", "Distributed")

    async with asyncio.timeout(10):
        while not (await stand.obp.get(f"requests/{sent[0]}"))[1]["markets"][0]["lastError"]:
            await asyncio.sleep(0.02)
    _, outbox = await stand.manage("GET", "/outbox")
    (line,) = outbox["systems"]
    assert (line["system"], line["waiting"], line["connected"]) == ("IE", 3, True)
    assert line["attempts"] > 0

    await stand.wires["IE"].start()
    for transaction_id in sent:
        assert (await stand.obp.ended(transaction_id))["status"] == "STDS"
    assert batches_applied(stand, "IE") == ["L0", "L1", "L2"]
    _, outbox = await stand.manage("GET", "/outbox")
    assert outbox["systems"] == []


async def test_a_national_systems_refusal_is_its_word(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    await stand.obp.product("IE", "DE")
    stand.wires["DE"].refusal = "NMVS_FE_LOT_02"
    ended = await stand.obp.packs(["A1"])
    assert [step["status"] for step in ended["history"]] == ["STVA", "STLD", "STDF"]
    entries = {entry["market"]: entry for entry in ended["markets"]}
    assert entries["IE"]["status"] == "Distributed"
    assert (entries["DE"]["status"], entries["DE"]["attempts"]) == ("Refused", 1)
    assert entries["DE"]["lastError"].startswith("NMVS_FE_LOT_02")


async def test_a_delivery_that_cannot_be_read_there_does_not_stop_the_line(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    stand.wires["IE"].faults = ["400"]
    first, second = await send_batches(stand, 2)
    ended = await stand.obp.ended(first)
    assert (ended["status"], ended["markets"][0]["status"]) == ("STDF", "Refused")
    assert (await stand.obp.ended(second))["status"] == "STDS"


async def test_packs_that_a_market_has_already_are_named(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    await stand.obp.packs(["A1", "A2"])
    ended = await stand.obp.packs(["A2", "A3"], batchId="LOT2")
    (entry,) = ended["markets"]
    assert ended["status"] == "STDS"
    assert (entry["loadedCount"], entry["refusedCount"]) == (1, 1)
    assert entry["refusedSerials"] == [{"serialNumber": "A2", "code": "NMVS_FE_SN_02"}]


async def test_a_delivery_is_given_up_by_the_systems_clock(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    await stand.obp.product("IE", "DE")
    await stand.wires["IE"].stop()
    sent = await stand.obp.send("PPDC", **packs(["A1"]))
    await stand.obp.attempted(sent)
    await stand.manage("POST", "/clock", advance_s=6 * 86_400)
    await asyncio.sleep(0.3)
    assert (await stand.obp.get(f"requests/{sent}"))[1]["status"] == "STLD"
    await stand.manage("POST", "/clock", advance_s=86_400)
    ended = await stand.obp.ended(sent)
    entries = {entry["market"]: entry for entry in ended["markets"]}
    assert ended["status"] == "STDF"
    assert (entries["IE"]["status"], entries["DE"]["status"]) == ("Failed", "Distributed")
    assert entries["IE"]["lastError"].startswith("given up")


async def test_two_markets_of_one_system_are_told_once(start_stand: StartStand) -> None:
    stand = await start_stand("BE", "CH")
    ended = await stand.obp.product("LU", "BE", "LI")
    assert ended["status"] == "STDS"
    assert [(entry["market"], entry["system"]) for entry in ended["markets"]] == [
        ("LU", "BE"),
        ("BE", "BE"),
        ("LI", "CH"),
    ]
    assert [len(wire.attempts) for wire in stand.wires.values()] == [1, 1]


async def test_a_full_line_refuses_uploads_for_its_market_alone(start_stand: StartStand) -> None:
    stand = await start_stand(
        "IE", "DE", limits={"deliveries_waiting_per_market_max": 2}, retry=RetryConfig()
    )
    await stand.obp.product("IE", "DE")
    await stand.obp.product("DE", code="09506000117843")
    wire = stand.wires["IE"]
    wire.open_gate.clear()
    sent = await send_batches(stand, 2)
    for transaction_id in sent:
        await stand.obp.ended(transaction_id, until={"STLD"})
    message: dict[str, Any] = {
        "transactionId": stand.obp.transaction_id("PPDC"),
        **packs(["Z"], batchId="LZ"),
    }
    status, problem, headers = await stand.obp.post("PPDC", message)
    assert (status, problem["title"]) == (503, "Busy")
    assert int(headers["Retry-After"]) > 0
    other = packs(["Z"], productCode="09506000117843")
    assert (await stand.obp.ended(await stand.obp.send("PPDC", **other)))["status"] == "STDS"

    wire.open_gate.set()
    for transaction_id in sent:
        await stand.obp.ended(transaction_id)
    status, _, _ = await stand.obp.post("PPDC", message)
    assert status == 202


async def test_what_waits_is_delivered_after_a_restart(
    start_stand: StartStand, dsn: str, schema_name: str
) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    await stand.manage("POST", "/clock", advance_s=3_600)
    await stand.wires["IE"].stop()
    sent = await send_batches(stand, 3)
    await stand.obp.ended(sent[-1], until={"STLD"})
    await stand.hub.__aexit__()
    await stand.wires["IE"].start()
    async with Hub(HubConfig(**hub_settings(dsn, schema_name, stand.wires))) as hub:
        stand.obp.url = hub.url
        for transaction_id in sent:
            assert (await stand.obp.ended(transaction_id))["status"] == "STDS"
        assert hub.clock.offset_s == 3_600
    assert batches_applied(stand, "IE") == ["L0", "L1", "L2"]


async def test_many_products_at_once_each_get_their_versions_in_order(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    sent = await asyncio.gather(*(stand.obp.send("PMDR", **product("IE")) for _ in range(30)))
    versions = [
        (await stand.obp.ended(transaction_id))["productVersion"] for transaction_id in sent
    ]
    assert sorted(versions) == list(range(1, 31))
    told = [message["version"] for _, message in stand.wires["IE"].applied.values()]
    assert told == list(range(1, 31))
    assert {message["productCode"] for _, message in stand.wires["IE"].applied.values()} == {CODE}


async def test_moving_the_clock_ends_no_delivery_that_has_not_failed(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE", retry=RetryConfig())
    await stand.obp.product("IE")
    stand.wires["IE"].open_gate.clear()
    sent = await send_batches(stand, 3)
    await stand.obp.ended(sent[-1], until={"STLD"})
    await stand.manage("POST", "/clock", advance_s=241 * 3_600)
    stand.wires["IE"].open_gate.set()
    for transaction_id in sent:
        (entry,) = (await stand.obp.ended(transaction_id))["markets"]
        assert (entry["status"], entry["attempts"]) == ("Distributed", 1)


async def test_only_attempts_that_were_made_are_counted(start_stand: StartStand) -> None:
    stand = await start_stand("IE", retry=RetryConfig(first_wait_s=0.01, give_up_after_s=3_600))
    await stand.obp.product("IE")
    wire = stand.wires["IE"]
    wire.faults = ["503"] * 1_000
    sent = await stand.obp.send("PPDC", **packs(["A1"]))
    async with asyncio.timeout(10):
        while len(wire.attempts) < 3:
            await asyncio.sleep(0.01)
    await stand.manage("POST", "/clock", advance_s=3_600)
    (entry,) = (await stand.obp.ended(sent))["markets"]
    assert entry["lastError"].startswith("given up: HTTP 503")
    assert (entry["status"], entry["attempts"]) == ("Failed", len(wire.attempts) - 1)


async def test_moving_the_clock_does_not_shorten_a_wait(start_stand: StartStand) -> None:
    retry = RetryConfig(first_wait_s=600, wait_s_max=600, jitter=0)
    stand = await start_stand("IE", retry=retry)
    await stand.obp.product("IE")
    stand.wires["IE"].faults = ["503"]
    sent = await stand.obp.send("PPDC", **packs(["A1"]))

    async def left_s() -> float:
        async with asyncio.timeout(10):
            while True:
                _, outbox = await stand.manage("GET", "/outbox")
                if outbox["systems"] and (next_at := outbox["systems"][0]["nextAttemptAt"]):
                    break
                await asyncio.sleep(0.02)
        _, clock = await stand.manage("GET", "/clock")
        wait = datetime.fromisoformat(next_at) - datetime.fromisoformat(clock["now"])
        return wait.total_seconds()

    assert 500 < await left_s() <= 600
    await stand.manage("POST", "/clock", advance_s=86_400)
    assert 500 < await left_s() <= 600
    assert (await stand.obp.get(f"requests/{sent}"))[1]["status"] == "STLD"


async def test_a_market_that_was_removed_holds_up_no_other(
    start_stand: StartStand, dsn: str, schema_name: str
) -> None:
    stand = await start_stand("IE", "DE")
    await stand.obp.product("IE", "DE")
    stand.wires["DE"].open_gate.clear()
    stranded = await stand.obp.send("PPDC", **packs(["A1"]))
    await stand.obp.ended(stranded, until={"STLD"})
    await stand.hub.__aexit__()

    ireland_alone = {"IE": stand.wires["IE"]}
    async with Hub(HubConfig(**hub_settings(dsn, schema_name, ireland_alone))) as hub:
        stand.hub, stand.obp.url = hub, hub.url
        ended = await stand.obp.packs(["B1"], batchId="LOT2")
        assert ended["status"] == "STDS"
        entries = {entry["market"]: entry for entry in ended["markets"]}
        assert (entries["IE"]["status"], entries["DE"]["status"]) == ("Distributed", "Rejected")
        assert "not connected" in entries["DE"]["lastError"]
        _, health = await stand.manage("GET", "/health")
        assert health["waitingForNotConnected"] == {"DE": 1}
        _, outbox = await stand.manage("GET", "/outbox")
        assert [(line["system"], line["connected"]) for line in outbox["systems"]] == [
            ("DE", False)
        ]
