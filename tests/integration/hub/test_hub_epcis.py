"""EPCIS 2.0 captures: events become messages, with a job that tells, all or nothing if asked."""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hub.stand import Stand, StartStand

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/hub/epcis.json").read_text())


async def call(
    stand: Stand, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, Any, Any]:
    sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    own = {"Authorization": f"Bearer {stand.obp.token}", "Content-Type": "application/ld+json"}
    async with stand.http.request(
        method, stand.hub.url + path, data=sent, headers=own | headers
    ) as response:
        text = await response.read()
        return response.status, json.loads(text) if text else None, response.headers


async def finished(stand: Stand, body: Any, **headers: str) -> dict[str, Any]:
    status, answer, got = await call(stand, "POST", "/epcis/capture", body, **headers)
    assert (status, answer) == (202, None)
    async with asyncio.timeout(30):
        while True:
            status, job, _ = await call(stand, "GET", got["Location"])
            assert status == 200
            if not job["running"]:
                return dict(job)
            await asyncio.sleep(0.02)


async def test_the_examples_become_packs_and_state_updates(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    body = gzip.compress(json.dumps(VECTORS["commissioning"]).encode())
    job = await finished(stand, body, **{"Content-Encoding": "gzip"})
    assert (job["success"], job["errors"], job["captureErrorBehaviour"]) == (True, [], "rollback")
    assert job["createdAt"] <= job["finishedAt"]
    (request,) = job["emvs:requests"]
    assert (request["messageType"], request["serialCount"]) == ("PPDC", 4)
    ended = await stand.obp.ended(request["transactionId"])
    assert ended["status"] == "STDS"
    told = list(stand.wires["IE"].applied.values())[-1][1]
    assert (told["batchId"], told["expiry"]) == ("EPCLOT", "301231")
    assert told["serialNumbers"] == ["EPC1", "EPC/2", "EPC3", "EPC4"]

    # The same batch once more: the events do not know whether it exists, the hub does.
    more = copy.deepcopy(VECTORS["commissioning"])
    more["epcisBody"]["eventList"][0]["epcList"] = ["urn:epc:id:sgtin:9506000.013437.MORE"]
    del more["epcisBody"]["eventList"][1]
    job = await finished(stand, more)
    assert [request["messageType"] for request in job["emvs:requests"]] == ["PPDM"]
    await stand.obp.ended(job["emvs:requests"][0]["transactionId"])

    job = await finished(stand, VECTORS["decommissioning"])
    assert job["success"] is True
    for request in job["emvs:requests"]:
        await stand.obp.ended(request["transactionId"])
    states = [told for kind, told in stand.wires["IE"].applied.values() if kind == "states"]
    assert [(told["operation"], told["serialNumbers"]) for told in states] == [
        ("DESTROY", ["EPC1"]),
        ("SAMPLE", ["EPC3"]),
    ]


def broken(change: str) -> dict[str, Any]:
    """Return the example with a second batch in which something is wrong."""
    document: dict[str, Any] = copy.deepcopy(VECTORS["commissioning"])
    event = document["epcisBody"]["eventList"][1]
    event["epcList"] = ["urn:epc:id:sgtin:9506000.013437.OTHER"]
    event["ilmd"]["cbvmda:lotNumber"] = "LOT TWO" if change == "batch" else "LOT2"
    if change == "event":
        event["eventTimeZoneOffset"] = "1"
    return document


@pytest.mark.parametrize("change", ["batch", "event"])
@pytest.mark.parametrize("behaviour", ["rollback", "proceed"])
async def test_an_error_takes_all_or_itself(
    start_stand: StartStand, change: str, behaviour: str
) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    job = await finished(stand, broken(change), **{"GS1-Capture-Error-Behaviour": behaviour})
    assert job["success"] is False
    assert job["captureErrorBehaviour"] == behaviour
    assert {error["type"] for error in job["errors"]} == {"epcisException:ValidationException"}
    wrong = "batchId" if change == "batch" else "eventList[1].eventTimeZoneOffset"
    assert wrong in str(job["errors"])
    assert "eventList[1]" in str(job["errors"])
    assert "LOT TWO" in str(job["errors"]) or change == "event"
    statuses = [request["status"] for request in job["emvs:requests"]]
    if behaviour == "rollback":
        assert statuses == (["STIV", "STIV"] if change == "batch" else [])
        again = await finished(stand, VECTORS["commissioning"])
        assert again["emvs:requests"][0]["messageType"] == "PPDC"  # The batch was not made.
        assert again["success"] is True
    else:
        good = await stand.obp.ended(job["emvs:requests"][0]["transactionId"])
        assert (good["status"], good["serialCount"]) == ("STDS", 2)


async def test_captures_of_one_new_batch_in_a_row(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    documents = []
    for number in range(4):
        document = copy.deepcopy(VECTORS["commissioning"])
        del document["epcisBody"]["eventList"][1]
        document["epcisBody"]["eventList"][0]["epcList"] = [
            f"urn:epc:id:sgtin:9506000.013437.N{number}"
        ]
        documents.append(document)
    jobs = await asyncio.gather(*(finished(stand, document) for document in documents))
    assert all(job["success"] for job in jobs)
    kinds = sorted(job["emvs:requests"][0]["messageType"] for job in jobs)
    assert kinds == ["PPDC", "PPDM", "PPDM", "PPDM"]

    _, page, headers = await call(stand, "GET", "/epcis/capture?perPage=3")
    assert len(page) == 3
    following = headers["Link"].partition(">")[0].strip("<")
    _, rest, headers = await call(stand, "GET", following)
    assert len(rest) == 1
    assert "Link" not in headers
    assert {job["captureID"] for job in [*page, *rest]} == {job["captureID"] for job in jobs}


async def test_discovery_and_errors_in_the_words_of_epcis(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    status, _, headers = await call(stand, "OPTIONS", "/epcis/capture")
    assert (status, headers["Allow"]) == (204, "GET, POST, OPTIONS")
    assert headers["GS1-EPCIS-Version"] == "2.0.0"
    assert int(headers["GS1-EPCIS-Capture-Limit"]) > 0
    good: dict[str, Any] = VECTORS["commissioning"]
    limit = int(headers["GS1-EPCIS-Capture-Limit"])
    many = {**good, "epcisBody": {"eventList": [1] * (limit + 1)}}
    rows: list[tuple[str, str, Any, dict[str, str], int, str]] = [
        ("POST", "/epcis/capture", b"{", {}, 400, "Validation"),
        ("POST", "/epcis/capture", b"[]", {}, 400, "Validation"),
        ("POST", "/epcis/capture", {**good, "type": "Event"}, {}, 400, "Validation"),
        ("POST", "/epcis/capture", {**good, "schemaVersion": "1.2"}, {}, 400, "Validation"),
        ("POST", "/epcis/capture", {**good, "epcisBody": {}}, {}, 400, "Validation"),
        ("POST", "/epcis/capture", many, {}, 413, "CaptureLimitExceeded"),
        ("POST", "/epcis/capture", good, {"Content-Type": "text/xml"}, 415, "UnsupportedMediaType"),
        ("POST", "/epcis/capture", good, {"GS1-Capture-Error-Behaviour": "stop"}, 400, "Validation"),  # noqa: E501
        ("POST", "/epcis/capture", good, {"GS1-EPCIS-Version": "1.2"}, 406, "NotAcceptable"),
        ("POST", "/epcis/capture", good, {"Authorization": "Bearer x"}, 401, "Security"),
        ("GET", "/epcis/capture/none", None, {}, 404, "NoSuchResource"),
        ("GET", "/epcis/capture?perPage=x", None, {}, 400, "Validation"),
    ]  # fmt: skip
    for method, path, body, more, status, kind in rows:
        got, answer, headers = await call(stand, method, path, body, **more)
        assert got == status, (path, answer)
        assert answer["type"] == f"epcisException:{kind}Exception"
        assert answer["status"] == status
        assert answer["detail"]
        assert headers["Content-Type"].startswith("application/problem+json")


async def test_what_cannot_be_stored_rolls_its_capture_back(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    pool = stand.hub.database.pool
    # No such message is known: PostgreSQL is made to refuse one, the second of three.
    await pool.execute(
        "create function refuse() returns trigger language plpgsql as $$ begin"
        " raise exception 'cannot be stored' using errcode = '22P05'; end $$"
    )
    await pool.execute(
        "create trigger refuse before insert on batch for each row"
        " when (new.batch_id = 'LOT1') execute function refuse()"
    )
    document = copy.deepcopy(VECTORS["commissioning"])
    first = document["epcisBody"]["eventList"][0]
    document["epcisBody"]["eventList"] = [
        first
        | {
            "epcList": [f"urn:epc:id:sgtin:9506000.013437.S{number}"],
            "ilmd": first["ilmd"] | {"cbvmda:lotNumber": f"LOT{number}"},
        }
        for number in range(3)
    ]
    job = await finished(stand, document)
    assert [request["status"] for request in job["emvs:requests"]] == ["STIV"] * 3
    assert await pool.fetchval("select count(*) from batch") == 0
    assert (await finished(stand, VECTORS["commissioning"]))["success"] is True


@pytest.mark.parametrize("lot", ["A\0B", "L" * 100_000])
async def test_a_lot_number_that_is_none_spoils_its_event_alone(
    start_stand: StartStand, lot: str
) -> None:
    stand = await start_stand("IE")
    await stand.obp.product("IE")
    document = copy.deepcopy(VECTORS["commissioning"])
    event = document["epcisBody"]["eventList"][1]
    event["epcList"] = ["urn:epc:id:sgtin:9506000.013437.OTHER"]
    event["ilmd"]["cbvmda:lotNumber"] = lot
    job = await finished(stand, document, **{"GS1-Capture-Error-Behaviour": "proceed"})
    assert len(str(job)) < 5_000
    assert "eventList[1]" in job["errors"][0]["detail"]
    (request,) = job["emvs:requests"]
    assert (await stand.obp.ended(request["transactionId"]))["status"] == "STDS"


async def test_a_job_lists_every_event_that_is_wrong(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    good = VECTORS["commissioning"]["epcisBody"]["eventList"][0]
    dated = good | {"ilmd": good["ilmd"] | {"cbvmda:itemExpirationDate": "2030-13-01"}}
    undated = good | {"ilmd": {"cbvmda:lotNumber": "LOT"}}
    events = [{**event, "number": number} for number in range(75) for event in (dated, undated)]
    job = await finished(stand, {**VECTORS["commissioning"], "epcisBody": {"eventList": events}})
    assert (len(job["errors"]), job["emvs:errorCount"]) == (150, 150)
    assert "2030-13-01" in job["errors"][0]["detail"]
    assert job["errors"][149]["detail"].endswith("at `$.epcisBody.eventList[149].ilmd`")
    _, (listed,), _ = await call(stand, "GET", "/epcis/capture")
    assert (len(listed["errors"]), listed["emvs:errorCount"]) == (100, 150)


def with_ids(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with an eventID in every event."""
    named: dict[str, Any] = copy.deepcopy(document)
    for position, event in enumerate(named["epcisBody"]["eventList"]):
        event["eventID"] = f"urn:uuid:00000000-0000-4000-8000-00000000000{position}"
    return named


@pytest.mark.parametrize("named", [False, True], ids=["no id", "eventID"])
async def test_a_repeated_capture_is_the_first_one(start_stand: StartStand, named: bool) -> None:
    stand = await start_stand("IE")
    document = with_ids(VECTORS["commissioning"]) if named else VECTORS["commissioning"]
    refused = await finished(stand, document)
    assert [request["status"] for request in refused["emvs:requests"]] == ["STIV"]
    await stand.obp.product("IE")
    # The first one had no effect, as the product was unknown: this one is no repeat of it.
    both = await asyncio.gather(finished(stand, document), finished(stand, document))
    assert both[0]["success"] is True
    assert both[0]["captureID"] == both[1]["captureID"] != refused["captureID"]
    assert both[0]["finishedAt"] == both[1]["finishedAt"]

    grown = copy.deepcopy(document)
    events = grown["epcisBody"]["eventList"]
    events[1]["recordTime"] = "2026-11-22T10:00:09Z"
    another = events[0] | {"epcList": ["urn:epc:id:sgtin:9506000.013437.MORE"]}
    another.pop("eventID", None)
    events += [another, another]
    job = await finished(stand, grown)
    assert (job["success"], job["emvs:repeatCount"]) == (True, 3)
    assert [(one["event"][-3:], one["captureID"]) for one in job["emvs:repeats"]] == [
        ("[0]", both[0]["captureID"]),
        ("[1]", both[0]["captureID"]),
        ("[3]", job["captureID"]),
    ]
    assert [request["serialCount"] for request in job["emvs:requests"]] == [1]
    assert (await finished(stand, grown))["captureID"] == job["captureID"]
    await stand.obp.ended(job["emvs:requests"][0]["transactionId"])
    told = [
        told["serialNumbers"]
        for kind, told in stand.wires["IE"].applied.values()
        if kind == "packs"
    ]
    assert told == [["EPC1", "EPC/2", "EPC3", "EPC4"], ["MORE"]]

    _, page, _ = await call(stand, "GET", "/epcis/capture")
    assert len(page) == 3
    if named:
        events[0]["epcList"] = ["urn:epc:id:sgtin:9506000.013437.OTHER"]
        job = await finished(stand, grown)
        assert job["emvs:requests"] == []
        assert "eventList[0].eventID" in job["errors"][0]["detail"]
    else:
        await stand.manage("POST", "/clock", advance_s=31 * 86_400)
        async with asyncio.timeout(20):
            while await stand.hub.database.pool.fetchval("select count(*) from epcis_event"):
                await asyncio.sleep(0.02)
        late = await finished(stand, document)
        assert late["emvs:repeatCount"] == 0
        assert late["emvs:requests"][0]["messageType"] == "PPDM"
