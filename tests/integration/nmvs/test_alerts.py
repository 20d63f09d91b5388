"""The national organisation's interface to alerts, on a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from emvs.infra.database import Database
from emvs.infra.migrations import migrate
from emvs.roles import Role
from emvs.scheme import Scheme
from emvs.states import Operation
from nmvs.alert_store import AlertStore
from nmvs.app import NationalSystem
from nmvs.catalogue import Product
from nmvs.config import NmvsConfig
from nmvs.delivery_store import DeliveryStore
from nmvs.requests import PackRequest
from tests.integration.clients import RestTill
from tests.integration.running import RunningSystem

DAY = timedelta(days=1)


@pytest.fixture
async def till(national_system: RunningSystem) -> RestTill:
    """A pharmacy, and a batch of packs it may ask about."""
    await national_system.load_packs(2)
    registration = await national_system.register("pharmacy", 1)
    made = RestTill(national_system.http, national_system.service, registration)
    await made.log_in()
    return made


async def raise_alert(
    system: RunningSystem, till: RestTill, serial: str = "NONE", **other: str
) -> str:
    """Verify a pack that is not there; return the alert's id."""
    identity = {"code": system.product_code, "batch": system.batch_id, "expiry": system.expiry}
    answer = await till.ask(serial=serial, **identity | other)
    assert answer.alert_id is not None
    return answer.alert_id


async def post(system: RunningSystem, path: str, message: Any) -> tuple[int, dict[str, Any], str]:
    """Post to the management port; return status, answer, location."""
    async with system.http.post(f"{system.management}{path}", json=message) as response:
        location = response.headers.get("Location", "")
        return response.status, await response.json(content_type=None), location


async def get(system: RunningSystem, path: str) -> tuple[int, dict[str, Any]]:
    url = path if path.startswith("http") else f"{system.management}{path}"
    async with system.http.get(url) as response:
        return response.status, await response.json(content_type=None)


def window(**filters: str) -> dict[str, str]:
    now = datetime.now(UTC)
    ends = {"startTimestamp": now - DAY, "endTimestamp": now + DAY}
    return {name: at.isoformat() for name, at in ends.items()} | filters


async def found(system: RunningSystem, **filters: str) -> list[dict[str, Any]]:
    """Return what a query finds in the days around now."""
    status, _, location = await post(system, "/alerts", window(**filters))
    assert status == 202
    status, page = await get(system, location)
    assert status == 200
    data: list[dict[str, Any]] = page["data"]
    return data


async def change(
    system: RunningSystem, alert_id: str, party: str, state: str, **more: str
) -> tuple[int, dict[str, Any]]:
    message = {"party": party, "state": state, **more}
    status, answer, _ = await post(system, f"/alerts/{alert_id}/state", message)
    return status, answer


async def test_an_alert_is_listed_with_what_was_sent_and_what_is_stored(
    national_system: RunningSystem, till: RestTill
) -> None:
    serial = (await national_system.load_packs(1, batch_id="LOT2"))[0]
    alert_id = await raise_alert(national_system, till, serial, batch="LOT1", expiry="301200")
    (entry,) = await found(national_system)
    expected = {
        "uniqueAlertID": alert_id,
        "errorCode": "#A68",
        "operationCode": "41020003",
        "attemptedOperation": "VERIFY",
        "sourceBusinessProcess": "Verify",
        "manualEntry": False,
        "isIntermarket": False,
        "serialNumber": serial,
        "providedBatchNumber": "LOT1",
        "providedExpiryDate": "301200",
        "storedBatchNumber": "LOT2",
        "storedExpiryDate": "301231",
        "currentPackState": "ACTIVE",
        "productName": "Examplol 10 mg",
        "storedNHRN": "280012345678",
        "sourceMarket": "IE",
        "sourceLocationID": "pharmacy-1",
        "organisationID": "Pharmacy 1",
        "state": "New",
        "repeatCount": 1,
    }
    assert {name: entry[name] for name in expected} == expected
    assert entry["alertDateTime"] == entry["eventDateTime"]


