"""Manufacturers' operations as the hub delivers them: by the rules, once, answered pack by pack."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from tests.integration.clients import RestTill
from tests.integration.conftest import StartSystem
from tests.integration.processes import running_process
from tests.integration.running import INTERCONNECT_TOKEN, RunningSystem, json_stream

ANSWERS = json.loads((Path(__file__).parents[2] / "vectors/hub/pack_answers.json").read_text())


def states(system: RunningSystem, operation: str, *serial_numbers: str, **more: Any) -> Any:
    """Return the body of a delivery."""
    return {
        "operation": operation,
        "scheme": "GTIN",
        "productCode": system.product_code,
        "batchId": system.batch_id,
        "organisation": "10001",
        "role": "obp",
        "serialNumbers": list(serial_numbers),
        **more,
    }


async def carry_out(
    system: RunningSystem, delivery_id: str, operation: str, *serial_numbers: str, **more: Any
) -> dict[str, Any]:
    """Deliver an operation; return the answer."""
    message = states(system, operation, *serial_numbers, **more)
    return await system.deliver("states", delivery_id, **message)


def outcomes(answer: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Return outcome and state of each pack."""
    return [(run["outcome"], run["state"]) for run in answer["runs"] for _ in range(run["count"])]


async def trail(system: RunningSystem, serial: str) -> list[dict[str, Any]]:
    """Return the audit trail of a pack."""
    answer = await system.ask_management("/trail", product_code=system.product_code, serial=serial)
    entries: list[dict[str, Any]] = answer["entries"]
    return entries


async def alerts(system: RunningSystem) -> list[dict[str, Any]]:
    """Return all alerts of the market."""
    answer = await system.ask_management("/alerts")
    found: list[dict[str, Any]] = answer["alerts"]
    return found


async def test_the_answer_has_the_agreed_form(national_system: RunningSystem) -> None:
    serials = await national_system.load_packs(2)
    expected = ANSWERS["to the hub"]
    found = await carry_out(
        national_system, expected["deliveryId"], "DESTROY", *serials, "NEVER-UPLOADED"
    )
    assert found["alerts"][0]["alertId"].startswith("IE-")
    found["alerts"][0]["alertId"] = expected["alerts"][0]["alertId"]
    assert found == expected


# Each row is asked after the rows above it, of one pack: who asks what, and what comes of it.
LIFE = [
    ("10001", "obp", "VERIFY", "VERIFIED", "ACTIVE"),
    ("10001", "obp", "UNDO_LOCK", "ALREADY_ACTIVE", "ACTIVE"),
    ("10001", "obp", "CHECK_OUT", "NOT_PERMITTED", None),
    ("20002", "parallel_distributor", "CHECK_OUT", "DECOMMISSIONED", "CHECKED_OUT"),
    ("10001", "obp", "STOLEN", "IN_OTHER_STATE", "CHECKED_OUT"),
    ("30003", "parallel_distributor", "UNDO_CHECK_OUT", "UNDO_ELSEWHERE", "CHECKED_OUT"),
    ("20002", "parallel_distributor", "UNDO_CHECK_OUT", "REACTIVATED", "ACTIVE"),
    ("10001", "obp", "EXPORT", "DECOMMISSIONED", "EXPORTED"),
    ("10001", "obp", "UNDO_SUPPLY", "UNDO_MISMATCH", "EXPORTED"),
    ("10001", "obp", "UNDO_EXPORT", "REACTIVATED", "ACTIVE"),
    ("10001", "obp", "SUPPLY", "DECOMMISSIONED", "SUPPLIED"),
    ("10001", "obp", "SUPPLY", "REPEAT_TOLERATED", "SUPPLIED"),
    ("10001", "obp", "UNDO_SUPPLY", "REACTIVATED", "ACTIVE"),
    ("10001", "obp", "LOCK", "DECOMMISSIONED", "LOCKED"),
    ("10001", "obp", "UNDO_LOCK", "REACTIVATED", "ACTIVE"),
    ("10001", "obp", "STOLEN", "DECOMMISSIONED", "STOLEN"),
    ("10001", "obp", "UNDO_STOLEN", "UNDO_IMPOSSIBLE", "STOLEN"),
]


async def test_a_pack_takes_every_operation_by_the_rules(national_system: RunningSystem) -> None:
    serial = (await national_system.load_packs(1))[0]
    for number, (organisation, role, operation, outcome, state) in enumerate(LIFE):
        answer = await carry_out(
            national_system,
            f"life-{number}",
            operation,
            serial,
            organisation=organisation,
            role=role,
        )
        assert outcomes(answer) == [(outcome, state)], (number, operation)
        assert answer["loadedCount"] == (
            outcome
            in {"VERIFIED", "DECOMMISSIONED", "REACTIVATED", "REPEAT_TOLERATED", "ALREADY_ACTIVE"}
        )
    entries = await trail(national_system, serial)
    recorded = [row for row in LIFE if row[3] != "NOT_PERMITTED"]
    assert [(one["operation"], one["outcome"]) for one in entries] == [
        (operation, outcome) for _, _, operation, outcome, _ in recorded
    ]
    assert {one["dialect"] for one in entries} == {"hub"}


