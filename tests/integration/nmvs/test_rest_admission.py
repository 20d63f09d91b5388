"""Tokens and their keys, rate plans, languages, versions, and what is seen of clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from joserfc import jwt
from joserfc.jwk import KeySet

from emvs.infra.database import Database
from emvs.infra.migrations import migrate
from nmvs.sightings import Sightings
from tests.integration.nmvs.rest_login import (
    ask_pack,
    load_packs,
    manage,
    token_of,
)
from tests.integration.nmvs.rest_raw_client import RawConnection
from tests.integration.running import RunningSystem

StartSystem = Callable[..., Awaitable[RunningSystem]]
DAY_S = 86_400


async def start(start_system: StartSystem, market: str = "IE", **rest: object) -> RunningSystem:
    running = await start_system(market, dialects=("rest",), rest=rest)
    await load_packs(running, "S1", "S2")
    await running.register("pharmacy", 1, soap=None)
    return running


async def log_in(running: RunningSystem) -> str:
    return await token_of(running.ports["service"], "pharmacy1", "secret-pharmacy-1")


async def test_anyone_can_check_a_token_by_the_published_keys(start_system: StartSystem) -> None:
    running = await start(start_system)
    token = await log_in(running)
    port = running.ports["service"]
    async with RawConnection(port) as connection:
        for prefix in ("", "/identity", "/Identity"):
            about = await connection.ask("GET", f"{prefix}/.well-known/openid-configuration")
            assert about.status == 200
            assert about.members["token_endpoint"] == f"http://test{prefix}/connect/token"
            jwks_uri = about.members["jwks_uri"]
            assert jwks_uri == f"http://test{prefix}/.well-known/jwks.json"
            for path in (jwks_uri, f"{prefix}/.well-known/openid-configuration/jwks"):
                keys = await connection.ask("GET", path)
                assert keys.headers["content-type"] == "application/json"
                proven = jwt.decode(token, KeySet.import_key_set(keys.members), ["ES256"])
                assert proven.claims["client_id"] == "pharmacy1"
                assert proven.claims["iss"] == about.members["issuer"] == "nmvs-ie"
        assert (await connection.ask("GET", "/.well-known/other")).code == "40020000"


async def test_keys_turn_with_the_systems_clock_and_survive_a_restart(
    start_system: StartSystem,
) -> None:
    running = await start(start_system, token_life_s=2 * DAY_S, signing_key_life_s=10 * DAY_S)
    port = running.ports["service"]

    async def key_ids() -> list[str]:
        async with RawConnection(port) as connection:
            answer = await connection.ask("GET", "/identity/.well-known/jwks.json")
        return [key["kid"] for key in answer.members["keys"]]

    (first,) = await key_ids()
    await running.advance_clock(10 * DAY_S - 60)
    old = await log_in(running)
    await running.advance_clock(120)
    second, also_first = await key_ids()
    assert also_first == first != second
    fresh = await log_in(running)
    for token in (old, fresh):
        assert (await ask_pack(port, token)).status == 200
    assert running.stop is not None
    await running.stop()
    running = await start_system(
        "IE",
        dialects=("rest",),
        rest={"token_life_s": 2 * DAY_S, "signing_key_life_s": 10 * DAY_S},
    )
    port = running.ports["service"]
    for token in (old, fresh):
        assert (await ask_pack(port, token)).status == 200
    assert await key_ids() == [second, first]
    await running.advance_clock(11 * DAY_S)
    third = (await key_ids())[0]
    assert third not in {first, second}
    assert first not in await key_ids()
    assert (await ask_pack(port, fresh)).status == 401


async def test_a_rate_plan_is_the_organisations_and_names_when_to_come_back(
    start_system: StartSystem,
) -> None:
    running = await start(
        start_system,
        retry_after="alternating",
        rate_plans={"small": {"requests_per_s": 0.02, "burst": 3}},
    )
    port = running.ports["service"]
    await running.register("pharmacy", 2, soap=None, organisation="Pharmacy 1")
    await running.register("pharmacy", 3, soap=None)
    tokens = [await token_of(port, f"pharmacy{n}", f"secret-pharmacy-{n}") for n in (1, 2, 3)]
    await manage(running, "PATCH", "/organisations/Pharmacy%201", {"rate_plan": "small"})
    for token in (tokens[0], tokens[1], tokens[0]):
        assert (await ask_pack(port, token)).status == 200
    refused = [await ask_pack(port, token, state="Supplied") for token in tokens[:2]]
    assert [(answer.status, answer.code) for answer in refused] == [(429, "70020000")] * 2
    seconds, date = (answer.headers["retry-after"] for answer in refused)
    assert 40 <= int(seconds) <= 50
    wait = parsedate_to_datetime(date) - datetime.now(UTC)
    assert timedelta(seconds=35) <= wait <= timedelta(seconds=52)
    assert (await ask_pack(port, tokens[2])).status == 200, "others are not concerned"
    assert await log_in(running), "nor is the token endpoint"
    metrics = await running.http.get(f"{running.management}/metrics")
    assert "nmvs_throttled 2.0" in await metrics.text()
    await running.advance_clock(50)
    assert (await ask_pack(port, tokens[0])).status == 200
    in_use = await manage(running, "PUT", "/rate-plans/own", {"requests_per_s": 5, "burst": 9})
    assert in_use == {"name": "own", "requests_per_s": 5.0, "burst": 9}
    await manage(running, "PATCH", "/organisations/Pharmacy%201", {"rate_plan": "own"})
    await manage(running, "DELETE", "/rate-plans/own", status=409)
    await manage(running, "PATCH", "/organisations/Pharmacy%201", {"rate_plan": ""})
    await manage(running, "DELETE", "/rate-plans/own", status=204)
    assert (await manage(running, "GET", "/rate-plans"))["rate_plans"] == [
        {"name": "small", "requests_per_s": 0.02, "burst": 3}
    ]


async def test_texts_are_in_the_clients_language_or_the_markets(
    start_system: StartSystem,
) -> None:
    running = await start(start_system, "FI")
    token = await log_in(running)
    port = running.ports["service"]
    for header, text in (
        ((), "Pakkaus on aktiivinen."),
        (("Accept-Language: sv-SE",), "Förpackningen är aktiv."),
        (("Accept-Language: en",), "The pack is active."),
        (("Accept-Language: lt;q=0.9, de;q=0.1",), "Die Packung ist aktiv."),
        (("Accept-Language: lt",), "Pakkaus on aktiivinen."),
    ):
        answer = await ask_pack(port, token, *header)
        assert answer.members["information"] == text, header
    refused = await ask_pack(port, "wrong", "Accept-Language: pl")
    assert refused.members["warning"] == "Dostęp jest niedozwolony."


async def test_a_market_may_hold_clients_to_their_version(start_system: StartSystem) -> None:
    running = await start(start_system, filter_by_version=True, default_api_version="1.0")
    token = await log_in(running)
    port = running.ports["service"]
    members = [
        (await ask_pack(port, token, *header)).members.keys()
        for header in ((), ("EMVS-API-Version: 2.4",), ("emvs-api-version: 3.1",))
    ]
    assert members[0] == {"operationCode", "state", "information"}
    assert members[1] - members[0] == {"productName", "isIntermarket"}
    assert members[2] - members[1] == {"nhrn"}


async def test_the_software_of_each_equipment_is_remembered(start_system: StartSystem) -> None:
    running = await start(start_system)
    token = await log_in(running)
    port = running.ports["service"]
    await ask_pack(port, token, "emvs-api-version: 2.4", "User-Agent: Till/1.0")
    await running.advance_clock(5)
    await ask_pack(port, token, "User-Agent: Till\xff/2.0")
    seen = (await manage(running, "GET", "/equipments/pharmacy1"))["sightings"]
    assert [
        (one["api_version"], one["requested_api_version"], one["user_agent"], one["ip"])
        for one in seen
    ] == [("2.4", "2.4", "Till/1.0", "127.0.0.1"), ("3.1", None, "Till?/2.0", "127.0.0.1")]
    assert seen[0]["last_request_at"] < seen[1]["last_request_at"]


async def test_an_equipment_cannot_fill_the_memory_of_sightings(dsn: str, schema_name: str) -> None:
    database = Database(dsn, schema_name)
    await database.open()
    try:
        await migrate(database.pool, "nmvs")
        sightings, kept = Sightings(database), [f"Till/{number}" for number in range(22, 30)]
        for number in range(30):
            sightings.note(
                "pharmacy1",
                requested_api_version="",
                api_version="3.1",
                user_agent=f"Till/{number}",
                ip="127.0.0.1",
                at_s=1_900_000_000 + number,
            )
            if number % 10 == 0:
                await sightings.flush()
        await sightings.flush()
        assert [one.user_agent for one in sightings.client_sightings()] == kept
        stored = Sightings(database)
        await stored.load()
        assert stored.client_sightings("pharmacy1") == sightings.client_sightings()
        assert stored.client_sightings("another") == []
    finally:
        await database.close()