async def test_attempts_and_the_last_update_of_the_pack_are_told(
    national_system: RunningSystem, till: RestTill
) -> None:
    serial = (await national_system.load_packs(1, batch_id="LOT2"))[0]
    identity = (national_system.product_code, serial, "LOT2", "301231")
    assert (await till.supply(*identity)).alert_id is None
    destroyed = await till.ask(*identity, "Destroyed")
    assert destroyed.alert_id is not None
    (entry,) = await found(national_system)
    assert entry["numberOfDispenseAttempts"] == 1
    assert entry["numberOfDecommissionAttempts"] == 1
    assert entry["packLastUpdateLocationID"] == "pharmacy-1"
    assert entry["packLastUpdateMarket"] == "IE"
    assert entry["requestedPackTargetState"] == "DESTROYED"
    assert entry["currentPackState"] == "SUPPLIED"
    assert entry["operationCode"] == destroyed.code, "the code the terminal was given"


async def test_filters_and_pages(national_system: RunningSystem, till: RestTill) -> None:
    ids = [await raise_alert(national_system, till, f"NONE{number}") for number in range(5)]
    other = await raise_alert(national_system, till, batch="NOBATCH")
    await change(national_system, ids[0], "NMVO", "Under investigation")
    for filters, expected in (
        ({}, [*ids, other]),
        ({"errorCode": "#A2"}, [other]),
        ({"errorCode": "A3"}, ids),
        ({"state": "Under investigation"}, ids[:1]),
        ({"productCode": national_system.product_code}, [*ids, other]),
        ({"productCode": "09506000117843"}, []),
        ({"sourceMarket": "AT"}, []),
    ):
        entries = await found(national_system, **filters)
        assert [entry["uniqueAlertID"] for entry in entries] == expected, filters
    _, _, location = await post(national_system, "/alerts", window())
    await raise_alert(national_system, till, "LATER")
    seen = []
    for page in (1, 2, 3, 4):
        status, answer = await get(national_system, f"{location}?page={page}&pageSize=2")
        assert (status, answer["pages"], answer["isTruncated"]) == (200, 3, False)
        seen += [entry["uniqueAlertID"] for entry in answer["data"]]
    assert seen == [*ids, other], "a page does not shift because something new has come"


