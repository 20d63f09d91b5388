"""Bulk of pack and recovery in a running national system, as clients of the real ones use them."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import orjson
import pytest

from tests.integration.clients import RestTill
from tests.integration.conftest import StartSystem
from tests.integration.nmvs.bulk_client import BulkClient, client_of
from tests.integration.nmvs.rest_raw_client import RawConnection
from tests.integration.running import RunningSystem

RECOVERY = "/recovery/packs"
EXPIRED = "220101"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def trail_of(system: RunningSystem, serial: str) -> list[dict[str, object]]:
    answer = await system.ask_management("/trail", product_code=system.product_code, serial=serial)
    entries: list[dict[str, object]] = answer["entries"]
    return entries


async def test_the_exact_bytes_of_a_bulk(start_system: StartSystem) -> None:
    system = await start_system("IE", dialects=("rest",), bulk={"results_after_s": 3600})
    serials = await system.load_packs(2)
    client = await client_of(system)
    good = orjson.dumps(client.pack(serials[0])).decode()
    packs = good, good.replace(serials[0], "A B").replace(":", " : ")
    body = (
        f'{{"state":"Supplied","maxBulkPackCount":500000,"numberOfPacks":2,"packs":[{packs[0]} ,'
        f"{packs[1]}]}}"
    ).encode()
    who = f"Authorization: Bearer {client.token}"
    async with RawConnection(system.ports["service"]) as connection:
        answer = await connection.ask("POST", "/verification/product/packs", who, body=body)
        assert answer.status == 202
        location = answer.headers["location"]
        head, _, job_id = location.rpartition("/")
        assert head == "http://test/verification/product/packs"
        assert str(UUID(job_id)) == job_id
        said = INSTANT.sub("@", answer.body.decode())
        assert said == '{"operationCode":"22100000","eta":"@","expires":"@"}'
        target = location.removeprefix("http://test")
        answer = await connection.ask("GET", target, who)
        assert (answer.status, INSTANT.sub("@", answer.body.decode())) == (
            409,
            '{"operationCode":"52210000","information":"The results are not ready yet.","eta":"@"}',
        )
        assert "location" not in answer.headers
        await system.advance_clock(3600)
        await client.log_in()
        done = await client.result(f"{system.service}{target}")
        answer = await connection.ask("GET", target.upper(), who)
        assert answer.status == done.status == 200
        assert INSTANT.sub("@", answer.body.decode()) == (
            '{"operationCode":"12200000","packs":[{"pack":' + packs[0] + ',"result":{'
            '"operationCode":"11210200","state":"Supplied",'
            '"information":"The pack has been supplied.","productName":"Examplol 10 mg",'
            '"nhrn":"280012345678","isIntermarket":false,"canReactivate":true,'
            '"canReactivateUntil":"@"}},{"pack":' + packs[1] + ',"result":{'
            '"operationCode":"61020011","warning":"The serial number is invalid."}}]}'
        )
        assert not {"eta", "location"} & answer.headers.keys()
        answer = await connection.ask("GET", f"/product/packs/{uuid4()}", who)
        assert (answer.status, answer.code) == (404, "42220000")


async def test_etas_are_near_and_results_are_kept_for_thirty_days(
    national_system: RunningSystem,
) -> None:
    client = await client_of(national_system)
    await national_system.load_packs(1)
    answer = await client.post(
        "/api/product/packs", {"numberOfPacks": 1, "packs": [client.pack("A")]}
    )
    now = datetime.now(UTC)
    eta, expires = (
        datetime.fromisoformat(answer.members[name]) - now for name in ("eta", "expires")
    )
    assert timedelta(0) < eta <= timedelta(seconds=45)
    assert timedelta(days=29) < expires <= timedelta(days=30)
    assert answer.headers["location"].startswith(f"{national_system.service}/api/product/packs/")


async def test_every_pack_has_its_own_result_in_the_order_of_the_request(
    national_system: RunningSystem,
) -> None:
    system = national_system
    serials = await system.load_packs(1_100)
    expired = await system.load_packs(1, batch_id="OLD", expiry=EXPIRED)
    client = await client_of(system)
    other = await client_of(system, "pharmacy", 7)
    packs = [client.pack(serial) for serial in serials]
    packs[3] = client.pack("UNKNOWN4LIFE")
    packs[5] = client.pack(serials[5], batchId="LOT?")
    packs[700] = client.pack(serials[700], productCode="09506000134352")
    packs[701] = client.pack("A B")
    packs.append(client.pack(expired[0], batchId="OLD", expiryDate=EXPIRED))
    await other.codes([client.pack(serials[9])], "Supplied")
    expected = ["11210200"] * len(packs)
    expected[3], expected[5] = "41020001", "41020008"
    expected[700], expected[701], expected[9] = "41020000", "61020011", "51220200"
    expected[-1] = "51221100"
    assert await client.codes(packs, "Supplied") == expected
    again = await client.codes(packs, "Supplied")
    assert again[0] == "11220201"
    assert (await client.codes(packs[:2]))[0] == "11110201"
    assert await client.codes(packs[:2], "Active") == ["11410100"] * 2
    alerts = (await system.ask_management("/alerts"))["alerts"]
    assert {alert["code"] for alert in alerts} == {"A3", "A68", "A7"}
    entries = await trail_of(system, serials[0])
    assert [entry["outcome"] for entry in entries] == [
        "DECOMMISSIONED",
        "REPEAT_TOLERATED",
        "VERIFIED",
        "REACTIVATED",
    ]
    assert {entry["dialect"] for entry in entries} == {"rest-bulk"}


async def test_a_recovery_replays_mixed_operations_in_order(
    national_system: RunningSystem,
) -> None:
    system = national_system
    first, second, third = await system.load_packs(3)
    client = await client_of(system)

    def replay(serial: str, transition: object = None, **other: object) -> dict[str, object]:
        pack = client.pack(serial, **other)
        return pack if transition is None else pack | {"transitionType": transition}

    packs = [
        replay(first, "SUPPLIED"),
        replay(first, "ACTIVE"),
        replay(first, "SUPPLIED"),
        replay(first),
        replay(second, 1),
        replay(second, "Stolen"),
        replay(second, 7),
        replay(third, batchId="", expiryDate=""),
        replay(third, "sold"),
    ]
    assert await client.codes(packs, path=RECOVERY) == [
        "11210200",
        "11410100",
        "11210200",
        "11110201",
        "11310700",
        "51320701",
        "51420700",
        "11110100",
        "61020010",
    ]
    assert (await trail_of(system, first))[0]["dialect"] == "rest-recovery"
    assert (await trail_of(system, third))[0]["manual"] is True
    # A recovery is not a bulk: neither fetches the other's result.
    location = await client.submit(packs[:1], path=RECOVERY)
    await client.result(location)
    wrong = await client.get(location.replace(RECOVERY, "/product/packs"))
    assert (wrong.status, wrong.members["operationCode"]) == (404, "42220000")


async def test_refusals_of_a_whole_request(start_system: StartSystem) -> None:
    system = await start_system("IE", rest={"bulk_packs_max": 3})
    client = await client_of(system)
    packs = [client.pack(f"S{number}") for number in range(4)]
    for path, digits in (("/product/packs", "21"), (RECOVERY, "31")):
        for body, last in (
            ({"numberOfPacks": 4, "packs": packs}, "3"),
            ({"numberOfPacks": 3, "packs": packs[:2]}, "1"),
            ({"numberOfPacks": 0, "packs": []}, "2"),
            (b"no JSON", "2"),
        ):
            answer = await client.post(path, body)
            code = f"6{digits}2000{last}"
            assert (answer.status, answer.members["operationCode"]) == (422, code)
            assert "location" not in answer.headers
    pharmacy = await client_of(system, "pharmacy", 1)
    body = {"state": "Exported", "numberOfPacks": 1, "packs": packs[:1]}
    refused = await pharmacy.post("/product/packs", body)
    assert (refused.status, refused.members["operationCode"]) == (403, "30020000")
    recovered = client.pack("S1") | {"transitionType": "EXPORTED"}
    assert await pharmacy.codes([recovered], path=RECOVERY) == ["30020000"]


async def test_a_pack_named_twice_raises_an_alert_and_nothing_is_done(
    start_system: StartSystem,
) -> None:
    system = await start_system("IE")
    serials = await system.load_packs(2)
    client = await client_of(system)
    packs = [client.pack(serial) for serial in (*serials, serials[0])]
    answer = await client.post(
        "/product/packs", {"state": "Supplied", "numberOfPacks": 3, "packs": packs}
    )
    assert (answer.status, answer.members["operationCode"]) == (422, "62120000")
    (alert,) = (await system.ask_management("/alerts"))["alerts"]
    assert alert["alertId"] == answer.members["alertId"] == answer.members["uprc"]
    assert alert["submitted"]["serialNumber"] == serials[0]
    assert await client.codes(packs[:2]) == ["11110100"] * 2
    assert await client.codes(packs, path=RECOVERY) == ["11110100"] * 3
    await system.stop()
    system = await start_system("IE", rest={"bulk_duplicates_code": "52120000"})
    client.system = system
    await client.log_in()
    answer = await client.post("/product/packs", {"numberOfPacks": 3, "packs": packs})
    assert (answer.status, answer.members["operationCode"]) == (409, "52120000")


async def test_only_the_owner_fetches(start_system: StartSystem) -> None:
    system = await start_system("IE")
    serials = await system.load_packs(1)
    owner = await client_of(system)
    registration = await system.register("wholesaler", 2, organisation="Wholesaler 1")
    same = await BulkClient(system, registration).log_in()
    stranger = await client_of(system, "wholesaler", 3)
    location = await owner.submit([owner.pack(serials[0])])
    await owner.result(location)
    assert (await same.get(location)).status == 200
    refused = await stranger.get(location)
    assert (refused.status, refused.members["operationCode"]) == (404, "42220000")
    await system.stop()
    system = await start_system("IE", bulk={"shared_within": "location"})
    location = system.service + location[location.index("/product") :]
    for client, status in ((owner, 200), (same, 404)):
        client.system = system
        await client.log_in()
        assert (await client.get(location)).status == status


async def test_results_expire_by_the_clock(start_system: StartSystem) -> None:
    system = await start_system("IE", bulk={"keep_results_s": 86_400})
    serials = await system.load_packs(1_001)
    client = await client_of(system)
    location = await client.submit([client.pack(serial) for serial in serials])
    await client.result(location)
    await system.advance_clock(86_000)
    await client.log_in()
    assert (await client.get(location)).status == 200
    await system.advance_clock(400)
    gone = await client.get(location)
    assert (gone.status, gone.members["operationCode"]) == (404, "42220000")


async def test_clients_that_poll_without_a_pause_hinder_nobody(
    start_system: StartSystem,
) -> None:
    system = await start_system("IE", bulk={"results_after_s": 60})
    serials = await system.load_packs(600)
    client = await client_of(system)
    location = await client.submit([client.pack(serial) for serial in serials[:500]], "Supplied")
    till = RestTill(system.http, system.service, await system.register("pharmacy", 1))
    await till.log_in()
    stopped = False
    polls = 0

    async def poll() -> None:
        nonlocal polls
        while not stopped:
            answer = await client.get(location)
            assert answer.status == 409
            assert answer.members["operationCode"] == "52210000"
            polls += 1

    pollers = [asyncio.create_task(poll()) for _ in range(4)]
    for serial in serials[500:550]:
        answer = await till.supply(system.product_code, serial, "LOT1", "301231")
        assert answer.code == "11210200"
    stopped = True
    await asyncio.gather(*pollers)
    assert polls > 50
    await system.advance_clock(60)
    await client.log_in()
    assert set((await client.result(location)).codes) == {"11210200"}


async def test_a_small_bulk_does_not_wait_for_a_large_one_of_others(
    national_system: RunningSystem,
) -> None:
    system = national_system
    serials = await system.load_packs(5_002)
    large, small = await client_of(system), await client_of(system, "wholesaler", 2)
    behind = await large.submit([large.pack(serial) for serial in serials[:5_000]], "Supplied")
    assert await small.codes([small.pack(serials[5_000])], "Supplied") == ["11210200"]
    assert (await large.get(behind)).status == 409
    assert set((await large.result(behind)).codes) == {"11210200"}


async def test_tills_and_bulks_that_race_for_packs_supply_each_once(
    national_system: RunningSystem,
) -> None:
    system = national_system
    serials = await system.load_packs(1_500)
    client = await client_of(system)
    till = RestTill(system.http, system.service, await system.register("pharmacy", 1))
    await till.log_in()
    location = await client.submit([client.pack(serial) for serial in serials], "Supplied")
    at_the_till = {}
    for serial in reversed(serials[1_000:]):
        answer = await till.supply(system.product_code, serial, "LOT1", "301231")
        at_the_till[serial] = answer.code
    in_bulk = dict(zip(serials, (await client.result(location)).codes, strict=True))
    for serial, code in at_the_till.items():
        assert {code, in_bulk[serial]} == {"11210200", "51220200"}, serial
    assert set(list(in_bulk.values())[:1_000]) == {"11210200"}


async def test_too_much_is_refused_and_what_was_accepted_is_done(
    start_system: StartSystem,
) -> None:
    system = await start_system(
        "IE", bulk={"jobs_waiting_per_organisation_max": 2, "items_per_organisation_max": 4_000}
    )
    serials = await system.load_packs(3_500)
    client, other = await client_of(system), await client_of(system, "wholesaler", 2)
    packs = [client.pack(serial) for serial in serials]
    accepted = [await client.submit(part, "Supplied") for part in (packs[:2_000], packs[2_000:])]
    body = {"numberOfPacks": 1, "packs": packs[:1]}
    third = await client.post("/product/packs", body)
    assert (third.status, third.members["operationCode"]) == (429, "70020000")
    assert int(third.headers["retry-after"]) > 0
    assert await other.codes(packs[-1:]) in (["11110100"], ["11110200"])
    for location in accepted:
        assert set((await client.result(location)).codes) == {"11210200"}
    # Results are kept: there is room for five hundred packs more.
    large = await client.post("/product/packs", {"numberOfPacks": 501, "packs": packs[:501]})
    assert large.status == 429
    assert set(await client.codes(packs[:500])) == {"11110201"}


async def test_large_bodies_are_bounded_together(start_system: StartSystem) -> None:
    system = await start_system("IE", bulk={"bodies_bytes_max": 100_000})
    client = await client_of(system)
    async with RawConnection(system.ports["service"]) as slow:
        head = f"POST /product/packs HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {client.token}"
        slow.writer.write(f"{head}\r\nContent-Length: 90001\r\n\r\n".encode() + b" " * 90_000)
        await slow.writer.drain()
        async with asyncio.timeout(5):
            while (answer := await client.post("/product/packs", b" " * 20_000)).status != 429:
                await asyncio.sleep(0.01)
        assert answer.members["operationCode"] == "70020000"
        assert (await client.post("/product/packs", b" " * 2_000)).status == 422
    async with asyncio.timeout(5):
        while (await client.post("/product/packs", b" " * 20_000)).status != 422:
            await asyncio.sleep(0.01)


async def test_jobs_that_wait_are_taken_up_after_a_restart(start_system: StartSystem) -> None:
    system = await start_system("IE", bulk={"packs_at_once": 1})
    serials = await system.load_packs(3_000)
    client = await client_of(system)
    packs = [client.pack(serial) for serial in serials]
    locations = [
        await client.submit(packs[start : start + 1_000], "Supplied")
        for start in range(0, 3_000, 1_000)
    ]
    assert (await client.get(locations[-1])).status == 409
    await system.stop()
    system = await start_system("IE")
    client.system = system
    await client.log_in()
    for location in locations:
        result = await client.result(system.service + location[location.index("/product") :])
        assert set(result.codes) == {"11210200"}
    check = await system.ask_management("/check")
    assert check["equal"], check


@pytest.mark.parametrize("content_encoding", ["gzip", "identity"])
async def test_a_body_without_a_length_is_taken(
    national_system: RunningSystem, content_encoding: str
) -> None:
    system = national_system
    client = await client_of(system)
    body = orjson.dumps({"numberOfPacks": 1, "packs": [client.pack("A")]})
    if content_encoding == "gzip":
        body = gzip.compress(body)

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:10]
        yield body[10:]

    headers = {"Authorization": f"Bearer {client.token}", "Content-Encoding": content_encoding}
    async with system.http.post(
        f"{system.service}/product/packs", headers=headers, data=pieces()
    ) as response:
        assert response.status == 202
