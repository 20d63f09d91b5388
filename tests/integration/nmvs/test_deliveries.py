"""What the hub delivers, applied once, refused clearly, and there again after a restart."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import pytest

from emvs.errors import ConfigurationError
from emvs.limits import SERIALS_PER_MESSAGE_MAX
from tests.integration.clients import RestTill
from tests.integration.conftest import StartSystem
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem, gtin, json_stream


def packs(running: RunningSystem, serials: list[str], **other: object) -> dict[str, object]:
    return {
        "productCode": running.product_code,
        "productVersion": 1,
        "batchId": "LOT1",
        "expiry": "301231",
        "serialNumbers": serials,
    } | other


async def test_the_same_delivery_is_answered_the_same_and_loads_once(
    national_system: RunningSystem,
) -> None:
    running = national_system
    await running.load_packs(1)
    message = packs(running, ["A1", "A2", "A3"])
    first = await running.deliver("packs", "delivery-1", **message)
    again = await running.deliver("packs", "delivery-1", **message)
    assert first == again
    assert first["loadedCount"] == 3
    assert (await running.ask_management("/health"))["packs"] == 4


async def test_a_stored_serial_number_is_refused_and_the_rest_loaded(
    national_system: RunningSystem,
) -> None:
    running = national_system
    await running.load_packs(1)
    await running.deliver("packs", "d1", **packs(running, ["A1", "A2"]))
    answer = await running.deliver("packs", "d2", **packs(running, ["A2", "A3", "A 4", "A3"]))
    assert answer["loadedCount"] == 1
    assert answer["refusedSerials"] == [
        {"serialNumber": "A 4", "code": "NMVS_FE_SN_01"},
        {"serialNumber": "A2", "code": "NMVS_FE_SN_02"},
    ]
    assert (await running.ask_management("/check"))["equal"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        # Each row mends one fault of the row above it.
        ({"productCode": gtin(1), "expiry": "301331"}, "NMVS_NC_PC_01"),
        ({"expiry": "301331", "batchId": "É"}, "NMVS_FE_LOT_07"),
        ({"batchId": "É"}, "NMVS_FE_LOT_03"),
        ({"expiry": "301130", "productVersion": 2}, "NMVS_FE_LOT_02"),
        ({"productVersion": 2}, "NMVS_NC_PC_05"),
        ({}, None),
    ],
)
async def test_a_delivery_that_cannot_be_taken_is_refused_whole(
    national_system: RunningSystem, changes: dict[str, object], code: str | None
) -> None:
    running = national_system
    await running.load_packs(1)
    answer = await running.deliver("packs", "d", **packs(running, ["A1"], **changes))
    assert (answer["accepted"], answer["code"]) == (code is None, code)


async def test_recall_and_withdrawal_are_final_and_stop_further_packs(
    national_system: RunningSystem,
) -> None:
    running = national_system
    (serial,) = await running.load_packs(1)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    recall = {"productCode": running.product_code, "batchId": "LOT1", "reason": "glass"}
    assert (await running.deliver("recalls", "r1", **recall))["accepted"]
    assert (await running.deliver("recalls", "r2", **recall))["code"] == "NMVS_FE_LOT_01"
    refused = await till.supply(running.product_code, serial, "LOT1", "301231")
    assert (refused.code, refused.alert_id) == ("51221000", None)
    more = await running.deliver("packs", "d2", **packs(running, ["B1"]))
    assert more["code"] == "NMVS_FE_LOT_01"
    withdrawal = {"productCode": running.product_code, "reason": "authorisation ended"}
    assert (await running.deliver("withdrawals", "w1", **withdrawal))["accepted"]
    assert (await running.deliver("withdrawals", "w2", **withdrawal))["code"] == "NMVS_NC_PC_12"
    gone = await till.supply(running.product_code, serial, "LOT1", "301231")
    assert (gone.code, gone.alert_id) == ("51221200", None)
    new_batch = await running.deliver("packs", "d3", **packs(running, ["C1"], batchId="LOT2"))
    assert new_batch["code"] == "NMVS_NC_PC_12"


async def test_everything_is_there_after_a_restart(start_system: StartSystem) -> None:
    first: RunningSystem = await start_system("IE")
    serials = await first.load_packs(3_000)
    registration = await first.register("pharmacy", 1)
    till = RestTill(first.http, first.service, registration)
    await till.log_in()
    await till.supply(first.product_code, serials[0], "LOT1", "301231")
    recall = {"productCode": first.product_code, "batchId": "LOT1", "reason": "glass"}
    await first.advance_clock(3600)
    assert first.stop is not None
    await first.stop()
    second: RunningSystem = await start_system("IE")
    health = await second.ask_management("/health")
    assert (health["packs"], health["participants"]) == (3_000, 1)
    clock = await second.ask_management("/clock")
    assert clock["offset_s"] == 3600
    assert (await second.ask_management("/check"))["equal"]
    same_till = RestTill(second.http, second.service, registration)
    await same_till.log_in()
    answer = await same_till.ask(second.product_code, serials[0], "LOT1", "301231")
    assert answer.code == "11110201"
    assert (await second.deliver("recalls", "r1", **recall))["accepted"]


async def test_a_second_process_on_the_same_schema_is_refused(start_system: StartSystem) -> None:
    await start_system("IE")
    with pytest.raises(ConfigurationError, match="another process serves this schema"):
        await start_system("IE")


async def test_a_recall_whose_answer_was_lost_holds_when_it_is_repeated(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    running: RunningSystem = await start_system("IE")
    (serial,) = await running.load_packs(1)
    # What a commit leaves behind whose answer never came back to the national system.
    await execute(dsn, schema_name, "update batch set recalled_at = now(), recall_reason = 'glass'")
    await execute(
        dsn,
        schema_name,
        "insert into delivery (delivery_id, result, received_at)"
        """ values ('r1', '{"deliveryId":"r1","accepted":true}', now())""",
    )
    recall = {"productCode": running.product_code, "batchId": "LOT1", "reason": "glass"}
    assert (await running.deliver("recalls", "r1", **recall))["accepted"]
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    refused = await till.supply(running.product_code, serial, "LOT1", "301231")
    assert refused.code == "51221000"


async def test_packs_whose_answer_was_lost_are_there_when_they_are_repeated(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    first: RunningSystem = await start_system("IE")
    await first.load_packs(1)
    await first.deliver("packs", "d1", **packs(first, ["A1", "A2"], batchId="LOT2"))
    assert first.stop is not None
    await first.stop()
    second: RunningSystem = await start_system("IE")
    # The delivery is forgotten, its packs are stored: as if only its answer had been lost.
    await execute(dsn, schema_name, "delete from delivery where delivery_id = 'd1'")
    again = await second.deliver("packs", "d1", **packs(second, ["A1", "A2"], batchId="LOT2"))
    assert [refused["code"] for refused in again["refusedSerials"]] == ["NMVS_FE_SN_02"] * 2
    assert (await second.ask_management("/check"))["equal"]


async def test_a_full_index_refuses_before_anything_is_stored(start_system: StartSystem) -> None:
    running: RunningSystem = await start_system("IE", packs_max=5)
    await running.load_packs(3)
    answer = await running.deliver("packs", "d1", **packs(running, ["A1", "A2", "A3"]))
    assert (answer["accepted"], answer["code"]) == (False, "NMVS_TE_TX_03")
    assert (await running.deliver("packs", "d2", **packs(running, ["A1", "A2"])))["accepted"]
    assert (await running.ask_management("/check"))["equal"]


async def execute(dsn: str, schema_name: str, sql: str) -> None:
    """Change the database behind the national system's back."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": f"{schema_name}_ie"})
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def test_a_stranger_is_not_listened_to(national_system: RunningSystem) -> None:
    running = national_system
    url = f"http://127.0.0.1:{running.ports['interconnect']}/hub/v1/products/x"
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer wr\u00f6ng"}):
        async with running.http.put(url, json={}, headers=headers) as response:
            assert response.status == 401
            assert response.content_type == "application/problem+json"