async def test_a_batch_gone_bad_answers_for_its_packs(national_system: RunningSystem) -> None:
    first, second = await national_system.load_packs(2)
    await carry_out(national_system, "export", "EXPORT", first)
    await national_system.deliver(
        "recalls",
        "recall-1",
        productCode=national_system.product_code,
        batchId=national_system.batch_id,
        reason="glass",
    )
    looked = await carry_out(national_system, "look", "VERIFY", first, second)
    assert outcomes(looked) == [("VERIFIED", "RECALLED")] * 2
    refused = await carry_out(national_system, "destroy", "DESTROY", first, second)
    assert outcomes(refused) == [("BATCH_RECALLED", "RECALLED")] * 2
    assert refused["alerts"] == []


async def test_unknown_packs_alert_unless_another_market_is_asked_next(
    national_system: RunningSystem,
) -> None:
    await national_system.load_packs(1)
    quiet = await carry_out(national_system, "quiet", "VERIFY", "NOWHERE", silent=True)
    assert (outcomes(quiet), quiet["alerts"]) == ([("SERIAL_UNKNOWN", None)], [])
    loud = await carry_out(national_system, "loud", "VERIFY", "NOWHERE")
    assert outcomes(loud) == outcomes(quiet)
    batch = await carry_out(national_system, "batch", "LOCK", "NOWHERE", batchId="LOT9")
    assert outcomes(batch) == [("BATCH_AND_SERIAL_UNKNOWN", None)]
    found = {one["alertId"]: one for one in await alerts(national_system)}
    assert found.keys() == {loud["alerts"][0]["alertId"], batch["alerts"][0]["alertId"]}


async def test_a_delivery_is_carried_out_once(start_system: StartSystem) -> None:
    system = await start_system("IE")
    serials = await system.load_packs(600)
    asked = [*serials, "NOWHERE"]
    first = await carry_out(system, "delivery-1", "SUPPLY", *asked)
    again = await carry_out(system, "delivery-1", "SUPPLY", *asked)
    assert again == first
    await system.stop()
    system = await start_system("IE")
    assert await carry_out(system, "delivery-1", "SUPPLY", *asked) == first
    assert len(await trail(system, serials[0])) == 1
    assert len(await alerts(system)) == 1


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"operation": "EAT"}, "no operation"),
        ({"scheme": "EAN"}, "no product code scheme"),
        ({"role": "pharmacy"}, "does not send through the hub"),
        ({"organisation": "1-001"}, "no organisation"),
        ({"reason": "x" * 1_001}, "too long"),
        ({"batchId": "A\0"}, "cannot be stored"),
        ({"serialNumbers": []}, "no serial numbers"),
        ({"serialNumbers": ["A1", "A2", "A1"]}, "twice"),
        ({"serialNumbers": ["A"] * 250_001}, "at most 250000"),
    ],
)
async def test_a_delivery_of_no_such_form_is_refused(
    national_system: RunningSystem, change: dict[str, Any], text: str
) -> None:
    url = f"http://127.0.0.1:{national_system.ports['interconnect']}/hub/v1/states/1"
    headers = {"Authorization": f"Bearer {INTERCONNECT_TOKEN}"}
    body = json_stream(states(national_system, "LOCK", "A1") | change)
    async with national_system.http.put(url, data=body, headers=headers) as response:
        assert response.status == 400
        assert text in (await response.json())["detail"]


async def test_malformed_packs_are_named_one_by_one(national_system: RunningSystem) -> None:
    serial = (await national_system.load_packs(1))[0]
    answer = await carry_out(national_system, "1", "LOCK", "", "x" * 21, serial)
    assert [outcome for outcome, _ in outcomes(answer)] == [
        "SERIAL_MISSING",
        "SERIAL_INVALID",
        "DECOMMISSIONED",
    ]


async def test_a_kill_in_the_middle_does_nothing_twice(
    dsn: str, schema_name: str, tmp_path: Path
) -> None:
    config = {
        "market": "IE",
        "dsn": dsn,
        "schema": schema_name,
        "interconnect_token": INTERCONNECT_TOKEN,
        "dialects": ["rest"],
        "packs_max": 100_000,
        "password_hash_cost_log2": 6,
    }
    async with (
        running_process("nmvs", config, tmp_path) as process,
        aiohttp.ClientSession() as http,
    ):
        system = RunningSystem(http, process.ready)
        serials = await system.load_packs(3_000)
        # Supplied by a pharmacy before: an operation on it is an alert, and must be one alert.
        till = RestTill(http, system.service, await system.register("pharmacy", 1))
        await till.log_in()
        await till.supply(system.product_code, serials[0], system.batch_id, system.expiry)
        delivery = asyncio.create_task(carry_out(system, "delivery-1", "EXPORT", *serials))
        while not await trail(system, serials[300]):
            await asyncio.sleep(0.002)
        await process.kill()
        with pytest.raises(aiohttp.ClientError):
            await delivery
        await process.start()
        assert not await trail(system, serials[-1]), "it was killed in the middle"
        answer = await carry_out(system, "delivery-1", "EXPORT", *serials)
        found = outcomes(answer)
        assert found[0] == ("IN_OTHER_STATE", "SUPPLIED")
        assert set(found[1:]) == {("DECOMMISSIONED", "EXPORTED")}
        assert [one["alertId"] for one in await alerts(system)] == [
            one["alertId"] for one in answer["alerts"]
        ]
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(f"set search_path to {schema_name}")
            counts = await connection.fetchrow(
                "select count(*), count(distinct pack_key) from trail where dialect = 'hub'"
            )
        finally:
            await connection.close()
        assert tuple(counts) == (len(serials), len(serials))
        check = await system.ask_management("/check")
        assert check["equal"]
