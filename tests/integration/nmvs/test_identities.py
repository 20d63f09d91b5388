"""Organisation, location, equipment: enrolled by the management port, felt on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from tests.integration.clients import SoapTill
from tests.integration.nmvs.rest_login import (
    CODE,
    SCANNED,
    WHERE,
    ask_pack,
    load_packs,
    manage,
    token_answer,
    token_of,
)
from tests.integration.nmvs.rest_raw_client import RawConnection
from tests.integration.running import RunningSystem

PACK_PATH = f"/product/gs1/{CODE}/pack/S1?{WHERE}"
PACK = {
    "productCodeScheme": "gs1",
    "productCode": CODE,
    "serialNumber": "S1",
    "batchId": "LOT1",
    "expiryDate": "301231",
}

StartSystem = Callable[..., Awaitable[RunningSystem]]


@pytest.fixture
async def running(start_system: StartSystem) -> RunningSystem:
    system = await start_system("IE", dialects=("rest", "soap"))
    await load_packs(system, "S1", "S2")
    return system


async def enrol(running: RunningSystem, organisation: str, *locations: str) -> None:
    body = {"name": organisation.title(), "organisation_id": organisation}
    await manage(running, "POST", "/organisations", body, status=201)
    for location in locations:
        body = {
            "organisation_id": organisation,
            "kind": "pharmacy",
            "name": f"Shop {location}",
            "location": location,
        }
        made = await manage(running, "POST", "/locations", body, status=201)
        assert made["state"] == "pending"


async def add_equipment(running: RunningSystem, **place: str) -> tuple[str, str]:
    made = await manage(running, "POST", "/equipments", place, status=201)
    return made["client_id"], made["client_secret"]


async def set_state(running: RunningSystem, location: str, state: str) -> None:
    await manage(running, "PATCH", f"/locations/{location}", {"state": state})


async def test_a_location_waits_for_approval_and_its_equipments_are_one_place(
    running: RunningSystem,
) -> None:
    await enrol(running, "chain", "shop-1", "shop-2")
    port = running.ports["service"]
    till, other_till = [await add_equipment(running, location="shop-1") for _ in range(2)]
    elsewhere = await add_equipment(running, location="shop-2")
    refused = await token_answer(port, *till)
    assert (refused.status, refused.members) == (400, {"error": "invalid_client"})
    for location in ("shop-1", "shop-2"):
        await set_state(running, location, "approved")
    tokens = [await token_of(port, *client) for client in (till, other_till, elsewhere)]
    codes = [
        (await ask_pack(port, tokens[at], state=state)).code
        for at, state in ((0, "Supplied"), (1, "Supplied"), (2, "Active"), (1, "Active"))
    ]
    assert codes == ["11210200", "11220201", "51420201", "11410100"]


async def test_whoever_is_switched_off_is_out_at_once_with_tokens_in_hand(
    running: RunningSystem,
) -> None:
    await enrol(running, "chain", "shop-1")
    await set_state(running, "shop-1", "approved")
    port = running.ports["service"]
    client = await add_equipment(running, location="shop-1")
    login = {"client_login_id": "SHOP1", "user_id": "USER1", "password": "Shop-Pass-1"}
    shop = {"kind": "pharmacy", "name": "Shop", "location": "shop-1", "organisation": "chain"}
    await manage(running, "POST", "/participants", {**shop, "soap": login}, status=201)
    token = await token_of(port, *client)
    for path, off, on in (
        (f"/equipments/{client[0]}", {"disabled": True}, {"disabled": False}),
        ("/locations/shop-1", {"state": "blocked"}, {"state": "approved"}),
        ("/organisations/chain", {"disabled": True}, {"disabled": False}),
    ):
        assert (await ask_pack(port, token)).status == 200
        await manage(running, "PATCH", path, off)
        refused = await ask_pack(port, token)
        assert (refused.status, refused.code) == (401, "30020000"), path
        assert refused.headers["www-authenticate"] == "Bearer"
        assert (await token_answer(port, *client)).status == 400
        await manage(running, "PATCH", path, on)
        assert (await ask_pack(port, token)).status == 200, path


async def test_a_blocked_location_has_no_soap_login_either(running: RunningSystem) -> None:
    registration = await running.register("pharmacy", 1)
    till = SoapTill(running.http, running.service, registration)

    async def code() -> str:
        return (await till.ask("09506000134376", "S1", "LOT1", "301231")).code

    assert await code() == "NMVS_SUCCESS"
    await set_state(running, "pharmacy-1", "blocked")
    assert await code() == "NMVS_FE_AU_01"
    await set_state(running, "pharmacy-1", "approved")
    assert await code() == "NMVS_SUCCESS"


async def test_a_location_that_is_to_be_kept_stays_as_it_is(running: RunningSystem) -> None:
    await running.register("pharmacy", 1)
    port = running.ports["service"]
    other = {"client_id": "pharmacy1", "client_secret": "another-secret"}
    for is_kept in (True, False):
        await running.register("pharmacy", 1, name="Another", rest=other, keep=is_kept)
        detail = await manage(running, "GET", "/locations/pharmacy-1")
        assert detail["name"] == ("Pharmacy 1" if is_kept else "Another")
        refused = await token_answer(port, "pharmacy1", "another-secret")
        assert refused.status == (400 if is_kept else 200)


async def test_a_secret_is_shown_once_and_not_kept(
    running: RunningSystem, start_system: StartSystem, capfd: pytest.CaptureFixture[str]
) -> None:
    await enrol(running, "chain", "shop-1")
    await set_state(running, "shop-1", "approved")
    client_id, secret = await add_equipment(running, location="shop-1", name="Till 1")
    assert len(secret) >= 40
    token = await token_of(running.ports["service"], client_id, secret)
    await token_answer(running.ports["service"], client_id, "wrong" + secret)
    await ask_pack(running.ports["service"], token)
    shown = await manage(running, "GET", f"/equipments/{client_id}")
    listed = await manage(running, "GET", "/equipments?location=shop-1")
    assert shown["name"] == "Till 1"
    assert "secret" not in str(shown) + str(listed)
    for method in ("POST", "PUT", "PATCH"):
        path = f"{running.management}/equipments/{client_id}/secret"
        async with running.http.request(method, path) as response:
            assert response.status == 404
    said = capfd.readouterr()
    assert secret not in said.out + said.err
    assert token not in said.out + said.err
    assert running.stop is not None
    await running.stop()
    again = await start_system("IE", dialects=("rest",))
    assert (await ask_pack(again.ports["service"], token)).status == 200, "tokens survive"
    assert await token_of(again.ports["service"], client_id, secret)
    seen = (await manage(again, "GET", f"/equipments/{client_id}"))["sightings"]
    assert [entry["requested_api_version"] for entry in seen] == [None], "sightings survive"


async def test_a_connector_acts_for_locations_that_let_it(running: RunningSystem) -> None:
    port = running.ports["service"]
    await enrol(running, "chain", "shop-1", "shop-2")
    body = {"name": "Cloud", "organisation_id": "cloud", "is_connector": True}
    await manage(running, "POST", "/organisations", body, status=201)
    server = await add_equipment(running, organisation_id="cloud")
    till = await add_equipment(running, location="shop-1")
    for location in ("shop-1", "shop-2"):
        await set_state(running, location, "approved")
    await manage(running, "PUT", "/locations/shop-1/connectors/cloud")
    token, till_token = await token_of(port, *server), await token_of(port, *till)

    async def ask(*header: str, state: str | None = None) -> tuple[int, str]:
        answer = await ask_pack(port, token, *header, state=state)
        return answer.status, answer.code

    here = "connector-location-id: shop-1"
    assert await ask() == (422, "60020001")
    assert await ask("connector-location-id:") == (422, "60020001")
    assert await ask("connector-location-id: nowhere") == (422, "60020002")
    assert await ask("connector-location-id: shop-2") == (403, "30020001")
    assert await ask(here) == (200, "11110100")
    # To the rule "same location" it is the location itself.
    assert await ask(here, state="Supplied") == (200, "11210200")
    assert (await ask_pack(port, till_token, state="Active")).code == "11410100"
    await manage(running, "PUT", "/locations/shop-2/connectors/cloud")
    assert await ask("connector-location-id: shop-2", state="Locked") == (200, "11310400")
    assert (await ask(here, state="Active"))[1] == "51420400"
    await set_state(running, "shop-2", "blocked")
    assert await ask("connector-location-id: shop-2") == (403, "30020001")
    shown = await manage(running, "DELETE", "/locations/shop-1/connectors/cloud")
    assert shown["connectors"] == []
    assert await ask(here) == (403, "30020001")
    # The header of an equipment that stands somewhere says nothing.
    assert (await ask_pack(port, till_token, "connector-location-id: nowhere")).status == 200


async def test_an_alert_names_the_equipment(running: RunningSystem) -> None:
    await enrol(running, "chain", "shop-1")
    await set_state(running, "shop-1", "approved")
    client = await add_equipment(running, location="shop-1")
    port = running.ports["service"]
    token = await token_of(port, *client)
    assert (await ask_pack(port, token, serial="NOSUCH")).status == 404
    (alert,) = (await manage(running, "GET", "/alerts"))["alerts"]
    assert alert["submitted"]["clientId"] == client[0]
    detail = await manage(running, "GET", f"/alerts/{alert['alertId']}")
    assert detail["clientID"] == client[0]
    assert detail["organisationID"] == "chain"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", PACK_PATH, b'{"state":"Supplied"}'),
        ("POST", "/product/packs", orjson.dumps({"numberOfPacks": 1, "packs": [PACK]})),
    ],
    ids=["single", "bulk"],
)
async def test_whoever_is_switched_off_while_sending_is_out_too(
    running: RunningSystem, method: str, path: str, body: bytes
) -> None:
    await running.register("pharmacy", 1)
    port = running.ports["service"]
    token = await token_of(port, "pharmacy1", "secret-pharmacy-1")
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {token}\r\n"
        f"{SCANNED}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    async with RawConnection(port) as sender:
        sender.writer.write(head.encode() + body[:5])
        await sender.writer.drain()
        await ask_pack(port, token)  # The other request is being read by then.
        await manage(running, "PATCH", "/equipments/pharmacy1", {"disabled": True})
        refused = await sender.send(body[5:])
    assert (refused.status, refused.code) == (401, "30020000")
    await manage(running, "PATCH", "/equipments/pharmacy1", {"disabled": False})
    assert (await ask_pack(port, token)).code == "11110100"


async def test_every_entry_names_the_equipment(running: RunningSystem) -> None:
    await enrol(running, "chain", "shop-1")
    await set_state(running, "shop-1", "approved")
    await manage(
        running,
        "POST",
        "/organisations",
        {"name": "Cloud", "organisation_id": "cloud", "is_connector": True},
        status=201,
    )
    await manage(running, "PUT", "/locations/shop-1/connectors/cloud")
    till = await add_equipment(running, location="shop-1")
    cloud = await add_equipment(running, organisation_id="cloud")
    port = running.ports["service"]
    till_token, cloud_token = await token_of(port, *till), await token_of(port, *cloud)
    assert (await ask_pack(port, till_token, state="Supplied")).code == "11210200"
    assert (await ask_pack(port, till_token, serial="NOSUCH")).status == 404
    packs = [PACK, PACK | {"serialNumber": "NOSUCH"}]
    async with RawConnection(port) as connection:
        accepted = await connection.ask(
            "POST",
            "/product/packs",
            f"Authorization: Bearer {cloud_token}",
            "connector-location-id: shop-1",
            body=orjson.dumps({"state": "Active", "numberOfPacks": 2, "packs": packs}),
        )
    assert accepted.status == 202
    async with asyncio.timeout(10):
        while len(entries := (await manage(running, "GET", "/audit?role=nca"))["entries"]) < 4:
            await asyncio.sleep(0.02)
    told = [(entry["interface"], entry["equipment"], entry["outcome"]) for entry in entries]
    assert sorted(told) == sorted(
        [
            ("rest", till[0], "DECOMMISSIONED"),
            ("rest", till[0], "SERIAL_UNKNOWN"),
            ("rest-bulk", cloud[0], "REACTIVATED"),
            ("rest-bulk", cloud[0], "SERIAL_UNKNOWN"),
        ]
    )
    alerts = (await manage(running, "GET", "/alerts"))["alerts"]
    assert {alert["submitted"]["clientId"] for alert in alerts} == {till[0], cloud[0]}
    obp = await manage(running, "GET", f"/audit?role=obp&product_code={CODE}")
    assert {entry["equipment"] for entry in obp["entries"]} == {None}


async def test_lists_come_in_pages(running: RunningSystem) -> None:
    await enrol(running, "chain", *(f"shop-{number}" for number in range(5)))
    for number in range(3):
        await add_equipment(running, location=f"shop-{number}")
    await set_state(running, "shop-3", "approved")
    found: list[Any] = []
    after = ""
    while after is not None:
        page = await manage(running, "GET", f"/locations?limit=2&after={after}")
        assert len(page["locations"]) <= 2
        found += [location["location"] for location in page["locations"]]
        after = page["next"]
    assert found == [f"shop-{number}" for number in range(5)]
    approved = await manage(running, "GET", "/locations?state=approved&organisation_id=chain")
    assert [location["location"] for location in approved["locations"]] == ["shop-3"]
    await manage(running, "GET", "/locations?state=aproved", status=400)
    equipments = await manage(running, "GET", "/equipments?organisation_id=chain")
    assert len(equipments["equipments"]) == 3
    assert {entry["admitted"] for entry in equipments["equipments"]} == {False}
    organisations = await manage(running, "GET", "/organisations?limit=1")
    assert [one["organisation_id"] for one in organisations["organisations"]] == ["chain"]
    for limit in ("0", "1001", "x", "-1", "99999999999999"):
        await manage(running, "GET", f"/organisations?limit={limit}", status=400)


WRONG_ORDERS: list[tuple[str, str, Any, int]] = [
    ("POST", "/organisations", {"name": ""}, 400),
    ("POST", "/organisations", {"name": "A", "organisation_id": "chain"}, 409),
    ("POST", "/organisations", {"name": "A", "rate_plan": "none"}, 404),
    ("POST", "/organisations", {"name": "A", "surplus": 1}, 400),
    ("GET", "/organisations/nobody", None, 404),
    ("PATCH", "/organisations/nobody", {"disabled": True}, 404),
    (
        "POST",
        "/locations",
        {"organisation_id": "nobody", "kind": "pharmacy", "name": "A", "location": "a"},
        404,
    ),
    (
        "POST",
        "/locations",
        {"organisation_id": "chain", "kind": "obp", "name": "A", "location": "a"},
        400,
    ),
    (
        "POST",
        "/locations",
        {"organisation_id": "chain", "kind": "pharmacy", "name": "A", "location": "shop-1"},
        409,
    ),
    ("PATCH", "/locations/shop-1", {"state": "gone"}, 400),
    ("PATCH", "/locations/nowhere", {"state": "approved"}, 404),
    ("PUT", "/locations/shop-1/connectors/chain", None, 409),
    ("PUT", "/locations/shop-1/connectors/nobody", None, 404),
    ("POST", "/equipments", {}, 400),
    ("POST", "/equipments", {"location": "shop-1", "organisation_id": "chain"}, 400),
    ("POST", "/equipments", {"location": "nowhere"}, 404),
    ("POST", "/equipments", {"organisation_id": "chain"}, 409),
    ("PATCH", "/equipments/nobody", {"disabled": True}, 404),
    ("PUT", "/rate-plans/fast", {"requests_per_s": 0, "burst": 1}, 400),
    ("DELETE", "/rate-plans/none", None, 404),
]


async def test_wrong_orders_are_refused_with_a_sentence(running: RunningSystem) -> None:
    await enrol(running, "chain", "shop-1")
    for method, path, body, status in WRONG_ORDERS:
        problem = await manage(running, method, path, body, status=status)
        assert problem["detail"], (method, path, body)
