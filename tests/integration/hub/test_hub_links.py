"""Repackaging links, and who hears of a recall because of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.integration.hub.callback_stand import (
    DISTRIBUTOR,
    OUR_CODE,
    call,
    distributor,
    notices,
    target_batch,
)
from tests.integration.hub.stand import CODE, Obp, StartStand

SOURCE = {"productCode": CODE, "batchId": "LOT1"}
TARGET = {"productCode": OUR_CODE, "batchId": "T1"}
LINK = {"sources": [SOURCE], "targets": [TARGET]}
RECALL = {**SOURCE, "reason": "glass", "markets": ["IE"]}
WITHDRAWAL = {"productCode": CODE, "reason": "no longer sold", "markets": ["IE"]}
EVENTS = {"RCBR", "WDPR"}


async def events(who: Obp) -> list[dict[str, Any]]:
    """Return what an organisation was told of recalls and withdrawals."""
    return [one for one in await notices(who) if one["messageType"] in EVENTS]


async def linked(who: Obp, **message: Any) -> dict[str, Any]:
    return await who.ended(await who.send("RPLK", **(message or LINK)))


async def test_a_link_is_taken_told_and_kept_apart(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp, ours = stand.obp, await distributor(stand)
    other = await distributor(stand, organisationId="30004", token="token-of-another-one")
    await obp.product("IE")
    await obp.packs(["A1"])
    await target_batch(ours, "B1")

    ended = await linked(ours)
    assert (ended["status"], ended["markets"]) == ("STDS", [])
    assert [step["status"] for step in ended["history"]] == ["STVA", "STLD", "STDS"]
    assert [one["rule"] for one in ended["warnings"]] == ["not_checked_out"]
    again = await linked(ours)
    assert [one["rule"] for one in again["warnings"]] == ["not_checked_out", "already_linked"]

    status, page = await ours.get("links", sourceBatchId="LOT1")
    assert (status, page["hasMore"]) == (200, False)
    (link,) = page["links"]
    assert (link["source"], link["target"]) == (SOURCE, TARGET)
    assert link["transactionId"] == ended["transactionId"]
    assert (await ours.get("links", targetBatchId="LOT1"))[1]["links"] == []
    assert (await ours.get("links", limit="x"))[0] == 400
    for stranger in (obp, other):
        assert (await stranger.get("links"))[1]["links"] == []
        assert (await stranger.get(f"requests/{ended['transactionId']}"))[0] == 404

    # A manufacturer has nothing to link, and a target is one's own.
    message = {"transactionId": obp.transaction_id("RPLK"), **LINK}
    status, problem, _ = await obp.post("RPLK", message)
    assert (status, problem["title"]) == (403, "Not permitted")
    wrong = await linked(other)
    assert wrong["status"] == "STIV"
    assert [(one["field"], one["rule"]) for one in wrong["defects"]] == [
        ("targets[0].productCode", "other_owner")
    ]
    repeated = {"transactionId": ended["transactionId"], **LINK}
    assert (await ours.post("RPLK", repeated))[0] == 202
    changed = {**repeated, "targets": [{**TARGET, "batchId": "T2"}]}
    assert (await ours.post("RPLK", changed))[0] == 409
    misspelt = {"transactionId": ours.transaction_id("RPLK"), **LINK, "target": []}
    assert (await ours.post("RPLK", misspelt))[0] == 400


async def test_only_packs_that_are_checked_out_count_as_such(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    ours, ireland, germany = await distributor(stand), stand.wires["IE"], stand.wires["DE"]
    await stand.obp.product("IE", "DE")
    await stand.obp.packs(["A1", "A2"])
    await target_batch(ours, "B1")

    async def warned(message_type: str, *serials: str, outcome: str, markets: list[str]) -> bool:
        ireland.pack_answers = germany.pack_answers = dict.fromkeys(serials, (outcome, "ACTIVE"))
        message = {**SOURCE, "serialNumbers": list(serials), "markets": markets}
        await ours.ended(await ours.send(message_type, **message))
        rules = [one["rule"] for one in (await linked(ours))["warnings"]]
        return "not_checked_out" in rules

    both, out, back = ["IE", "DE"], "DECOMMISSIONED", "REACTIVATED"
    assert await warned("PSURP", "A1", "A2", outcome="ALREADY_IN_STATE", markets=both)
    assert not await warned("PSURP", "A1", "A2", outcome=out, markets=both)
    assert not await warned("PSUUR", "A1", outcome=back, markets=both)
    assert not await warned("PSUUR", "A2", outcome="UNDO_TOO_LATE", markets=both)
    assert not await warned("PSUUR", "A2", outcome=back, markets=["IE"])
    assert await warned("PSUUR", "A2", outcome=back, markets=["DE"])
    await germany.stop()  # A check-out that waits for a market may succeed.
    sent = await ours.send("PSURP", **SOURCE, serialNumbers=["A1"], markets=["DE"])
    await ours.ended(sent, until={"STLD"})
    assert "not_checked_out" not in [one["rule"] for one in (await linked(ours))["warnings"]]


@pytest.mark.parametrize(("kind", "message"), [("RCBR", RECALL), ("WDPR", WITHDRAWAL)])
async def test_whom_it_concerns_is_told_once_and_nobody_else(
    start_stand: StartStand, kind: str, message: dict[str, Any]
) -> None:
    stand = await start_stand("IE", "DE")
    obp, ours = stand.obp, await distributor(stand)
    trader = await distributor(stand, organisationId="30004", token="token-of-a-trader")
    bystander = await distributor(stand, organisationId="30005", token="token-of-a-bystander")
    competitor = await distributor(
        stand, organisationId="20002", token="token-of-a-competitor", kind="obp"
    )
    await obp.product("IE", "DE")
    await obp.packs(["A1"])
    await obp.packs(["A2"], batchId="LOT2")
    await target_batch(ours, "B1")
    await linked(ours)
    assert (await call(trader, "PUT", f"traded-products/{CODE}"))[0] == 200

    stand.wires["IE"].refusal = "NMVS_FE_LOT_03"
    first = await obp.ended(await obp.send(kind, **message))
    assert first["status"] == "STDF"
    stand.wires["IE"].refusal = None
    # What a market refused is sent again: for the distributors it is the same event.
    assert (await obp.ended(await obp.send(kind, **message)))["status"] == "STDS"

    (told,) = await events(ours)
    assert told["messageType"] == kind
    assert told["content"]["eventId"] == first["hubTransactionId"]
    assert told["content"]["reason"] == message["reason"]
    assert told["content"]["markets"] == ["IE"]
    assert told["content"]["linkedBatches"] == [TARGET]
    (told_trader,) = await events(trader)
    assert told_trader["content"]["eventId"] == first["hubTransactionId"]
    assert told_trader["content"]["linkedBatches"] == []
    for stranger in (obp, bystander, competitor):
        assert await events(stranger) == []
    # Nothing that the owner of the product can see names a distributor or its batches (Art. 38).
    seen = str([(await obp.get(path))[1] for path in ("requests", "notices", "links")])
    seen += str((await obp.get(f"requests/{first['transactionId']}"))[1])
    assert DISTRIBUTOR not in seen
    assert OUR_CODE not in seen

    # One market more is one event more.
    assert (await obp.ended(await obp.send(kind, **{**message, "markets": ["DE"]})))[
        "status"
    ] == "STDS"
    assert [one["content"]["markets"] for one in await events(ours)] == [["IE"], ["DE"]]


async def test_another_batch_of_the_product_is_told_without_batches(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    obp, ours = stand.obp, await distributor(stand)
    await obp.product("IE")
    await obp.packs(["A1"])
    await obp.packs(["A2"], batchId="LOT2")
    await target_batch(ours, "B1")
    await linked(ours)
    await obp.ended(await obp.send("RCBR", **{**RECALL, "batchId": "LOT2"}))
    (told,) = await events(ours)
    assert (told["content"]["batchId"], told["content"]["linkedBatchCount"]) == ("LOT2", 0)


async def test_a_link_that_comes_after_the_recall_is_told_of_it(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp, ours = stand.obp, await distributor(stand)
    await obp.product("IE")
    await obp.packs(["A1"])
    await target_batch(ours, "B1")
    recall = await obp.ended(await obp.send("RCBR", **RECALL))
    withdrawal = await obp.ended(await obp.send("WDPR", **WITHDRAWAL))
    assert await events(ours) == []
    late = await linked(ours)
    assert [one["rule"] for one in late["warnings"]] == [
        "not_checked_out",
        "source_recalled",
        "source_withdrawn",
    ]
    told = await events(ours)
    assert [one["content"]["eventId"] for one in told] == [
        recall["hubTransactionId"],
        withdrawal["hubTransactionId"],
    ]
    assert all(one["content"]["linkedBatches"] == [TARGET] for one in told)
    await linked(ours)
    assert await events(ours) == told


async def test_traded_products_are_a_list_of_the_distributor_s(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp, ours = stand.obp, await distributor(stand)
    await obp.product("IE")
    for _ in range(2):
        assert await call(ours, "PUT", f"traded-products/{CODE}") == (200, {"productCode": CODE})
    expected = {"productCodes": [CODE], "next": CODE, "hasMore": False}
    assert await call(ours, "GET", "traded-products") == (200, expected)
    assert (await call(ours, "PUT", f"traded-products/{OUR_CODE}"))[0] == 404
    assert (await call(obp, "PUT", f"traded-products/{CODE}"))[0] == 403
    assert (await call(ours, "DELETE", f"traded-products/{CODE}"))[0] == 200
    assert (await call(ours, "DELETE", f"traded-products/{CODE}"))[0] == 404
    await obp.packs(["A1"])
    await obp.ended(await obp.send("RCBR", **RECALL))
    assert await events(ours) == []


async def test_links_and_notices_are_read_in_pages(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp, ours = stand.obp, await distributor(stand)
    await obp.product("IE")
    sources = []
    for number in range(5):
        await obp.packs([f"A{number}"], batchId=f"L{number}")
        sources.append({"productCode": CODE, "batchId": f"L{number}"})
    await target_batch(ours, "B1")
    await linked(ours, sources=sources, targets=[TARGET])
    seen, after = [], "0"
    while True:
        page = (await ours.get("links", after=after, limit="2"))[1]
        seen += [link["source"]["batchId"] for link in page["links"]]
        after = page["next"]
        if not page["hasMore"]:
            break
    assert sorted(seen) == ["L0", "L1", "L2", "L3", "L4"]
    async with asyncio.timeout(10):
        numbers = [one["sequence"] for one in await notices(ours)]
    assert numbers == sorted(numbers)
    steps = [one["messageType"] for one in await notices(ours)]
    assert steps == ["STVA", "STLD", "STDS"] * 3
    assert len(await notices(ours, messageType="STDS", status="Stored")) == 3
    for query in ({"status": "x"}, {"messageType": "x"}, {"limit": "0"}, {"after": "-1"}):
        assert (await ours.get("notices", **query))[0] == 400, query
