"""Recalls and withdrawals until every market has heard them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.hub.stand import CODE, StartStand

RECALL = {"productCode": CODE, "batchId": "LOT1", "reason": "glass"}
WITHDRAWAL = {"productCode": CODE, "reason": "no longer sold"}


def statuses(answer: dict[str, Any]) -> dict[str, str]:
    return {entry["market"]: entry["status"] for entry in answer["markets"]}


@pytest.mark.parametrize(
    ("message_type", "message", "done_rule"),
    [("RCBR", RECALL, "already_recalled"), ("WDPR", WITHDRAWAL, "already_withdrawn")],
)
async def test_a_market_that_refused_can_be_told_again(
    start_stand: StartStand, message_type: str, message: dict[str, Any], done_rule: str
) -> None:
    stand = await start_stand("IE", "DE")
    obp, ireland = stand.obp, stand.wires["IE"]
    await obp.product("IE", "DE")
    await obp.packs(["A1"])

    ireland.refusal = "NMVS_FE_LOT_03"
    both = {**message, "markets": ["IE", "DE"]}
    first = await obp.ended(await obp.send(message_type, **both))
    assert (first["status"], statuses(first)) == ("STDF", {"IE": "Refused", "DE": "Distributed"})
    more = await obp.packs(["A2"], kind="PPDM") if message_type == "RCBR" else None
    assert more is None or statuses(more) == {"IE": "Rejected", "DE": "Rejected"}

    again = await obp.ended(await obp.send(message_type, **both))
    assert [(found["field"], found["rule"]) for found in again["defects"]] == [
        ("markets[1]", done_rule)
    ]
    ireland.refusal = None
    ireland.open_gate.clear()
    ireland_alone = {**message, "markets": ["IE"]}
    second = await obp.send(message_type, **ireland_alone)
    await obp.ended(second, until={"STLD"})
    meanwhile = await obp.ended(await obp.send(message_type, **ireland_alone))
    assert meanwhile["defects"][0]["rule"] == done_rule  # It waits, so it will be heard.
    ireland.open_gate.set()
    assert (await obp.ended(second))["status"] == "STDS"
    third = await obp.ended(await obp.send(message_type, **ireland_alone))
    assert third["defects"][0]["rule"] == done_rule


async def test_a_recall_is_never_given_up(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    await stand.obp.packs(["A1"])
    ireland = stand.wires["IE"]
    ireland.faults = ["503"] * 1_000
    sent = await stand.obp.send("RCBR", **RECALL, markets=["IE"])
    await stand.obp.ended(sent, until={"STLD"})
    for _ in range(2):
        attempts = len(ireland.attempts)
        async with asyncio.timeout(10):
            while len(ireland.attempts) < attempts + 2:
                await asyncio.sleep(0.02)
        await stand.manage("POST", "/clock", advance_s=30 * 86_400)
    ireland.faults = []
    assert (await stand.obp.ended(sent))["status"] == "STDS"