async def test_a_message_with_too_many_or_wrong_members_is_named(
    national_system: RunningSystem,
) -> None:
    running = national_system
    await running.load_packs(1)
    url = f"http://127.0.0.1:{running.ports['interconnect']}/hub/v1/packs/x"
    headers = {"Authorization": f"Bearer {INTERCONNECT_TOKEN}"}
    many = [f"S{number}" for number in range(SERIALS_PER_MESSAGE_MAX + 1)]
    for message, words in (
        (packs(running, many), "250000 serial numbers"),
        (packs(running, [], expiry=301231), "$.expiry"),
        ({}, "productCode"),
    ):
        async with running.http.put(url, data=json_stream(message), headers=headers) as response:
            assert response.status == 400
            assert words in (await response.json())["detail"]


@pytest.mark.slow
async def test_single_verifications_go_on_while_a_full_message_is_loaded(
    national_system: RunningSystem,
) -> None:
    running = national_system
    (serial,) = await running.load_packs(1)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    many = [f"S{number:012d}" for number in range(SERIALS_PER_MESSAGE_MAX)]
    results = []
    # New packs, the same once more as an answer was lost, and the same as another delivery.
    for delivery_id, count_min in (("big", 20), ("big", 5), ("again", 5)):
        loading = asyncio.create_task(
            running.deliver("packs", delivery_id, **packs(running, many, batchId="LOT2"))
        )
        slowest_s = 0.0
        count = 0
        began = time.monotonic()
        while not loading.done():
            started = time.monotonic()
            answer = await till.ask(running.product_code, serial, "LOT1", "301231")
            slowest_s = max(slowest_s, time.monotonic() - started)
            count += 1
            assert answer.code == "11110100"
        result = await loading
        results.append((result["loadedCount"], len(result["refusedSerials"])))
        assert count > count_min
        assert slowest_s < (time.monotonic() - began) / 2, "a verification waited for the upload"
    assert results == [
        (SERIALS_PER_MESSAGE_MAX, 0),
        (SERIALS_PER_MESSAGE_MAX, 0),
        (0, SERIALS_PER_MESSAGE_MAX),
    ]
