"""Alerts on their way: from a pharmacy through its market and the hub to the manufacturer.

That the manufacturer sees no location: `fifteen_checks`, check 11.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from emvs.alerts import alert_id
from emvs.infra.embedded_postgres import EmbeddedPostgres
from hub.app import Hub
from hub.config import HubConfig, MarketConfig
from nmvs.app import NationalSystem
from nmvs.config import NmvsConfig
from tests.integration.clients import RestTill, WireAnswer
from tests.integration.hub.stand import CODE, Obp, register
from tests.integration.running import RunningSystem

pytestmark = pytest.mark.asyncio(loop_scope="module")

ARRIVAL_S_MAX = 20.0
CAUSE = {"code": CODE, "batch": "LOT1", "expiry": "301231"}


def token(market: str) -> str:
    return f"interconnect-token-of-{market}"


@dataclass
class Route:
    """Two markets and a hub that can be stopped and started again at its address."""

    hub_config: HubConfig
    http: aiohttp.ClientSession
    systems: dict[str, RunningSystem]
    tills: dict[str, RestTill]
    obp: Obp
    hub: Hub | None = None

    async def start_hub(self) -> None:
        self.hub = Hub(self.hub_config)
        await self.hub.__aenter__()

    async def stop_hub(self) -> None:
        if self.hub is not None:
            await self.hub.__aexit__(None, None, None)
            self.hub = None

    async def alert(self, market: str, serial: str) -> str:
        """Have a pharmacy verify a pack that is nowhere; return the alert's id."""
        answer: WireAnswer = await self.tills[market].ask(serial=serial, **CAUSE)
        assert answer.alert_id is not None, answer
        return answer.alert_id

    async def at_obp(self, *ids: str, state: str | None = None) -> list[dict[str, Any]]:
        """Return these alerts as the manufacturer's list shows them once all are on it, in this
        state if one is given."""
        async with asyncio.timeout(ARRIVAL_S_MAX):
            while True:
                alerts = [one for one in await self.pages(500) if one["alertId"] in ids]
                if len(alerts) == len(ids) and {one["state"] for one in alerts} <= {
                    state or one["state"] for one in alerts
                }:
                    return alerts
                await asyncio.sleep(0.02)

    async def pages(self, limit: int) -> list[dict[str, Any]]:
        """Return the manufacturer's whole list, fetched in pages of this size."""
        alerts: list[dict[str, Any]] = []
        after, has_more = "0", True
        while has_more:
            status, page = await self.obp.get("alerts", after=after, limit=str(limit))
            assert status == 200, page
            alerts += page["alerts"]
            after, has_more = page["next"], page["hasMore"]
        return alerts

    async def stored_report(self, identifier: str) -> dict[str, Any]:
        """Return what the hub has stored of an alert."""
        assert self.hub is not None
        text = await self.hub.database.pool.fetchval(
            "select report::text from alert where alert_id = $1", identifier
        )
        report: dict[str, Any] = json.loads(text)
        return report

    async def decide(self, identifier: str, state: str, **more: str) -> tuple[int, dict[str, Any]]:
        """Change an alert as the manufacturer."""
        async with self.http.post(
            f"{self.obp.url}/obp/v1/alerts/{identifier}/state",
            json={"state": state, **more},
            headers={"Authorization": f"Bearer {self.obp.token}"},
        ) as response:
            return response.status, await response.json(content_type=None)

    async def report(self, market: str, *reports: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Report alerts to the hub in a market's name."""
        async with self.http.post(
            f"{self.obp.url}/nmvs/v1/alerts",
            json={"alerts": reports},
            headers={"Authorization": f"Bearer {token(market)}"},
        ) as response:
            return response.status, await response.json(content_type=None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def route(postgres: EmbeddedPostgres) -> AsyncIterator[Route]:
    """IE and PL, one manufacturer whose product is in PL only, and a pharmacy in each market; the
    system of DE is never there."""
    dsn = postgres.dsn("emvs")
    schema_name = "alerts_travel"
    settings: dict[str, Any] = {"dsn": dsn, "schema": f"{schema_name}_hub"}
    async with Hub(HubConfig(**settings)) as probe:
        settings["port"] = int(probe.url.rpartition(":")[2])
    async with AsyncExitStack() as exits:
        http = await exits.enter_async_context(aiohttp.ClientSession())
        systems: dict[str, RunningSystem] = {}
        for market in ("IE", "PL"):
            config = NmvsConfig(
                market=market,
                dsn=dsn,
                schema=f"{schema_name}_{market.lower()}",
                interconnect_token=token(market),
                hub_url=f"http://127.0.0.1:{settings['port']}",
                dialects=("rest",),
                packs_max=10_000,
                password_hash_cost_log2=6,
            )
            national = await exits.enter_async_context(NationalSystem(config))
            systems[market] = RunningSystem(http, national.ports, passwords_expire=False)
        tills: dict[str, RestTill] = {}
        for market, system in systems.items():
            registration = await system.register(
                "pharmacy", 1, name="At the Golden Lion", location=f"lion-square-{market}"
            )
            tills[market] = RestTill(http, system.service, registration)
            await tills[market].log_in()
        hub_config = HubConfig(
            **settings,
            markets={
                market: MarketConfig(
                    f"http://127.0.0.1:{system.ports['interconnect']}", token(market)
                )
                for market, system in systems.items()
            }
            | {"DE": MarketConfig("http://127.0.0.1:9", token("DE"))},
            national_tokens={market: token(market) for market in (*systems, "DE")},
        )
        obp = Obp(f"http://127.0.0.1:{settings['port']}", http)
        made = Route(hub_config, http, systems, tills, obp)
        exits.push_async_callback(made.stop_hub)
        await made.start_hub()
        assert made.hub is not None
        await register(http, made.hub.management)
        assert (await obp.product("PL"))["status"] == "STDS"
        assert (await obp.packs(["P1", "P2"]))["status"] == "STDS"
        yield made


async def test_an_intermarket_alert_names_both_markets(route: Route) -> None:
    identity = (CODE, "P1", "LOT1", "301231")
    assert (await route.tills["PL"].supply(*identity)).alert_id is None
    refused = await route.tills["IE"].supply(*identity)
    assert refused.alert_id is not None
    (entry,) = await route.at_obp(refused.alert_id)
    assert (entry["raisingMarket"], entry["initiatingMarket"]) == ("PL", "IE")
    assert (entry["sourceProcess"], entry["code"]) == ("IMT", "#A7")
    assert entry["storedState"] == "SUPPLIED"
    assert "lion" not in json.dumps(entry)


async def test_a_hub_that_was_away_gets_everything_in_order_and_once(route: Route) -> None:
    await route.stop_hub()
    ids = [await route.alert("PL", f"NONE{number}") for number in range(120)]
    await route.start_hub()
    await route.at_obp(*ids)
    entries = await route.pages(50)
    seen = [entry["alertId"] for entry in entries]
    assert len(seen) == len(set(seen))
    mine = [entry for entry in entries if entry["alertId"] in ids]
    # Those of one millisecond come in the order of their ids.
    places = {alert_id: place for place, alert_id in enumerate(ids)}
    raised = [(entry["raisedAt"], entry["alertId"]) for entry in mine]
    assert raised == sorted(raised)
    in_turn = sorted(mine, key=lambda entry: (entry["raisedAt"], places[entry["alertId"]]))
    assert [entry["alertId"] for entry in in_turn] == ids


async def test_what_is_reported_twice_or_out_of_date_changes_nothing(route: Route) -> None:
    raised = await route.alert("PL", "NONE")
    await route.at_obp(raised)
    first = await route.stored_report(raised)
    home = f"{route.systems['PL'].management}/alerts/{raised}/state"
    message = {"party": "NMVO", "state": "Escalated", "reason": "FALSIFICATION_SUSPECTED"}
    async with route.http.post(home, json=message) as response:
        assert response.status == 200
    before = await route.at_obp(raised, state="Escalated")
    assert await route.report("PL", first, first) == (200, {"refused": []})
    assert await route.at_obp(raised) == before
    history = (await route.obp.get(f"alerts/{raised}"))[1]["history"]
    assert [(step["state"], step["party"]) for step in history] == [
        ("New", "System"),
        ("Escalated", "NMVO"),
    ]


async def test_the_hub_refuses_what_is_not_the_market_s_to_report(route: Route) -> None:
    raised = await route.alert("PL", "NONE")
    await route.at_obp(raised)
    good = await route.stored_report(raised)
    fresh = {"alertId": alert_id("PL", 1)}
    bad = [
        good | fresh | {"code": "A4"},
        good | fresh | {"code": "A1"},
        good | fresh | {"outcome": "NONSENSE"},
        good | {"alertId": alert_id("IE", 1)},
        good | {"alertId": "PL-1"},
    ]
    status, answer = await route.report("PL", *bad)
    assert (status, len(answer["refused"])) == (200, len(bad))
    assert len((await route.report("IE", good | fresh))[1]["refused"]) == 1
    assert (await route.report("FR", good))[0] == 401
    assert len(await route.at_obp(raised)) == 1


async def test_a_manufacturer_sees_its_own_products_alerts_only(route: Route) -> None:
    raised = await route.alert("PL", "NONE")
    await route.at_obp(raised)
    assert route.hub is not None
    other = await register(
        route.http, route.hub.management, organisationId="20002", token="token-of-somebody-else"
    )
    stranger = Obp(route.obp.url, route.http, organisation_id="20002", token=other)
    assert (await stranger.get("alerts"))[1]["alerts"] == []
    assert (await stranger.get(f"alerts/{raised}"))[0] == 404
    own, route.obp = route.obp, stranger
    assert (await route.decide(raised, "Under investigation"))[0] == 404
    route.obp = own
    assert (await route.obp.get("alerts", code="A2"))[1]["alerts"] == []
    of_product = (await route.obp.get("alerts", code="A3", productCode=CODE, limit="500"))[1]
    assert raised in [entry["alertId"] for entry in of_product["alerts"]]
    for query in ({"code": "A1"}, {"limit": "0"}, {"after": "x"}, {"productCode": "\0"}):
        assert (await route.obp.get("alerts", **query))[0] == 400, query


async def everybodys(route: Route, **query: str) -> tuple[int, dict[str, Any]]:
    """Return what the European organisation sees."""
    assert route.hub is not None
    async with route.http.get(f"{route.hub.management}/alerts", params=query) as response:
        return response.status, await response.json()


async def test_alerts_are_found_by_market_and_time(route: Route) -> None:
    raised = await route.alert("PL", "NONE")
    (entry,) = await route.at_obp(raised)
    at = entry["raisedAt"]
    after = datetime.fromisoformat(at) + timedelta(milliseconds=1)
    for query, found in (
        ({"market": "PL", "from": at, "to": after.isoformat()}, True),
        ({"market": "PL", "from": at}, True),
        ({"market": "IE", "from": at}, False),
        ({"from": after.isoformat()}, False),
        ({"from": at, "to": at}, False),
    ):
        for status, page in (
            await route.obp.get("alerts", limit="500", **query),
            await everybodys(route, limit="500", **query),
        ):
            assert status == 200, page
            assert (raised in [one["alertId"] for one in page["alerts"]]) is found, query
    for wrong in ({"market": "XX"}, {"from": "x"}, {"to": "0001-01-01"}, {"colour": "red"}):
        assert (await route.obp.get("alerts", **wrong))[0] == 400, wrong
        assert (await everybodys(route, **wrong))[0] == 400, wrong
    assert (await route.obp.get("alerts", owner="none"))[0] == 400


async def test_an_alert_of_nobody_is_the_european_organisation_s_until_it_has_an_owner(
    route: Route,
) -> None:
    template = await route.alert("PL", "NONE")
    (entry,) = await route.at_obp(template)
    status, page = await everybodys(route, owner="10001", limit="500", code="A3")
    assert status == 200
    (seen,) = (one for one in page["alerts"] if one["alertId"] == template)
    assert seen == entry | {"organisationId": "10001"}

    code, orphan = "09506000117843", alert_id("PL", 77)
    report = await route.stored_report(template) | {"alertId": orphan, "productCode": code}
    assert await route.report("PL", report) == (200, {"refused": []})
    status, page = await everybodys(route, owner="none")
    assert [one["alertId"] for one in page["alerts"]] == [orphan]
    assert page["alerts"][0]["organisationId"] is None
    before = (await route.obp.get("alerts", limit="500"))[1]["next"]
    assert (await route.obp.product("PL", code=code))["status"] == "STDS"
    _, news = await route.obp.get("alerts", after=before)
    assert [one["alertId"] for one in news["alerts"]] == [orphan]
    assert (await everybodys(route, owner="none"))[1]["alerts"] == []
    assert (await everybodys(route, owner="\0"))[0] == 400


async def test_a_manufacturer_s_decision_is_made_at_the_market(route: Route) -> None:
    raised = await route.alert("PL", "NONE")
    await route.at_obp(raised)
    assert (await route.obp.get(f"alerts/{raised}"))[1]["state"] == "Active"
    for state, more, expected in (
        ("Closed", {}, 400),
        ("Closed", {"reason": "END_USER_ERROR"}, 403),
        ("Under investigation", {}, 200),
        ("Under investigation", {}, 200),
        ("Closed", {"reason": "OBP_ERROR_FIXED", "text": "uploaded late"}, 200),
        ("Escalated", {"reason": "NEW_INFORMATION"}, 409),
    ):
        status, answer = await route.decide(raised, state, **more)
        assert status == expected, answer
    there = await route.systems["PL"].ask_management(f"/alerts/{raised}")
    assert [(step["state"], step["party"]) for step in there["history"]] == [
        ("New", "System"),
        ("Active", "System"),
        ("Under investigation", "OBP"),
        ("Closed", "OBP"),
    ]
    await route.at_obp(raised, state="Closed")


async def test_while_the_market_is_away_nothing_is_decided(route: Route) -> None:
    template = await route.alert("PL", "NONE")
    await route.at_obp(template)
    raised = alert_id("DE", 1)
    report = await route.stored_report(template) | {"alertId": raised, "raisingMarket": "DE"}
    assert await route.report("DE", report) == (200, {"refused": []})
    assert (await route.obp.get(f"alerts/{raised}"))[1]["state"] == "New"
    status, answer = await route.decide(raised, "Under investigation")
    assert status == 503
    assert "try again" in answer["detail"]
    await route.at_obp(raised, state="New")


async def test_the_hub_forgets_the_serial_numbers_of_alerts_long_closed(route: Route) -> None:
    raised = await route.alert("PL", "NONE")
    still_open = await route.alert("PL", "OTHER")
    await route.at_obp(raised, still_open)
    assert (await route.decide(raised, "Closed", reason="OBP_ERROR_FIXED"))[0] == 200
    assert route.hub is not None
    async with route.http.post(
        f"{route.hub.management}/clock", json={"advance_s": 31 * 86_400}
    ) as response:
        assert response.status == 200
    async with asyncio.timeout(ARRIVAL_S_MAX):
        while True:
            listed = await route.at_obp(raised, still_open)
            alerts = {one["alertId"]: one["serialNumber"] for one in listed}
            if alerts[raised] is None:
                break
            await asyncio.sleep(0.02)
    assert alerts[still_open] == "OTHER"
    # Five years on, by its clock, the hub has no alert any more.
    assert route.hub is not None
    async with route.http.post(
        f"{route.hub.management}/clock", json={"advance_s": 5 * 366 * 86_400}
    ) as response:
        assert response.status == 200
    async with asyncio.timeout(ARRIVAL_S_MAX):
        while (await everybodys(route))[1]["alerts"]:
            await asyncio.sleep(0.02)
