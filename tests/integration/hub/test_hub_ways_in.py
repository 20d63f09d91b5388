"""Pack messages line by line, what they become, how they come along; serial numbers on order."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

from emvs.serial_numbers import UNMISTAKABLE
from tests.integration.hub.stand import ADDRESS, CODE, Stand, StartStand, packs

NDJSON = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv"}
HEAD = "productCode,batchId,expiry,serialNumber," + ",".join(
    f"manufacturer.{name}" for name in ADDRESS if name != "street2"
)
CELLS = ",".join(text for name, text in ADDRESS.items() if name != "street2")


def ndjson(transaction_id: str, serials: list[str], **members: Any) -> bytes:
    head = packs(serials, **members) | {"transactionId": transaction_id}
    del head["serialNumbers"]
    return "\n".join([json.dumps(head), *map(json.dumps, serials)]).encode()


async def taken(
    stand: Stand, message_type: str, body: bytes, query: str = "", **headers: str
) -> tuple[int, dict[str, Any]]:
    status, answer, _ = await stand.obp.post(message_type + query, body, headers=headers)
    return status, answer


async def test_each_form_is_the_same_message(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    await obp.product("IE")
    serials = ["A1", 'B"2', "C,3"]
    transaction_id = obp.transaction_id("PPDC")
    csv = f"\ufeff{HEAD}\r\n" + "".join(
        f"{CODE},LOT1,301231,{cell},{CELLS}\r\n" for cell in ("A1", '"B""2"', '"C,3"')
    )
    forms: list[tuple[bytes, dict[str, str], str]] = [
        (ndjson(transaction_id, serials), NDJSON, ""),
        (ndjson(transaction_id, serials).replace(b"\n", b"\r\n") + b"\r\n\r\n", NDJSON, ""),
        (json.dumps(packs(serials) | {"transactionId": transaction_id}).encode(), {}, ""),
        (csv.encode(), CSV, f"?transactionId={transaction_id}"),
    ]
    answers = []
    for body, headers, query in forms:
        for sent, more in ((body, {}), (gzip.compress(body), {"Content-Encoding": "gzip"})):
            status, answer = await taken(stand, "PPDC", sent, query, **headers, **more)
            assert status == 202, answer
            answers.append(answer)
    assert all(answer == answers[0] for answer in answers)
    assert (await obp.ended(transaction_id))["status"] == "STDS"
    assert list(stand.wires["IE"].applied.values())[-1][1]["serialNumbers"] == serials


async def test_a_packed_body_that_was_cut_off_stores_nothing(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    await obp.product("IE")
    transaction_id = obp.transaction_id("PPDC")
    rows = [f"{CODE},LOT1,301231,{number:08},{CELLS}" for number in range(200)]
    query = f"?transactionId={transaction_id}"
    packed = gzip.compress("\n".join([HEAD, *rows, ""]).encode())
    unpacking = {"Content-Encoding": "gzip"}
    for cut in (1, 8, 9, 40, len(packed) // 2):
        status, answer = await taken(stand, "PPDC", packed[:-cut], query, **CSV, **unpacking)
        assert (status, answer["detail"]) == (
            400,
            "the body ends early or its compression is broken",
        ), cut
    for coding in ("br", "zstd", "foo"):
        status, answer = await taken(
            stand, "PPDC", packed, query, **CSV, **{"Content-Encoding": coding}
        )
        assert (status, answer["title"]) == (415, "Unsupported body"), coding
    assert (await stand.obp.get(f"requests/{transaction_id}"))[0] == 404
    status, _ = await taken(stand, "PPDC", packed, query, **CSV, **unpacking)
    assert status == 202
    assert (await obp.ended(transaction_id))["status"] == "STDS"


async def test_state_updates_come_in_lines_too(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    await stand.obp.packs(["A1"])
    stand.wires["IE"].pack_answers = {"A1": ("DECOMMISSIONED", "STOLEN")}
    transaction_id = stand.obp.transaction_id("PSUDC")
    rows = (
        "transactionId;productCode;batchId;state;markets;serialNumber\n"
        f"{transaction_id};{CODE};LOT1;Stolen;IE;A1\n"
    )
    status, answer = await taken(stand, "PSUDC", rows.encode(), **CSV)
    assert status == 202, answer
    ended = await stand.obp.ended(transaction_id)
    assert ended["markets"][0]["outcomes"] == {"DECOMMISSIONED": 1}


ERRORS: list[tuple[dict[str, str], list[str], str]] = [
    (NDJSON, ["{}"], "transactionId"),
    (NDJSON, ["HEAD", '"A1"', "A2"], "line 3"),
    (NDJSON, ["HEAD", '"A1"', '"A2","A3"'], "line 3"),
    (NDJSON, ["HEAD", '"A1"', "", '{"serialNumber":"A2"}'], "line 4"),
    (NDJSON, ["HEAD", "7"], "line 2"),
    (NDJSON, ["HEAD", '"' + "x" * 70_000 + '"'], "line 2"),
    (NDJSON, ["x" * 70_000], "line 1"),
    (NDJSON, ["HEAD", '"\udcff"'], "line 2"),
    (CSV, ["productCode,batchId"], "serialNumber"),
    (CSV, ["productCode,productCode,serialNumber"], "'productCode' is named"),
    (CSV, ["batchId,serialNumber", "L1,A1", "L1"], "line 3"),
    (CSV, ["batchId,serialNumber", "L1,A1", "L2,A2"], "batchId is 'L2'"),
    (CSV, ["batchId,serialNumber", 'L1,"A1', 'L1,A2"'], "line"),
    (CSV, ["batchId,serialNumber", "L1,\udcff"], "line 2"),
    (CSV, ["lot,serialNumber", "L1,A1"], "lot"),
    (CSV, ["productVersion,serialNumber", "one,A1"], "productVersion"),
]  # fmt: skip


async def test_errors_name_the_line_and_store_nothing(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    for headers, lines, says in ERRORS:
        transaction_id = stand.obp.transaction_id("PPDC")
        head = ndjson(transaction_id, []).decode()
        body = "\n".join(lines).replace("HEAD", head).encode("utf-8", "surrogateescape")
        query = f"?transactionId={transaction_id}" if headers is CSV else ""
        status, answer = await taken(stand, "PPDC", body, query, **headers)
        assert (status, says in answer["detail"]) == (400, True), (lines, answer)
    assert (await stand.obp.get("requests"))[1]["requests"] == []


async def test_too_many_lines_are_refused_while_they_come(start_stand: StartStand) -> None:
    stand = await start_stand("IE", limits={"serials_per_message_max": 100})
    body = ndjson(stand.obp.transaction_id("PPDC"), [f"A{n}" for n in range(101)])
    status, answer = await taken(stand, "PPDC", body, **NDJSON)
    assert (status, "PPDM" in answer["detail"]) == (413, True)
    status, answer = await taken(stand, "RCBR", ndjson("x", []), **NDJSON)
    assert status == 415


async def test_progress_and_quality_are_told(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    obp = stand.obp
    await obp.product("IE", "DE")
    stand.wires["DE"].open_gate.clear()
    transaction_id = obp.transaction_id("PPDC")
    serials = [f"{n:08}" for n in range(2_000)]
    body = ndjson(transaction_id, serials)

    # Half of it comes, and is counted before anything is stored.
    half_sent, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> Any:
        yield body[: len(body) // 2]
        half_sent.set()
        await go_on.wait()
        yield body[len(body) // 2 :]

    auth = {"Authorization": f"Bearer {obp.token}"}
    url = f"{obp.url}/obp/v1/PPDC"
    upload = asyncio.create_task(stand.http.post(url, data=slowly(), headers=auth | NDJSON))
    await half_sent.wait()
    async with asyncio.timeout(20):
        while (await obp.get(f"requests/{transaction_id}"))[1]["detail"].find("received") < 0:
            await asyncio.sleep(0.02)
    go_on.set()
    assert (await upload).status == 202

    events = []
    stream = f"{obp.url}/obp/v1/requests/{transaction_id}/progress"
    async with stand.http.get(stream, headers=auth) as response:
        async for line in response.content:
            if line.startswith(b"data: "):
                events.append(json.loads(line[6:]))
                told = {entry["system"]: entry for entry in events[-1]["progress"]}
                if told.get("IE", {}).get("at"):
                    stand.wires["DE"].open_gate.set()
    assert events[-1]["status"] == "STDS"
    last = events[-1]["progress"]
    assert [(entry["stage"], entry["count"], entry["system"]) for entry in last] == [
        ("received", 2000, None),
        ("validated", 2000, None),
        ("stored", 2000, None),
        ("distributed", 2000, "DE"),
        ("distributed", 2000, "IE"),
    ]
    assert all(entry["at"] for entry in last)

    async with asyncio.timeout(20):
        while (await obp.get(f"requests/{transaction_id}/quality"))[0] == 404:
            await asyncio.sleep(0.02)
    _, quality = await obp.get(f"requests/{transaction_id}/quality")
    assert quality["report"]["verdict"] == "fails"
    assert {"sequence", "guessable"} <= {found["rule"] for found in quality["report"]["findings"]}
    assert quality["refusedAsReused"] == {"IE": 0, "DE": 0}
    assert (await obp.get(f"requests/{transaction_id}"))[1]["serialQuality"] == quality["report"]


async def test_serial_numbers_on_order_can_be_uploaded_as_they_are(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    await obp.product("IE")
    auth = {"Authorization": f"Bearer {obp.token}"}

    async def order(**members: Any) -> tuple[int, bytes, Any]:
        url = f"{obp.url}/obp/v1/serials"
        async with stand.http.post(url, json=members, headers=auth) as response:
            return response.status, await response.read(), response.headers

    status, lines, headers = await order(count=10_000)
    assert (status, "EMVS-For-Tests-Only" in headers) == (200, False)
    serials = [json.loads(line) for line in lines.splitlines()]
    assert len(set(serials)) == 10_000
    assert set("".join(serials)) == set(UNMISTAKABLE)
    transaction_id = obp.transaction_id("PPDC")
    status, answer = await taken(
        stand, "PPDC", ndjson(transaction_id, []) + b"\n" + lines, **NDJSON
    )
    assert status == 202, answer
    assert (await obp.ended(transaction_id))["serialCount"] == 10_000

    first = await order(count=5, testSeed=1)
    assert "EMVS-For-Tests-Only" in first[2]
    assert (await order(count=5, testSeed=1))[1] == first[1]
    quotes = await order(count=2000, alphabet='",ABC', length=20)
    assert len([json.loads(line) for line in quotes[1].splitlines()]) == 2000
    for members, says in [
        ({"count": 1_000_001}, "1000000"),
        ({"count": 1_000, "length": 3}, "too easily guessed"),
        ({"count": 1_000, "alphabet": "A"}, "alphabet"),
        ({"count": 1, "seed": 1}, "seed"),
    ]:
        status, problem, _ = await order(**members)
        assert (status, says in problem.decode()) == (400, True), problem


async def test_a_stream_follows_a_message_into_the_store_or_tells_that_it_was_refused(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    await obp.product("IE")
    auth = {"Authorization": f"Bearer {obp.token}"}

    async def followed(end: bytes, *, first: bool) -> tuple[int, list[dict[str, Any]]]:
        """Send a message whose last line comes late, and read its progress meanwhile."""
        transaction_id = obp.transaction_id("PPDC" if first else "PPDM")
        go_on = asyncio.Event()
        serials = [f"{transaction_id[-3:]}{n}" for n in range(1000)]
        members = {} if first else {"manufacturer": None}

        async def slowly() -> Any:
            yield ndjson(transaction_id, serials, **members) + b"\n"
            await go_on.wait()
            yield end

        url = f"{obp.url}/obp/v1/{transaction_id[:4]}"
        upload = asyncio.create_task(stand.http.post(url, data=slowly(), headers=auth | NDJSON))
        stream = f"{obp.url}/obp/v1/requests/{transaction_id}/progress"
        async with asyncio.timeout(30):
            while (await obp.get(f"requests/{transaction_id}"))[1]["detail"].find("received") < 0:
                await asyncio.sleep(0.02)
            async with stand.http.get(stream, headers=auth) as response:
                told = []
                async for line in response.content:
                    assert line.partition(b":")[0] in {b"event", b"data", b"\n"}, line
                    if line.startswith(b"data: "):
                        told.append(json.loads(line[6:]))
                        go_on.set()
        return (await upload).status, told

    # Storing takes longer than the stream waits.
    await stand.hub.database.pool.execute(
        "create function wait() returns trigger language plpgsql as $$ begin"
        " perform pg_sleep(0.6); return new; end $$;"
        " create trigger wait before insert on request for each row execute function wait()"
    )
    status, told = await followed(b'"LAST"\n', first=True)
    assert (status, told[0]["status"], told[-1]["status"]) == (202, "Receiving", "STDS")
    status, told = await followed(b"LAST\n", first=False)
    assert (status, told[-1]) == (400, {"status": "NotStored"})


async def test_what_is_stored_is_told_while_it_comes_once_more(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    await obp.product("IE")
    transaction_id = obp.transaction_id("PPDC")
    body = ndjson(transaction_id, ["A1", "A2"])
    assert (await taken(stand, "PPDC", body, **NDJSON))[0] == 202
    await obp.ended(transaction_id)
    with stand.hub.progress.receiving("10001") as note:
        note(transaction_id, 1)
        status, told = await obp.get(f"requests/{transaction_id}")
    assert (status, told["status"]) == (200, "STDS")


async def test_readers_of_progress_that_have_gone_keep_no_place(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    await obp.product("IE")
    # Nothing changes, so that nothing is written to whoever has gone.
    assert (await stand.manage("PATCH", "/distribution/IE", paused=True))[0] == 200
    transaction_id = obp.transaction_id("PPDC")
    assert (await taken(stand, "PPDC", ndjson(transaction_id, ["A1"]), **NDJSON))[0] == 202
    async with asyncio.timeout(20):
        while (await obp.get(f"requests/{transaction_id}"))[1]["status"] != "STLD":
            await asyncio.sleep(0.02)
    auth = {"Authorization": f"Bearer {obp.token}"}
    stream = f"{obp.url}/obp/v1/requests/{transaction_id}/progress"
    for _ in range(50):
        async with stand.http.get(stream, headers=auth) as response:
            assert response.status == 200
            response.close()
    async with asyncio.timeout(10):
        while True:
            async with stand.http.get(stream, headers=auth) as response:
                if response.status == 200:
                    break
            await asyncio.sleep(0.05)
