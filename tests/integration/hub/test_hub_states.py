"""State updates and verifications through the hub: what markets are asked, what is told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hub.stand import ADDRESS, CODE, Obp, Stand, StartStand, product, register

VECTORS = Path(__file__).parents[2] / "vectors/hub"
MESSAGES = json.loads((VECTORS / "pack_messages.json").read_text())
ANSWERS = json.loads((VECTORS / "pack_answers.json").read_text())
DESTROYED = ("DECOMMISSIONED", "DESTROYED")
ACTIVE = ("VERIFIED", "ACTIVE")


async def uploaded(stand: Stand, *serial_numbers: str) -> None:
    """Bring the product and packs of a batch to all markets."""
    await stand.obp.product(*stand.wires)
    assert (await stand.obp.packs(list(serial_numbers)))["status"] == "STDS"


def asked(stand: Stand, market: str) -> list[dict[str, Any]]:
    """Return what a market was asked about packs."""
    return [body for kind, body in stand.wires[market].applied.values() if kind == "states"]


async def packs(obp: Obp, transaction_id: str, **query: str) -> dict[str, Any]:
    """Return a page of what became of each pack."""
    status, answer = await obp.get(f"requests/{transaction_id}/packs", **query)
    assert status == 200, answer
    return answer


def outcomes(page: dict[str, Any]) -> dict[str, list[tuple[str, str, str | None]]]:
    """Return market, outcome and state of each pack."""
    return {
        pack["serialNumber"]: [
            (one["market"], one["outcome"], one["state"]) for one in pack["markets"]
        ]
        for pack in page["packs"]
    }


async def distributor(stand: Stand) -> Obp:
    """Return the client of a parallel distributor."""
    token = await register(
        stand.http,
        stand.hub.management,
        organisationId="20002",
        name="Example Parallel",
        kind="parallel_distributor",
        token="token-of-the-distributor-1",
    )
    return Obp(stand.hub.url, stand.http, organisation_id="20002", token=token, actor="D")


async def test_each_message_reaches_the_markets_as_agreed(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    await uploaded(stand, "A1", "A2", "A3")
    senders = {"obp": stand.obp, "parallel_distributor": await distributor(stand)}
    for name, vector in MESSAGES.items():
        sender = senders[vector["sender"]]
        status, answer, _ = await sender.post(vector["type"], vector["message"])
        assert status == 202, (name, answer)
        ended = await sender.ended(vector["message"]["transactionId"])
        assert ended["status"] == "STDS", (name, ended)
        delivery = asked(stand, "IE")[-1]
        assert delivery.pop("requestedAt") > 0
        assert delivery == vector["delivery"], name
        if "markets" not in vector["message"]:
            in_germany = asked(stand, "DE")[-1]
            assert in_germany.pop("requestedAt") > 0
            assert in_germany == vector["delivery"] | {"silent": False}, name
    assert len(asked(stand, "IE")) == len(MESSAGES)
    assert len(asked(stand, "DE")) == len(MESSAGES) - 1


async def test_what_became_of_each_pack_is_told_as_agreed(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    await uploaded(stand, "A1", "A2", "A3")
    stand.wires["IE"].pack_answers = dict.fromkeys(("A1", "A2"), DESTROYED)
    stand.wires["DE"].pack_answers = dict.fromkeys(("A1", "A2", "A3"), DESTROYED)
    message = MESSAGES["decommission"]["message"]
    stand.wires["DE"].faults = [
        "503",
        "503",
    ]  # It is asked about all packs, though Ireland did all.
    await stand.obp.post("PSUDC", message)
    ended = await stand.obp.ended(message["transactionId"])
    assert [step["status"] for step in ended["history"]] == ["STVA", "STLD", "STDS"]
    ireland = ended["markets"][0]
    assert (ireland["loadedCount"], ireland["refusedCount"]) == (2, 1)
    assert ireland["outcomes"] == {"DECOMMISSIONED": 2, "SERIAL_UNKNOWN": 1}
    assert await packs(stand.obp, message["transactionId"]) == ANSWERS["to the manufacturer"]


async def test_pages_are_bounded_and_forgotten_in_time(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    serials = [f"S{number}" for number in range(2_300)]
    await uploaded(stand, *serials)
    stand.wires["IE"].pack_answers = dict.fromkeys(serials[:2_000], DESTROYED)
    sent = await stand.obp.send(
        "PSUDC", productCode=CODE, batchId="LOT1", state="Destroyed", serialNumbers=serials
    )
    await stand.obp.ended(sent)
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = await packs(stand.obp, sent, after=str(after), limit="700")
        assert len(page["packs"]) <= 700
        found += page["packs"]
        after = page["next"]
    assert [pack["serialNumber"] for pack in found] == serials
    assert [pack["position"] for pack in found] == list(range(2_300))
    assert {pack["markets"][0]["alertId"] is None for pack in found[:2_000]} == {True}
    assert {pack["markets"][0]["alertId"] for pack in found[2_000:]} == {"IE-AAA-BBB-CCC-DDD-EEE"}
    for query in ({"limit": "1001"}, {"limit": "0"}, {"after": "-1"}, {"after": "x"}):
        status, _ = await stand.obp.get(f"requests/{sent}/packs", **query)
        assert status == 400, query
    beyond = await packs(stand.obp, sent, after="2300")
    assert (beyond["packs"], beyond["next"], beyond["forgotten"]) == ([], None, False)

    await stand.manage("POST", "/clock", advance_s=31 * 86_400)
    async with asyncio.timeout(10):
        while not (await packs(stand.obp, sent))["forgotten"]:
            await asyncio.sleep(0.02)
    ended = await stand.obp.ended(sent)
    assert ended["markets"][0]["outcomes"] == {"DECOMMISSIONED": 2_000, "SERIAL_UNKNOWN": 300}
    for table in ("request_serials", "pack_page", "pack_answer"):
        pool = stand.hub.database.pool
        assert await pool.fetchval(f"select count(*) from {table}") == 0  # noqa: S608 - our names.


async def test_packs_that_one_market_does_not_hold_are_looked_for_in_the_next(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE", "DE", "AT")
    message = product("IE", "DE", "AT")
    message["markets"][2]["nationalCode"] = "1234567"
    await stand.obp.ended(await stand.obp.send("PMDR", **message))
    await stand.obp.packs([f"A{number}" for number in range(1, 6)])
    stand.wires["IE"].pack_answers = {"A1": ACTIVE, "A3": ACTIVE}
    stand.wires["DE"].pack_answers = {"A4": ("VERIFIED", "SUPPLIED")}
    stand.wires["AT"].pack_answers = {"A2": ACTIVE}
    sent = await stand.obp.send(
        "VBOP", productCode=CODE, batchId="LOT1", serialNumbers=["A1", "A2", "A3", "A4", "A5"]
    )
    ended = await stand.obp.ended(sent)
    assert ended["status"] == "STDS"
    assert [(entry["market"], entry["loadedCount"]) for entry in ended["markets"]] == [
        ("IE", 2),
        ("DE", 1),
        ("AT", 1),
    ]
    questions = [asked(stand, market)[0] for market in ("IE", "DE", "AT")]
    assert [(one["serialNumbers"], one["silent"]) for one in questions] == [
        (["A1", "A2", "A3", "A4", "A5"], True),
        (["A2", "A4", "A5"], True),
        (["A2", "A5"], False),
    ]
    page = await packs(stand.obp, sent)
    assert {serial: answers[-1] for serial, answers in outcomes(page).items()} == {
        "A1": ("IE", "VERIFIED", "Active"),
        "A2": ("AT", "VERIFIED", "Active"),
        "A3": ("IE", "VERIFIED", "Active"),
        "A4": ("DE", "VERIFIED", "Supplied"),
        "A5": ("AT", "SERIAL_UNKNOWN", None),
    }
    alert_ids = [one["alertId"] for pack in page["packs"] for one in pack["markets"]]
    assert [one for one in alert_ids if one] == ["AT-AAA-BBB-CCC-DDD-EEE"]
    again = await stand.obp.send(
        "VBOP", productCode=CODE, batchId="LOT1", serialNumbers=["A1", "A3"]
    )
    assert [entry["market"] for entry in (await stand.obp.ended(again))["markets"]] == ["IE"]


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "503"])
async def test_a_lost_attempt_is_repeated_under_the_same_id(
    start_stand: StartStand, fault: str
) -> None:
    stand = await start_stand("IE")
    await uploaded(stand, "A1")
    ireland = stand.wires["IE"]
    ireland.pack_answers = {"A1": DESTROYED}
    ireland.faults = [fault]
    before = len(ireland.attempts)
    sent = await stand.obp.send(
        "PSUDC", productCode=CODE, batchId="LOT1", state="Destroyed", serialNumbers=["A1"]
    )
    assert (await stand.obp.ended(sent))["status"] == "STDS"
    assert len(set(ireland.attempts[before:])) == 1
    assert len(ireland.attempts) == before + 2


async def test_updates_follow_the_upload_into_a_market_that_was_down(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    ireland = stand.wires["IE"]
    await ireland.stop()
    batch = {"productCode": CODE, "batchId": "LOT1", "serialNumbers": ["A1"]}
    await stand.obp.send("PPDC", **batch, manufacturer=ADDRESS, expiry="301231")
    sent = await stand.obp.send("PSUDC", **batch, state="Stolen")
    await stand.obp.ended(sent, until={"STLD"})
    waiting = await packs(stand.obp, sent)
    assert outcomes(waiting) == {"A1": []}
    await ireland.start()
    assert (await stand.obp.ended(sent))["status"] == "STDS"
    assert [kind for kind, _ in ireland.applied.values()] == ["products", "packs", "states"]


async def test_a_market_that_refuses_the_form_is_named(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    await uploaded(stand, "A1")
    stand.wires["DE"].pack_answers = {"A1": ("DECOMMISSIONED", "LOCKED")}
    stand.wires["IE"].faults = ["400"]
    members = {"productCode": CODE, "batchId": "LOT1", "serialNumbers": ["A1"]}
    sent = await stand.obp.send("PSUDC", **members, state="Locked")
    ended = await stand.obp.ended(sent)
    assert ended["status"] == "STDF"
    assert [entry["status"] for entry in ended["markets"]] == ["Refused", "Distributed"]
    assert outcomes(await packs(stand.obp, sent)) == {"A1": [("DE", "DECOMMISSIONED", "Locked")]}
    stand.wires["IE"].faults = ["400"]  # A verification goes on to the next market.
    stand.wires["DE"].pack_answers = {"A1": ACTIVE}
    look = await stand.obp.send("VBOP", **members)
    assert (await stand.obp.ended(look))["status"] == "STDF"
    assert outcomes(await packs(stand.obp, look)) == {"A1": [("DE", "VERIFIED", "Active")]}


async def test_packs_are_listed_for_their_sender_alone(start_stand: StartStand) -> None:
    stand = await start_stand("IE", limits={"serials_per_message_max": 3})
    await uploaded(stand, "A1")
    members = {"productCode": CODE, "batchId": "LOT1", "state": "Locked"}
    sent = await stand.obp.send("PSUDC", **members, serialNumbers=["A1"])
    await stand.obp.ended(sent)
    other = await distributor(stand)
    assert (await other.get(f"requests/{sent}/packs"))[0] == 404
    requests = (await stand.obp.get("requests"))[1]["requests"]
    upload = next(one for one in requests if one["messageType"] == "PPDC")
    assert (await stand.obp.get(f"requests/{upload['transactionId']}/packs"))[0] == 404
    invalid = await stand.obp.send("PSURP", **members, serialNumbers=["A1"])
    assert (await stand.obp.ended(invalid))["defects"][0]["rule"] == "not_permitted"
    page = await packs(stand.obp, invalid)
    assert (page["packs"], page["forgotten"]) == ([], False)
    too_many = {**members, "transactionId": stand.obp.transaction_id("PSUDC")}
    status, answer, _ = await stand.obp.post(
        "PSUDC", {**too_many, "serialNumbers": ["A1", "A2", "A3", "A4"]}
    )
    assert (status, "split it" in answer["detail"]) == (413, True)


async def test_the_callback_tells_each_market_s_outcomes_as_the_status_does(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE", "DE")
    await uploaded(stand, "A1", "A2")
    members = {"productCode": CODE, "batchId": "LOT1"}
    recall = {**members, "reason": "glass", "markets": ["DE"]}
    await stand.obp.ended(await stand.obp.send("RCBR", **recall))
    stand.wires["IE"].pack_answers = {"A1": ("DECOMMISSIONED", "LOCKED")}
    serials = ["A1", "A2"]
    sent = await stand.obp.send("PSUDC", **members, state="Locked", serialNumbers=serials)
    shown = (await stand.obp.ended(sent))["markets"]
    assert [entry["status"] for entry in shown] == ["Distributed", "Rejected"]
    assert shown[0]["outcomes"] == {"DECOMMISSIONED": 1, "SERIAL_UNKNOWN": 1}
    (told,) = [
        notice["content"]
        for notice in (await stand.obp.get("notices", messageType="STDS"))[1]["notices"]
        if notice["content"]["transactionId"] == sent
    ]
    assert told["markets"] == shown
