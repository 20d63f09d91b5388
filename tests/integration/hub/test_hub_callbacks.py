"""Callbacks over real HTTP: signed, repeated by the clock, bounded, none held up by another."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from emvs.callback_messages import Notice
from emvs.callback_signatures import NOTICE_ID_HEADER, is_signed
from emvs.limits import NOTICES_WAITING_MAX
from hub.config import CallbackConfig
from tests.integration.hub.callback_stand import (
    OUR_CODE,
    SECRET,
    Called,
    Endpoint,
    call,
    distributor,
    notices,
    subscribe,
    until_notice,
)
from tests.integration.hub.national_wire import NationalWire
from tests.integration.hub.stand import CODE, Obp, Stand, StartStand, hub_settings, packs, register
from tests.integration.processes import SystemProcess

StartEndpoint = Callable[[], Awaitable[Endpoint]]
RECALL = {"productCode": CODE, "batchId": "LOT1", "reason": "glass", "markets": ["IE"]}
IMPATIENT = CallbackConfig(attempt_s_max=0.3)


@pytest.fixture
async def start_endpoint() -> AsyncIterator[StartEndpoint]:
    """Start endpoints; all end with the test."""
    async with AsyncExitStack() as exits:

        async def start() -> Endpoint:
            endpoint = Endpoint()
            exits.push_async_callback(endpoint.stop)
            await endpoint.start()
            return endpoint

        yield start


def told(called: Called) -> Notice:
    """Return the notice in a call whose signature is right."""
    headers = called.headers
    assert is_signed(SECRET, headers["EMVS-Timestamp"], called.body, headers["EMVS-Signature"])
    notice = msgspec.json.decode(called.body, type=Notice)
    assert headers[NOTICE_ID_HEADER] == notice.noticeId
    return notice


async def move_clock(stand: Stand, seconds: int) -> None:
    assert (await stand.manage("POST", "/clock", advance_s=seconds))[0] == 200


async def one_failing(stand: Stand, endpoint: Endpoint, who: Obp) -> str:
    """Have one notice wait for an endpoint; return its id."""
    await subscribe(who, endpoint.url)
    await who.send("PPDC", **packs(["A1"], productCode=OUR_CODE))
    waiting = await until_attempted(who, 1)
    assert [one["messageType"] for one in await notices(who)] == ["STIV"]
    return str(waiting["noticeId"])


async def until_attempted(who: Obp, count: int) -> dict[str, Any]:
    """Return the newest notice once there were so many attempts at it."""
    async with asyncio.timeout(20):
        while True:
            found = await notices(who)
            if found and found[-1]["delivery"]["attemptCount"] >= count:
                return found[-1]
            await asyncio.sleep(0.02)


async def test_steps_of_a_request_arrive_in_order_signed_and_as_polled(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand, endpoint = await start_stand("IE"), await start_endpoint()
    await subscribe(stand.obp, endpoint.url)
    started = time.monotonic()
    ended = await stand.obp.product("IE")
    invalid = await stand.obp.packs(["A1", "A1"])
    came = [told(one) for one in await endpoint.until_called(4)]
    assert time.monotonic() - started < 5
    assert [one.messageType for one in came] == ["STVA", "STLD", "STDS", "STIV"]
    assert [one.content["transactionId"] for one in came] == [ended["transactionId"]] * 3 + [
        invalid["transactionId"]
    ]
    assert came[2].content["markets"][0]["status"] == "Distributed"
    (defect,) = came[3].content["defects"]
    assert (defect["rule"], defect["value"]) == (invalid["defects"][0]["rule"], None)
    assert {one.path for one in endpoint.calls} == {"/emvs"}

    last = await until_notice(stand.obp, status="Delivered")
    polled = await notices(stand.obp, status="Delivered")
    deliveries = [one.pop("delivery") for one in polled]
    assert polled == [msgspec.to_builtins(one) for one in came]
    assert {one["lastAttempt"]["httpStatus"] for one in deliveries} == {204}
    status, shown = await stand.obp.get(f"notices/{last['noticeId']}")
    assert (status, len(shown["attempts"])) == (200, 1)
    stranger = await distributor(stand)
    assert (await stranger.get(f"notices/{last['noticeId']}"))[0] == 404
    assert (await stand.obp.get("notices/" + last["noticeId"].replace("STIV", "STVA")))[0] == 404


async def test_wrong_then_right_follows_the_schedule(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand, endpoint = await start_stand("IE", callbacks=IMPATIENT), await start_endpoint()
    endpoint.answers = ["503", "redirect", "hang", "flood", "drop", "204"]
    notice_id = await one_failing(stand, endpoint, stand.obp)
    for count, minutes in enumerate((1, 5, 15, 60, 60), 2):
        waiting = (await notices(stand.obp))[-1]["delivery"]
        assert waiting["status"] == "Waiting"
        tried, next_at = (
            datetime.fromisoformat(at)
            for at in (waiting["lastAttempt"]["at"], waiting["nextAttemptAt"])
        )
        assert next_at - tried == timedelta(minutes=minutes)
        await move_clock(stand, minutes * 60)
        await until_attempted(stand.obp, count)
    await until_notice(stand.obp, status="Delivered")
    assert {told(one).noticeId for one in endpoint.calls} == {notice_id}
    assert len({one.body for one in endpoint.calls}) == 1
    assert {one.path for one in endpoint.calls} == {"/emvs"}, "no redirect was followed"
    attempts = (await stand.obp.get(f"notices/{notice_id}"))[1]["attempts"]
    assert [one["httpStatus"] for one in attempts] == [503, 307, None, 500, None, 204]
    errors = [one["error"] or "" for one in attempts]
    assert errors[0] == "HTTP 503: told to"
    assert "redirects" in errors[1]
    assert "no answer" in errors[2]
    assert len(errors[3]) < 300
    assert errors[5] == ""


async def test_nothing_is_tried_before_its_time(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand, endpoint = await start_stand("IE"), await start_endpoint()
    endpoint.answers = ["503"] * 3
    await one_failing(stand, endpoint, stand.obp)
    await move_clock(stand, 50)
    await asyncio.sleep(1.2)  # It looks every second.
    assert len(endpoint.calls) == 1
    await move_clock(stand, 10)
    await endpoint.until_called(2)


async def test_an_endpoint_that_is_down_for_a_day_loses_nothing(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand, endpoint = await start_stand("IE"), await start_endpoint()
    await endpoint.stop()
    notice_id = await one_failing(stand, endpoint, stand.obp)
    await move_clock(stand, 86_400)
    given_up = await until_notice(stand.obp, status="Failed")
    assert "Cannot connect" in given_up["delivery"]["lastAttempt"]["error"]
    assert given_up["delivery"]["nextAttemptAt"] is None

    await endpoint.start()
    await move_clock(stand, 86_400)
    await asyncio.sleep(0.2)
    assert endpoint.calls == []
    path = f"notices/{notice_id}/redeliver"
    assert await call(stand.obp, "POST", path) == (202, {"inLine": 1})
    await until_notice(stand.obp, status="Delivered")
    assert told(endpoint.calls[0]).noticeId == notice_id
    assert (await call(stand.obp, "POST", path))[0] == 202  # However often it is wanted.
    await endpoint.until_called(2)
    answer = await call(stand.obp, "POST", "notices/redeliver", statuses=["Failed", "Stored"])
    assert answer == (202, {"inLine": 0})
    assert (await call(stand.obp, "POST", "notices/redeliver", statuses=["x"]))[0] == 400


async def test_a_dead_endpoint_holds_up_nobody_else(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand, good, bad = await start_stand("IE"), await start_endpoint(), await start_endpoint()
    bad.answers = ["hang"] * 100
    other = await distributor(stand)
    await subscribe(other, bad.url)
    await subscribe(stand.obp, good.url)
    for _ in range(3):
        await other.send("PPDC", **packs(["A1"], productCode=OUR_CODE))
    await bad.until_called(1)
    started = time.monotonic()
    await stand.obp.product("IE")
    await good.until_called(3)
    assert time.monotonic() - started < 5
    assert len(bad.calls) == 1, "one at a time"


async def test_recalls_go_first_and_are_sent_however_much_waits(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand, endpoint = await start_stand("IE"), await start_endpoint()
    obp, ours = stand.obp, await distributor(stand)
    await obp.product("IE")
    await obp.packs(["A1"])
    await call(ours, "PUT", f"traded-products/{CODE}")
    await endpoint.stop()
    await one_failing(stand, endpoint, ours)
    await stand.hub.database.pool.execute(
        "insert into notice (organisation_id, event_key, message_type, is_urgent, created_at_ms,"
        " content, status, next_attempt_at_ms) select '30003', 'x' || n, 'STVA', false, 0, '{}',"
        " 'Waiting', 0 from generate_series(2, $1) as n",
        NOTICES_WAITING_MAX,
    )
    await ours.ended(await ours.send("PPDC", **packs(["A1"], productCode=OUR_CODE)))
    assert (await notices(ours, messageType="STIV"))[-1]["delivery"]["status"] == "Stored"
    await obp.ended(await obp.send("RCBR", **RECALL))
    assert (await notices(ours, messageType="RCBR"))[-1]["delivery"]["status"] == "Waiting"
    await endpoint.start()
    await move_clock(stand, 60)
    assert told((await endpoint.until_called(1))[0]).messageType == "RCBR"


async def test_endpoints_are_registered_rolled_and_removed(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand, old, new = await start_stand("IE"), await start_endpoint(), await start_endpoint()
    obp = stand.obp
    message = {"transactionId": obp.transaction_id("SBPS"), "url": old.url}
    status, first = await call(obp, "POST", "SBPS", **message)
    assert (status, first["isPrimary"]) == (201, True)
    assert len(first["secret"]) >= 32
    assert await call(obp, "POST", "SBPS", **message) == (201, first | {"secret": None})
    assert (await call(obp, "POST", "SBPS", **message | {"url": new.url}))[0] == 409
    second = await subscribe(obp, new.url)
    assert second["isPrimary"] is False
    status, listed = await call(obp, "GET", "subscriptions")
    assert [one["url"] for one in listed["subscriptions"]] == [old.url, new.url]
    assert "secret" not in json.dumps(listed)

    old.answers = ["503"] * 100
    await obp.packs(["A1"])  # Of an unknown product: one notice.
    await old.until_called(1)
    assert new.calls == []
    await until_attempted(obp, 1)
    path = f"subscriptions/{second['subscriptionId']}"
    for _ in range(2):  # Repeating it does not roll back.
        status, listed = await call(obp, "POST", f"{path}/roll")
        assert [one["url"] for one in listed["subscriptions"]] == [new.url, old.url]
    # What waited goes to the new one at once.
    assert told((await new.until_called(1))[0]).messageType == "STIV"

    assert (await call(obp, "DELETE", path))[0] == 409
    assert (await call(obp, "DELETE", f"subscriptions/{first['subscriptionId']}"))[0] == 200
    assert await call(obp, "DELETE", path) == (200, {"subscriptions": []})
    assert (await call(obp, "DELETE", path))[0] == 404
    notice_id = (await notices(obp))[-1]["noticeId"]
    assert (await call(obp, "POST", f"notices/{notice_id}/redeliver"))[0] == 409
    stranger = await distributor(stand)
    assert (await call(stranger, "GET", "subscriptions")) == (200, {"subscriptions": []})

    for url in ("http://example.org/", "http://127.0.0.1:x/", "ftp://127.0.0.1/"):
        message = {"transactionId": obp.transaction_id("SBPS"), "url": url}
        assert (await call(obp, "POST", "SBPS", **message))[0] == 400, url
    message = {"transactionId": obp.transaction_id("PMDR"), "url": old.url}
    assert (await call(obp, "POST", "SBPS", **message))[0] == 400


async def test_a_roll_during_a_call_that_hangs_is_followed_at_once(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand = await start_stand("IE", callbacks=IMPATIENT)
    old, new = await start_endpoint(), await start_endpoint()
    old.answers = ["hang"] * 100
    await subscribe(stand.obp, old.url)
    second = await subscribe(stand.obp, new.url)
    await stand.obp.packs(["A1"])
    await old.until_called(1)
    status, _ = await call(stand.obp, "POST", f"subscriptions/{second['subscriptionId']}/roll")
    assert status == 200
    await new.until_called(1)
    delivered = await until_notice(stand.obp, status="Delivered")
    _, shown = await stand.obp.get(f"notices/{delivered['noticeId']}")
    assert [one["url"] for one in shown["attempts"]] == [old.url, new.url]


async def test_a_call_that_hangs_keeps_no_notice_waiting_for_a_removed_endpoint(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand, endpoint = await start_stand("IE", callbacks=IMPATIENT), await start_endpoint()
    endpoint.answers = ["hang"] * 100
    only = await subscribe(stand.obp, endpoint.url)
    await stand.obp.packs(["A1"])
    await endpoint.until_called(1)
    status, _ = await call(stand.obp, "DELETE", f"subscriptions/{only['subscriptionId']}")
    assert status == 200
    left = await until_attempted(stand.obp, 1)
    assert left["delivery"]["status"] == "Stored", "else it would wait, and be kept, for ever"
    await move_clock(stand, 31 * 86_400)
    async with asyncio.timeout(10):
        while await notices(stand.obp):
            await asyncio.sleep(0.02)


async def test_redelivery_during_the_last_attempt_is_not_lost(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand, endpoint = await start_stand("IE", callbacks=IMPATIENT), await start_endpoint()
    endpoint.answers = ["503", "hang"]
    notice_id = await one_failing(stand, endpoint, stand.obp)
    await move_clock(stand, 86_400)  # The attempt that follows is the last one.
    await endpoint.until_called(2)
    status, _ = await call(stand.obp, "POST", f"notices/{notice_id}/redeliver")
    assert status == 202
    assert (await until_notice(stand.obp, status="Delivered"))["noticeId"] == notice_id


async def test_nothing_is_sent_again_while_the_endpoint_goes(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand, endpoint = await start_stand("IE"), await start_endpoint()
    obp = stand.obp
    endpoint.answers = ["503"] * 1_000
    await obp.packs(["A1"])
    for _ in range(8):
        path = f"subscriptions/{(await subscribe(obp, endpoint.url))['subscriptionId']}"
        again = {"statuses": ["Stored", "Failed", "Waiting"]}
        await asyncio.gather(
            call(obp, "DELETE", path),
            *(call(obp, "POST", "notices/redeliver", **again) for _ in range(6)),
        )
        assert (await notices(obp))[-1]["delivery"]["status"] == "Stored"


async def test_a_recall_before_the_first_endpoint_is_sent_to_it(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand, endpoint = await start_stand("IE"), await start_endpoint()
    obp, ours = stand.obp, await distributor(stand)
    await obp.product("IE")
    await obp.packs(["A1"])
    await call(ours, "PUT", f"traded-products/{CODE}")
    await ours.ended(await ours.send("PPDC", **packs(["A1"], productCode=OUR_CODE)))
    await obp.ended(await obp.send("RCBR", **RECALL))
    await subscribe(ours, endpoint.url)
    await endpoint.until_called(1)
    await until_notice(ours, status="Delivered")
    assert [told(one).messageType for one in endpoint.calls] == ["RCBR"]
    # Recalls are kept for years, the rest for as long as answers are.
    for days, kept in ((31, ["RCBR"]), (5 * 366, [])):
        await move_clock(stand, days * 86_400)
        async with asyncio.timeout(10):
            while [one["messageType"] for one in await notices(ours)] != kept:
                await asyncio.sleep(0.02)


async def test_a_forwarded_alert_is_called_back_once_for_each_change(
    start_stand: StartStand, start_endpoint: StartEndpoint
) -> None:
    stand, endpoint = await start_stand("IE"), await start_endpoint()
    obp = stand.obp
    await obp.product("IE")
    await subscribe(obp, endpoint.url)
    report: dict[str, Any] = {
        "alertId": "IE-AAA-AAA-AAA-AAA-AAA",
        "revision": 0,
        "code": "A3",
        "outcome": "SERIAL_UNKNOWN",
        "nationalReturnCode": "NMVS_NC_PC_02",
        "operation": "VERIFY",
        "sourceProcess": "Verify",
        "raisingMarket": "IE",
        "initiatingMarket": "IE",
        "raisedAt": 1,
        "eventAt": 1,
        "manual": False,
        "scheme": "GTIN",
        "productCode": CODE,
        "serialNumber": "X1",
        "batchId": "LOT1",
        "expiry": "301231",
        "storedBatchId": None,
        "storedExpiry": None,
        "storedState": None,
        "locationToken": "t",
        "repeatGroup": "g",
        "state": "New",
        "steps": [{"state": "New", "party": "System", "at": 1}],
    }
    closed = {
        "revision": 1,
        "state": "Closed",
        "steps": [{"state": "Closed", "party": "NMVO", "at": 2, "reason": "TECHNICAL_ERROR"}],
    }
    own = {
        "revision": 2,
        "state": "Under investigation",
        "steps": [{"state": "Under investigation", "party": "OBP", "at": 3}],
    }
    nobodys = {"alertId": "IE-BBB-BBB-BBB-BBB-BBB", "productCode": OUR_CODE}
    for change in ({}, {}, closed, {}, closed, own, nobodys):
        async with stand.http.post(
            f"{stand.hub.url}/nmvs/v1/alerts",
            json={"alerts": [report | change]},
            headers={"Authorization": "Bearer interconnect-token-of-IE"},
        ) as response:
            assert (response.status, await response.json()) == (200, {"refused": []})
    came = [told(one) for one in await endpoint.until_called(2)]
    assert [(one.messageType, one.content["state"]) for one in came] == [
        ("ALRT", "New"),
        ("ALRT", "Closed"),
    ]
    assert came[0].content["alertId"] == report["alertId"]
    listed = (await obp.get("alerts"))[1]["alerts"][0]
    assert came[0].content.keys() == listed.keys()
    assert len(await notices(obp, messageType="ALRT")) == 2


async def test_a_killed_hub_calls_back_what_it_owed(
    dsn: str,
    schema_name: str,
    http: aiohttp.ClientSession,
    start_wires: Callable[..., Awaitable[dict[str, NationalWire]]],
    start_endpoint: StartEndpoint,
    tmp_path: Path,
) -> None:
    wires = await start_wires("IE")
    settings = msgspec.to_builtins(hub_settings(dsn, schema_name, wires))
    hub = SystemProcess("hub", settings, tmp_path)
    await hub.start()
    await register(http, hub.ready["management"])
    token = await register(
        http,
        hub.ready["management"],
        organisationId="30003",
        kind="parallel_distributor",
        token="token-of-the-distributor-1",
    )
    obp = Obp(hub.ready["url"], http)
    ours = Obp(hub.ready["url"], http, organisation_id="30003", token=token, actor="D")
    endpoint = await start_endpoint()
    endpoint.answers = ["hang"]  # The call is under way when the hub dies.
    await obp.product("IE")
    for number in range(5):
        await obp.packs([f"A{number}"], batchId=f"L{number}")
    await call(ours, "PUT", f"traded-products/{CODE}")
    await subscribe(ours, endpoint.url)
    sent = [await obp.send("RCBR", **{**RECALL, "batchId": f"L{number}"}) for number in range(5)]
    (cut_off,) = await endpoint.until_called(1)
    await hub.kill()
    await hub.start()
    for transaction_id in sent:
        assert (await obp.ended(transaction_id))["status"] == "STDS"
    came = [told(one) for one in await endpoint.until_called(6)]
    assert came[0].noticeId == told(cut_off).noticeId == came[1].noticeId
    assert [one.content["batchId"] for one in came[1:]] == [f"L{number}" for number in range(5)]
    assert await hub.stop() == 0
