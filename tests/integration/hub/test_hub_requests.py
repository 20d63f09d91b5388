"""A manufacturer's requests from the body to the status: over HTTP, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.integration.hub.stand import CODE, StartStand, packs, product, register


async def test_master_data_and_packs_reach_every_market(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    loaded = await stand.obp.product("IE", "DE")
    assert [step["status"] for step in loaded["history"]] == ["STVA", "STLD", "STDS"]
    assert loaded["productVersion"] == 1

    sent = await stand.obp.packs(["A1", "A2", "A3"])
    assert [step["status"] for step in sent["history"]] == ["STVA", "STLD", "STDS"]
    assert {entry["market"]: entry["loadedCount"] for entry in sent["markets"]} == {
        "IE": 3,
        "DE": 3,
    }
    for wire in stand.wires.values():
        kinds = [kind for kind, _ in wire.applied.values()]
        assert kinds == ["products", "packs"]
        _, message = list(wire.applied.values())[1]
        assert message == {
            "productCode": CODE,
            "productVersion": 1,
            "batchId": "LOT1",
            "expiry": "301231",
            "serialNumbers": ["A1", "A2", "A3"],
        }


async def test_recall_and_withdrawal_reach_the_named_markets_and_stop_uploads(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE", "DE")
    obp = stand.obp
    await obp.product("IE", "DE")
    await obp.packs(["A1"])
    recall = {"productCode": CODE, "batchId": "LOT1", "reason": "glass", "markets": ["DE"]}
    done = await obp.ended(await obp.send("RCBR", **recall))
    assert done["status"] == "STDS"
    assert list(stand.wires["DE"].applied.values())[-1] == (
        "recalls",
        {"productCode": CODE, "batchId": "LOT1", "reason": "glass"},
    )
    assert [kind for kind, _ in stand.wires["IE"].applied.values()] == ["products", "packs"]

    again = await obp.ended(await obp.send("RCBR", **recall))
    assert (again["status"], again["defects"][0]["rule"]) == ("STIV", "already_recalled")

    more = await obp.packs(["A2"], kind="PPDM")
    assert more["status"] == "STDS"
    assert {entry["market"]: entry["status"] for entry in more["markets"]} == {
        "IE": "Distributed",
        "DE": "Rejected",
    }
    assert [(defect["market"], defect["rule"]) for defect in more["defects"]] == [
        ("DE", "recalled")
    ]

    withdrawal = {"productCode": CODE, "reason": "no longer sold", "markets": ["IE", "DE"]}
    done = await obp.ended(await obp.send("WDPR", **withdrawal))
    assert done["status"] == "STDS"
    refused = await obp.packs(["B1"], batchId="LOT2")
    assert refused["status"] == "STIV"
    assert [entry["status"] for entry in refused["markets"]] == ["Rejected", "Rejected"]


async def test_an_invalid_message_lists_all_defects_and_goes_nowhere(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    answer = await stand.obp.packs(["A1", "A#", "A1"], expiry="991340", batchId="")
    assert [step["status"] for step in answer["history"]] == ["STIV"]
    assert [(d["field"], d["code"], d["rule"]) for d in answer["defects"]] == [
        ("batchId", "I1", "empty"),
        ("expiry", "I1", "format"),
        ("serialNumbers[1]", "I1", "serial_format"),
        ("serialNumbers[2]", "A16", "duplicate"),
    ]
    assert answer["defectCount"] == 4
    assert answer["markets"] == []
    assert len(stand.wires["IE"].attempts) == 1


async def test_a_new_version_takes_the_batches_that_follow(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "DE")
    await stand.obp.product("IE", "DE")
    await stand.obp.packs(["A1"])
    second = await stand.obp.product("IE")
    assert second["productVersion"] == 2
    new = await stand.obp.packs(["B1"], batchId="LOT2")
    assert [entry["market"] for entry in new["markets"]] == ["IE"]
    old = await stand.obp.packs(["A2"], kind="PPDM")
    assert {entry["market"] for entry in old["markets"]} == {"IE", "DE"}


async def test_nobody_touches_another_organisations_product(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    token = await register(
        stand.http,
        stand.hub.management,
        organisationId="20002",
        kind="parallel_distributor",
        token="token-of-the-other-one",
    )
    message = {"transactionId": "PMDRRQD200020012026326000000000001", **product("IE")}
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{stand.hub.url}/obp/v1"
    async with stand.http.post(f"{url}/PMDR", json=message, headers=headers) as response:
        assert response.status == 202
    other = type(stand.obp)(stand.hub.url, stand.http, token=token)
    answer = await other.ended(message["transactionId"])
    assert (answer["status"], answer["defects"][0]["rule"]) == ("STIV", "other_owner")
    status, _ = await stand.obp.get(f"requests/{message['transactionId']}")
    assert status == 404


async def test_a_repeated_request_gets_the_same_acknowledgement(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    message = {"transactionId": stand.obp.transaction_id("PMDR"), **product("IE")}
    body = json.dumps(message).encode()
    answers = await asyncio.gather(*(stand.obp.post("PMDR", body) for _ in range(20)))
    assert {status for status, _, _ in answers} == {202}
    assert len({json.dumps(answer) for _, answer, _ in answers}) == 1
    first = answers[0][1]
    assert first["acknowledgementId"][4:7] == "AKH"
    assert first["hubTransactionId"][4:7] == "TXH"

    status, answer, _ = await stand.obp.post("PMDR", json.dumps(message, indent=3).encode())
    assert (status, answer) == (202, first)
    message["name"] = "Other 10 mg"
    status, answer, _ = await stand.obp.post("PMDR", json.dumps(message).encode())
    assert (status, answer["status"]) == (409, 409)

    ended = await stand.obp.ended(message["transactionId"])
    assert ended["productVersion"] == 1
    for name in ("acknowledgementId", "hubTransactionId"):
        status, answer = await stand.obp.get(f"requests/{first[name]}")
        assert (status, answer) == (200, ended)
    assert len(stand.wires["IE"].attempts) == 1


async def test_the_list_of_requests_goes_on_page_by_page(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    sent = [await stand.obp.send("PMDR", **product("IE")) for _ in range(5)]
    await stand.obp.ended(sent[-1])
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        status, page = await stand.obp.get("requests", after=after, limit="2")
        assert status == 200
        seen += [line["transactionId"] for line in page["requests"]]
        after = page["next"]
    assert seen == sent
    for query in (
        {"limit": "0"},
        {"limit": "501"},
        {"limit": "x"},
        {"after": "x"},
    ):
        status, _ = await stand.obp.get("requests", **query)
        assert status == 400


@pytest.mark.parametrize(
    ("message_type", "body", "status", "named"),
    [
        ("PMDR", b"", 400, "the body is empty"),
        ("PMDR", b"\xff\xfe", 400, "not UTF-8"),
        ("PPDC", b"serialNumber,batchId\nA,B\n", 400, "Content-Type: text/csv"),
        ("PPDC", b'{"transactionId": "A"}\n"S1"\n', 400, "Content-Type: application/x-ndjson"),
        ("PMDR", b'{"transactionId": 1}', 400, "$.transactionId"),
        ("PMDR", b'{"transactionId": "x"}', 400, "34 characters"),
        ("XXXX", b"{}", 404, "PMDR"),
        ("RPRQ", b"{}", 400, "transactionId"),
        ("WDPR", b" " * (1024 * 1024 + 1), 413, "at most"),
    ],
)
async def test_a_body_that_is_no_message_is_a_problem_not_a_request(
    start_stand: StartStand, message_type: str, body: bytes, status: int, named: str
) -> None:
    stand = await start_stand("IE")
    found, problem, headers = await stand.obp.post(message_type, body)
    assert (found, problem["status"]) == (status, status)
    assert headers["Content-Type"].startswith("application/problem+json")
    assert named in problem["detail"]
    _, page = await stand.obp.get("requests")
    assert page["requests"] == []


async def test_a_content_type_that_is_not_read_is_told_which_are(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    for message_type, kind, status, named in (
        ("PPDC", "text/plain", 415, "application/xml, application/x-ndjson, text/csv"),
        ("PPDC", "multipart/form-data; boundary=x", 415, "'multipart/form-data'"),
        ("PMDR", "text/csv", 415, "send application/json, application/xml"),
        ("RPRQ", "text/plain", 415, "send application/json, application/xml"),
        ("serials", "text/plain", 415, "send application/json, application/xml"),
        ("PPDC", "application/vnd.example+json", 400, "transactionId"),
        ("PPDC", "application/json; charset=latin1", 400, "transactionId"),
        ("PPDC", "application/x-www-form-urlencoded", 400, "transactionId"),
    ):  # fmt: skip
        headers = {"Content-Type": kind}
        found, problem, _ = await stand.obp.post(message_type, b"{}", headers=headers)
        assert (found, named in problem["detail"]) == (status, True), problem


async def test_without_a_token_there_is_nothing(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    stand.obp.token = "token-of-nobody-at-all"
    for status, problem in (
        (await stand.obp.post("PMDR", b"{}"))[:2],
        await stand.obp.get("requests"),
        await stand.obp.get("requests/x"),
    ):
        assert (status, problem["title"]) == (401, "Not logged in")
        assert "no client's" in problem["detail"]
    async with stand.http.get(f"{stand.hub.url}/obp/v1/requests") as response:
        assert response.status == 401
        assert "there is no token" in (await response.json())["detail"]


async def test_what_is_not_there_is_404_and_a_message_cannot_be_got(
    start_stand: StartStand,
) -> None:
    stand = await start_stand("IE")
    assert (await stand.obp.get("nix"))[0] == 404
    for message_type in ("PPDC", "SBPS"):
        assert (await stand.obp.get(message_type))[0] == 405


async def test_the_limits_answer_clearly_and_store_nothing(start_stand: StartStand) -> None:
    limits = {"serials_per_message_max": 3, "body_bytes_max": 2_000}
    stand = await start_stand("IE", limits=limits)
    message = {"transactionId": stand.obp.transaction_id("PPDC"), **packs(list("ABCD"))}
    status, problem, _ = await stand.obp.post("PPDC", message)
    assert (status, "at most 3" in problem["detail"]) == (413, True)

    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) > 2_000  # Refused for its length, before a byte is read.
    small_bomb = gzip.compress(b" " * 1_000_000)
    assert len(small_bomb) < 2_000
    for body in (b" " * 2_001, bomb, small_bomb):
        encoding = {"Content-Encoding": "gzip"} if body[:1] != b" " else {}
        status, problem, _ = await stand.obp.post("PPDC", body, headers=encoding)
        assert (status, "2000" in problem["detail"]) == (413, True)
    _, page = await stand.obp.get("requests")
    assert page["requests"] == []


async def test_a_slow_or_vanished_sender_leaves_nothing(start_stand: StartStand) -> None:
    stand = await start_stand("IE", limits={"body_read_s_max": 0.3})
    headers = {"Authorization": f"Bearer {stand.obp.token}"}
    url = f"{stand.hub.url}/obp/v1/PMDR"

    async def trickle() -> AsyncIterator[bytes]:
        yield b'{"transactionId": "'
        await asyncio.sleep(2)
        yield b'"}'

    async with stand.http.post(url, data=trickle(), headers=headers) as response:
        assert response.status == 408

    _, writer = await asyncio.open_connection("127.0.0.1", int(stand.hub.url.rpartition(":")[2]))
    head = f"POST /obp/v1/PMDR HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stand.obp.token}\r\n"
    writer.write(f"{head}Content-Length: 5000000\r\n\r\n".encode() + b" " * 100_000)
    await writer.drain()
    writer.transport.abort()
    _, page = await stand.obp.get("requests")
    assert page["requests"] == []
    assert (await stand.manage("GET", "/health"))[1]["status"] == "ok"


async def test_gzip_is_understood_and_a_broken_one_refused(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    message = {"transactionId": stand.obp.transaction_id("PMDR"), **product("IE")}
    body = gzip.compress(json.dumps(message).encode())
    gzipped = {"Content-Encoding": "gzip"}
    status, _, _ = await stand.obp.post("PMDR", body, headers=gzipped)
    assert status == 202
    assert (await stand.obp.ended(message["transactionId"]))["status"] == "STDS"
    status, _, _ = await stand.obp.post("PMDR", body[:40], headers=gzipped)
    assert status == 400
    status, _, _ = await stand.obp.post("PMDR", b"no gzip", headers=gzipped)
    assert status == 400


async def test_an_expired_batch_is_loaded_with_a_warning(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    answer = await stand.obp.packs(["A1"], expiry="200101")
    assert answer["status"] == "STDS"
    assert [(w["rule"], w["code"]) for w in answer["warnings"]] == [("expired", None)]


async def test_serial_numbers_do_not_stay(
    start_stand: StartStand, dsn: str, schema_name: str
) -> None:
    """Art. 33: the hub keeps everything except serial numbers."""
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    await stand.obp.packs(["SECRET1", "SECRET2"])
    await stand.obp.packs(["SECRET2", "SECRET3"], batchId="LOT2")
    invalid = await stand.obp.packs(["SECRET4", "SECRET4"], batchId="LOT3")
    assert invalid["defects"][0]["value"] == "SECRET4"

    async def tables_with_serials() -> set[str]:
        connection: Any = await asyncpg.connect(dsn)
        try:
            tables = await connection.fetch(
                "select tablename from pg_tables where schemaname = $1", schema_name
            )
            await connection.execute(f"set search_path to {schema_name}")
            return {
                table
                for (table,) in tables
                if "SECRET" in str(await connection.fetch(f"table {table}"))
            }
        finally:
            await connection.close()

    # Answers about single packs hold their serial numbers, for as long as the setting says; an
    # upload's own are there until the report on them is made.
    async with asyncio.timeout(20):
        while await tables_with_serials() != {"request", "delivery"}:
            await asyncio.sleep(0.02)
    await stand.manage("POST", "/clock", advance_s=31 * 86_400)
    async with asyncio.timeout(10):
        while await tables_with_serials():
            await asyncio.sleep(0.05)


async def test_old_requests_keep_their_answers_but_not_their_content(
    start_stand: StartStand, dsn: str, schema_name: str
) -> None:
    stand = await start_stand("IE", "DE")
    obp = stand.obp
    await obp.product("IE", "DE")
    await obp.packs(["A1"])
    recall = {"productCode": CODE, "batchId": "LOT1", "reason": "glass", "markets": ["DE"]}
    await obp.ended(await obp.send("RCBR", **recall))
    more = await obp.packs(["SECRET1"], kind="PPDM")
    invalid = await obp.packs(["SECRET2", "SECRET2"], batchId="LOT2", expiry="991340")
    stand.wires["IE"].open_gate.clear()
    waiting = await obp.send("PPDC", **packs(["SECRET3"], batchId="LOT3"))
    await obp.ended(waiting, until={"STLD"})
    await stand.manage("POST", "/clock", advance_s=31 * 86_400)

    search_path = {"search_path": schema_name}
    connection: Any = await asyncpg.connect(dsn, server_settings=search_path)
    try:
        query = "select transaction_id from request where message <> ''"
        async with asyncio.timeout(10):
            while [row[0] for row in await connection.fetch(query)] != [waiting]:
                await asyncio.sleep(0.05)
    finally:
        await connection.close()
    told = (await obp.get(f"requests/{more['transactionId']}"))[1]
    assert told | {"serialQuality": None} == more | {"serialQuality": None}
    assert {entry["market"]: entry["status"] for entry in more["markets"]} == {
        "IE": "Distributed",
        "DE": "Rejected",
    }
    assert [found["rule"] for found in invalid["defects"]] == ["format", "duplicate"]
    invalid["defects"][1]["value"] = None
    assert (await obp.get(f"requests/{invalid['transactionId']}"))[1] == invalid
    repeated = {"transactionId": more["transactionId"], **packs(["SECRET1"])}
    assert (await obp.post("PPDM", repeated))[0] == 202
    repeated["serialNumbers"] = ["OTHER"]
    assert (await obp.post("PPDM", repeated))[0] == 409
    stand.wires["IE"].open_gate.set()
    assert (await obp.ended(waiting))["status"] == "STDS"


async def test_a_token_that_is_not_ascii_is_nobodys(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    port = int(stand.hub.url.rpartition(":")[2])
    for path in ("/obp/v1/PMDR", "/nmvs/v1/intermarket"):
        for token in ("tokén-of-the-manufacturer".encode(), b"\xff\xfe" * 10, b""):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n".encode()
            writer.write(head + b"Authorization: Bearer " + token + b"\r\n\r\n{}")
            assert (await reader.readline()).split()[1] == b"401", (path, token)
            writer.close()
            await writer.wait_closed()


async def test_the_management_port_registers_and_tells(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    good = {"organisationId": "10001", "name": "X", "kind": "obp", "clientId": "002"}
    status, one = await stand.manage("POST", "/organisations", **good)
    assert status == 200
    assert len(one["token"]) >= 32
    status, two = await stand.manage("POST", "/organisations", **good)
    assert two["token"] != one["token"]
    for change, expected in (
        ({"organisationId": "1"}, 400),
        ({"kind": "pharmacy"}, 400),
        ({"token": "short"}, 400),
        ({"kind": "parallel_distributor"}, 409),
        ({"clientId": "003", "token": two["token"]}, 409),
    ):
        status, _ = await stand.manage("POST", "/organisations", **(good | change))
        assert status == expected, change
    stand.obp.client_id, stand.obp.token = "002", two["token"]
    assert (await stand.obp.get("requests"))[0] == 200
    stand.obp.token = one["token"]
    assert (await stand.obp.get("requests"))[0] == 401

    status, health = await stand.manage("GET", "/health")
    assert (status, health["status"], health["markets"]) == (200, "ok", ["IE"])
    async with stand.http.get(f"{stand.hub.management}/metrics") as response:
        assert 'hub_deliveries_waiting{system="IE"} 0.0' in await response.text()