async def test_a_result_that_is_cut_off_says_so_until_the_full_set_is_asked_for(
    national_system: RunningSystem, till: RestTill, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await raise_alert(national_system, till, f"NONE{number}")
    monkeypatch.setattr("nmvs.alert_log.ALERTS_PER_QUERY_MAX", 2)
    status, answer, location = await post(national_system, "/alerts", window())
    status, page = await get(national_system, location)
    assert (status, len(page["data"]), page["isTruncated"], page["isOverLimit"]) == (
        206,
        2,
        True,
        False,
    )
    status, _, _ = await post(national_system, f"/alerts/fulldataset/{answer['requestID']}", {})
    assert status == 202
    status, page = await get(national_system, location)
    assert (status, len(page["data"]), page["isTruncated"]) == (200, 3, False)


async def test_a_query_that_cannot_be_is_explained(national_system: RunningSystem) -> None:
    for message, detail in (
        ({}, "startTimestamp"),
        (window(startTimestamp="yesterday"), "startTimestamp is no ISO 8601 time"),
        (window(startTimestamp="0001-01-01T00:00:00+14:00"), "startTimestamp is from 2000"),
        (window(startTimestamp="2020-01-01T00:00:00Z"), "one month at a time"),
        (window(endTimestamp="2020-01-01T00:00:00Z"), "not after startTimestamp"),
        (window(errorCode="A1"), "errorCode is one of"),
        (window(productCode="0950\0"), "productCode"),
        (window(state="Gone"), "state"),
        (window(sourceMarket="XX"), "no market"),
    ):
        status, answer, _ = await post(national_system, "/alerts", message)
        assert status == 400, message
        assert detail in answer["detail"], message
    for path in ("/alerts/requests/none", "/alerts/IE-AAA-AAA-AAA-AAA-AAA", "/alerts/nonsense%00"):
        assert (await get(national_system, path))[0] == 404, path
    location = (await post(national_system, "/alerts", window()))[2]
    for query in ("page=0", "page=x", "pageSize=0", "pageSize=6001", "page=99999999999"):
        assert (await get(national_system, f"{location}?{query}"))[0] == 400, query
    assert (await get(national_system, f"{location}?page=999999999"))[1]["data"] == []


async def test_the_life_of_an_alert(national_system: RunningSystem, till: RestTill) -> None:
    alert_id = await raise_alert(national_system, till)
    status, opened = await get(national_system, f"/alerts/{alert_id}")
    assert (status, opened["state"]) == (200, "Active"), "whoever opens a new alert makes it active"
    assert (await get(national_system, f"/alerts/{alert_id}"))[1] == opened
    for party, state, more, expected in (
        ("OBP", "Closed", {"reason": "END_USER_ERROR"}, 403),
        ("NMVO", "Escalated", {}, 400),
        ("NMVO", "Escalated", {"reason": "OTHER", "text": "x" * 501}, 400),
        ("NMVO", "Gone", {}, 400),
        ("NMVO", "Escalated", {"reason": "FALSIFICATION_SUSPECTED", "text": "seen\ntwice"}, 200),
        ("OBP", "Closed", {"reason": "OBP_ERROR_FIXED"}, 403),
        ("NCA", "Closed", {"reason": "OTHER", "text": "a print error"}, 200),
        ("NCA", "Closed", {"reason": "OTHER", "text": "a print error"}, 200),
        ("NCA", "Escalated", {"reason": "NEW_INFORMATION"}, 409),
        ("NMVO", "Under investigation", {}, 200),
    ):
        status, answer = await change(national_system, alert_id, party, state, **more)
        assert status == expected, answer
    silent = await change(national_system, alert_id, "OBP", "Escalated", reason="END_USER_SILENT")
    assert silent[0] == 400
    assert "OBP gives one of OBP_ERROR_FIXED, " in silent[1]["detail"]
    history = [
        (step["state"], step["party"], step["reason"], step["text"]) for step in answer["history"]
    ]
    assert history == [
        ("New", "System", None, None),
        ("Active", "System", "FIRST_VIEW", None),
        ("Escalated", "NMVO", "FALSIFICATION_SUSPECTED", "seen\ntwice"),
        ("Closed", "NCA", "OTHER", "a print error"),
        ("Under investigation", "NMVO", None, None),
    ]
    times = [step["at"] for step in answer["history"]]
    assert times == sorted(times)


async def test_a_bulk_change_acts_on_the_listed_alerts_only(
    national_system: RunningSystem, till: RestTill
) -> None:
    first, second, third = [
        await raise_alert(national_system, till, f"NONE{number}") for number in range(3)
    ]
    await change(national_system, first, "NMVO", "Closed", reason="TECHNICAL_ERROR")
    unknown = "IE-AAA-AAA-AAA-AAA-AAA"
    message = {
        "alertIds": [first, second, unknown, "nonsense\0", second],
        "party": "NMVO",
        "state": "Escalated",
        "reason": "NEW_INFORMATION",
    }
    status, answer, _ = await post(national_system, "/alerts/state", message)
    assert status == 200
    results = {entry["alertId"]: (entry["status"], entry["state"]) for entry in answer["results"]}
    assert results == {
        first: (409, "Closed"),
        second: (200, "Escalated"),
        unknown: (404, None),
        "nonsense\0": (404, None),
    }
    states = {entry["uniqueAlertID"]: entry["state"] for entry in await found(national_system)}
    assert states == {first: "Closed", second: "Escalated", third: "New"}
    assert (await post(national_system, "/alerts/state", message | {"alertIds": []}))[0] == 400


async def test_repeats_at_one_location_are_one_group(
    national_system: RunningSystem, till: RestTill
) -> None:
    elsewhere = RestTill(
        national_system.http,
        national_system.service,
        await national_system.register("pharmacy", 2),
    )
    await elsewhere.log_in()
    for who in (till, till, elsewhere):
        await raise_alert(national_system, who)
    await raise_alert(national_system, till, "OTHER")
    entries = await found(national_system)
    assert [entry["repeatCount"] for entry in entries] == [2, 2, 1, 1]
    assert len({entry["repeatGroup"] for entry in entries}) == 3


async def test_a_replayed_event_has_both_times_and_alerts_survive_a_restart(
    dsn: str, schema_name: str, start_system: Any
) -> None:
    config = NmvsConfig("IE", dsn, "t" * 16, schema=f"{schema_name}_ie", packs_max=1000)
    async with NationalSystem(config) as system:
        participant = await system.directory.foreign("AT", 7, Role.PHARMACY)
        happened_at_ms = system.clock.now_ms() - 5 * 3_600_000
        await DeliveryStore(system.database).put_product(
            "P",
            "{}",
            system.clock.now(),
            ("09506000134376", "GTIN", 1, "X", "x", None, "{}", None, None, "[]"),
            ["IE"],
        )
        system.catalogue.put_product(Product(Scheme.GTIN, "09506000134376", 1, "X", "x", None))
        answer = await system.operations.perform(
            PackRequest(
                Operation.VERIFY,
                participant,
                Scheme.GTIN,
                "09506000134376",
                "S1",
                "B1",
                "301231",
                event_at_ms=happened_at_ms,
            )
        )
        assert answer.alert is not None
    running = await start_system("IE")
    (entry,) = await found(running)
    event, raised = (
        datetime.fromisoformat(entry[name]) for name in ("eventDateTime", "alertDateTime")
    )
    assert round(event.timestamp() * 1000) == happened_at_ms
    assert raised - event >= timedelta(hours=5)
    assert (entry["isIntermarket"], entry["sourceMarket"]) == (True, "AT")
    assert entry["sourceBusinessProcess"] == "IMT"


async def test_a_change_while_an_alert_is_being_forwarded_is_forwarded_too(
    dsn: str, schema_name: str, start_system: Any
) -> None:
    running = await start_system("IE")
    await running.load_packs(1)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    await till.log_in()
    raised = await raise_alert(running, till)
    database = Database(dsn, f"{schema_name}_ie")
    await database.open()
    try:
        store, now = AlertStore(database), datetime.now(UTC)
        assert await store.not_forwarded(10) == [raised]
        assert (await change(running, raised, "NMVO", "Under investigation"))[0] == 200
        await store.mark_forwarded({raised: 0}, {}, now)
        assert await store.not_forwarded(10) == [raised], "the hub has the former state"
        await store.mark_forwarded({raised: 1}, {}, now)
        assert await store.not_forwarded(10) == []
        assert (await change(running, raised, "NMVO", "Closed", reason="TECHNICAL_ERROR"))[0] == 200
        assert await store.not_forwarded(10) == [raised]
    finally:
        await database.close()


async def test_alerts_of_an_older_database_get_their_new_members(
    dsn: str, schema_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    files = sorted(resources.files("nmvs").joinpath("sql/migrations").iterdir(), key=str)
    (folder / files[0].name).write_bytes(files[0].read_bytes())
    database = Database(dsn, schema_name)
    await database.open()
    try:
        with monkeypatch.context() as patched:
            patched.setattr("emvs.infra.migrations.resources.files", lambda _: tmp_path)
            await migrate(database.pool, "nmvs", "migrations")
        await database.pool.execute(
            "insert into location values (3, 'AT', 'x', 'pharmacy', 'x', 'x');"
            "insert into trail values (gen_random_uuid(), now(), gen_random_uuid(), 3, 1, 42, 0, 0,"
            " true, 'soap', 'TRX-1', 'IE-AAA-AAA-AAA-AAA-AAA', null);"
            "insert into alert select alert_id, recorded_at, pack_key, transaction_id, 'A3', 42, 1,"
            " 3, 'P', '{}', null from trail"
        )
        await migrate(database.pool, "nmvs")
        row = await database.pool.fetchrow("select * from alert")
        assert row is not None
        assert row["event_at"] == row["raised_at"]
        members = ("initiating_market", "manual", "dialect", "client_transaction_id", "state")
        assert [row[name] for name in members] == ["AT", True, "soap", "TRX-1", "New"]
    finally:
        await database.close()
