"""Typing tolerance, what need not be verified, scanner hints: a real system, both dialects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, NamedTuple

import asyncpg
import pytest

from tests.integration.conftest import StartSystem
from tests.integration.nmvs.soap_raw_client import Till
from tests.integration.running import RunningSystem, gtin

LOOSE_CODE = gtin(77)
OTHER_CODE = gtin(78)


class RestAnswer(NamedTuple):
    """Status, operation code, and whether there is an alert."""

    status: int
    code: str
    alerts: bool


class RestTill:
    """A pharmacy that speaks REST and may type."""

    def __init__(self, running: RunningSystem, number: int) -> None:
        self.running, self.number, self.token = running, number, ""

    async def log_in(self) -> RestTill:
        form = {
            "grant_type": "client_credentials",
            "client_id": f"pharmacy{self.number}",
            "client_secret": f"secret-pharmacy-{self.number}",
        }
        url = f"{self.running.service}/connect/token"
        async with self.running.http.post(url, data=form) as response:
            self.token = (await response.json())["access_token"]
        return self

    async def ask(
        self,
        serial: str,
        *,
        code: str | None = None,
        batch: str | None = None,
        expiry: str | None = None,
        manual: bool = False,
        state: str | None = None,
    ) -> RestAnswer:
        """Verify, or ask for a state."""
        running = self.running
        url = f"{running.service}/product/gs1/{code or running.product_code}/pack/{serial}"
        query = {"batch": batch or "", "expiry": expiry or ""}
        if not manual:
            query = {"batch": batch or running.batch_id, "expiry": expiry or running.expiry}
        headers = {
            "Authorization": f"Bearer {self.token}",
            "emvs-data-entry-mode": "manual" if manual else "non-manual",
        }
        body = {"state": state} if state else None
        method = "PATCH" if state else "GET"
        async with running.http.request(
            method, url, params=query, headers=headers, json=body
        ) as response:
            members: dict[str, Any] = await response.json()
            return RestAnswer(response.status, members["operationCode"], "alertId" in members)


async def tills(running: RunningSystem) -> tuple[RestTill, Till]:
    await running.register("pharmacy", 1)
    await running.register("pharmacy", 2)
    return await RestTill(running, 1).log_in(), Till(running)


async def post(running: RunningSystem, path: str, **members: str) -> tuple[int, dict[str, Any]]:
    async with running.http.post(f"{running.management}{path}", json=members) as response:
        return response.status, await response.json()


async def test_two_wrong_typings_are_forgiven_the_third_alerts(
    national_system: RunningSystem,
) -> None:
    rest, soap = await tills(national_system)
    serials = await national_system.load_packs(3)
    assert await rest.ask("WRONG1", manual=True) == (404, "41020001", False)
    silent = await soap.ask("G112", "WRONG2")
    assert (silent.code, silent.alert_id) == ("NC_PC_14", None)
    third = await soap.at(version=4).ask("G122", "WRONG3")
    assert third.code == "NC_PC_02"
    assert third.alert_id is not None
    assert await rest.ask("WRONG1", manual=True) == (404, "41020001", True)
    other = await soap.at(number=2, version=4).ask("G112", "WRONG1")
    assert (other.code, other.alert_id) == ("NC_PC_02", None), "another location has its own"
    assert (await soap.ask("G112", serials[0])).code == "SUCCESS"
    assert await rest.ask("WRONG1", manual=True) == (404, "41020001", False)
    alerts = (await national_system.ask_management("/alerts"))["alerts"]
    assert [alert["code"] for alert in alerts] == ["A3", "A3"]


async def test_what_was_scanned_is_not_forgiven(national_system: RunningSystem) -> None:
    rest, soap = await tills(national_system)
    serials = await national_system.load_packs(1)
    assert (await rest.ask("WRONG1WRONG1")).alerts
    wrong_batch = await soap.ask("G110", serials[0], batch="LOT9")
    assert (wrong_batch.code, wrong_batch.alert_id is not None) == ("FE_LOT_13", True)
    assert await rest.ask(serials[0], batch="LOT9", manual=True) == (404, "41020003", False)


async def test_a_market_without_tolerance(start_system: StartSystem) -> None:
    running = await start_system("IE", rules={"typing_tolerance": 0})
    rest, _ = await tills(running)
    await running.load_packs(1)
    assert (await rest.ask("WRONG1", manual=True)).alerts


async def test_a_product_outside_the_scope_raises_no_alert(start_system: StartSystem) -> None:
    running = await start_system("IE", non_fmd_product_codes=(OTHER_CODE,))
    rest, soap = await tills(running)
    await running.load_packs(1, product_code=LOOSE_CODE)
    assert (await rest.ask("WRONG1", code=LOOSE_CODE)).alerts
    status, listed = await post(running, "/non-fmd", product_code=LOOSE_CODE)
    assert (status, listed) == (200, {"product_codes": sorted([LOOSE_CODE, OTHER_CODE])})
    for code in (LOOSE_CODE, OTHER_CODE):
        assert await rest.ask("WRONG1", code=code) == (404, "41020004", False)
        assert await rest.ask("WRONG1", code=code, state="Supplied") == (404, "41020004", False)
        for version in (4, 5):
            reply = await soap.at(version=version).ask("G120", "ANY1", code=code)
            assert (reply.code, reply.state, reply.alert_id) == ("NC_PC_15", "UNKNOWN", None)
    assert running.stop is not None
    await running.stop()
    again = await start_system("IE")
    assert await again.ask_management("/non-fmd") == {"product_codes": [LOOSE_CODE]}
    trail = await again.ask_management("/trail", product_code=LOOSE_CODE, serial="ANY1")
    assert [entry["outcome"] for entry in trail["entries"]] == ["NON_FMD_PRODUCT"] * 2
    async with again.http.delete(
        f"{again.management}/non-fmd", params={"product_code": LOOSE_CODE}
    ) as response:
        assert await response.json() == {"product_codes": []}
    rest = await RestTill(again, 1).log_in()
    assert (await rest.ask("WRONG1", code=LOOSE_CODE)).alerts


async def test_an_exempted_batch_raises_no_alert(national_system: RunningSystem) -> None:
    running = national_system
    rest, soap = await tills(running)
    serials = await running.load_packs(1)
    code = running.product_code
    status, listed = await post(running, "/exempted-batches", product_code=code, batch_id="LOT7")
    assert (status, listed) == (200, {"batches": [{"product_code": code, "batch_id": "LOT7"}]})
    assert await rest.ask("WRONG1", batch="LOT7") == (404, "41020006", False)
    assert await rest.ask(serials[0], batch="LOT7", state="Supplied") == (404, "41020006", False)
    reply = await soap.ask("G110", "WRONG1", batch="LOT7")
    assert (reply.code, reply.alert_id) == ("NC_PCK_26", None)
    assert (await rest.ask(serials[0])).code == "11110100"
    assert (await rest.ask("WRONG1", batch="LOT8")).alerts


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("/non-fmd", {"product_code": "123"}),
        ("/non-fmd", {}),
        ("/exempted-batches", {"product_code": LOOSE_CODE, "batch_id": "É"}),
        ("/exempted-batches", {"product_code": LOOSE_CODE}),
    ],
)
async def test_nonsense_is_not_listed(
    national_system: RunningSystem, path: str, members: dict[str, str]
) -> None:
    status, answer = await post(national_system, path, **members)
    assert status in (400, 422)
    assert answer["detail"]


async def test_scanner_faults_are_hinted_at_also_after_a_restart(start_system: StartSystem) -> None:
    running = await start_system("IE")
    rest, soap = await tills(running)
    serial = (await running.load_packs(30))[0]  # Twelve digits and capitals each.
    await running.load_packs(30, seed=2)

    async def check(till: RestTill) -> None:
        assert (await till.ask("N9VER9PLADED")).code == "41020001"
        assert (await till.ask(serial[:-1])).code == "41020010"
        assert (await till.ask("n9ver9pladed")).code == "41020011"
        assert (await till.ask("n9ver9plade-1")).code == "41020012"
        assert (await till.ask(serial, batch="LOT")).code == "41020007"
        assert (await till.ask(serial, batch="lot1")).code == "41020008"
        assert (await till.ask(serial, batch="lot-1")).code == "41020009"
        assert (await till.ask(serial, batch="LOT2")).code == "41020003"

    await check(rest)
    # Who looks into an alert reads the code that the pharmacy was shown.
    raised = (await running.ask_management("/alerts"))["alerts"]
    shown = [
        (await running.ask_management(f"/alerts/{alert['alertId']}"))["operationCode"]
        for alert in raised
    ]
    assert sorted(shown) == [
        *("41020001", "41020003", "41020007", "41020008", "41020009"),
        *("41020010", "41020011", "41020012"),
    ]
    assert (await soap.ask("G110", serial[:-1])).code == "NC_PC_02"
    assert (await soap.ask("G110", serial, batch="lot1")).code == "FE_LOT_13"
    assert running.stop is not None
    await running.stop()
    again = await start_system("IE")
    await check(await RestTill(again, 1).log_in())


async def test_batches_delivered_before_get_their_shape(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    running = await start_system("IE")
    for number, serials in enumerate((["123", "98765"], ["aB-1", "ab"], ["ABC1"]), 1):
        await running.deliver(
            "products",
            "p1",
            scheme="GTIN",
            productCode=running.product_code,
            version=1,
            name="E",
            commonName="e",
        )
        answer = await running.deliver(
            "packs",
            f"d{number}",
            productCode=running.product_code,
            productVersion=1,
            batchId=f"LOT{number}",
            expiry="301231",
            serialNumbers=serials,
        )
        assert answer["accepted"]
    script = resources.files("nmvs").joinpath("sql/migrations/0005_identification.sql").read_text()
    (fill,) = (part for part in script.split(";") if "update batch" in part)
    shapes = "select serial_length_min, serial_length_max, serial_kinds from batch order by 3"
    connection = await asyncpg.connect(dsn, server_settings={"search_path": f"{schema_name}_ie"})
    try:
        kept = await connection.fetch(shapes)
        await connection.execute(
            "update batch set serial_length_min = null, serial_length_max = null,"
            " serial_kinds = null"
        )
        await connection.execute(fill)
        filled = await connection.fetch(shapes)
    finally:
        await connection.close()
    assert filled == kept
    assert [tuple(row) for row in kept] == [(3, 5, 1), (4, 4, 3), (2, 4, 15)]


async def test_an_authority_raises_no_alert(national_system: RunningSystem) -> None:
    await national_system.register("nca", 1)
    await national_system.load_packs(1)
    reply = await Till(national_system, kind="nca").ask("G110", "WRONG1")
    assert (reply.code, reply.alert_id) == ("NC_PC_14", None)
    assert (await national_system.ask_management("/alerts"))["alerts"] == []


async def test_a_market_may_alert_on_a_refused_undo(start_system: StartSystem) -> None:
    running = await start_system("IE", rules={"undo_elsewhere_alerts": "always"})
    rest, soap = await tills(running)
    (serial,) = await running.load_packs(1)
    assert (await soap.ask("G120", serial)).code == "SUCCESS"
    refused = await soap.at(number=2).ask("G121", serial)
    assert refused.code == "NC_PCK_21"
    assert refused.alert_id is not None
    await running.advance_clock(241 * 3600)
    rest = await RestTill(running, 1).log_in()
    assert await rest.ask(serial, state="Active") == (409, "51420200", True)
    codes = [alert["code"] for alert in (await running.ask_management("/alerts"))["alerts"]]
    assert codes == ["A24", "A4"]
    now = datetime.now(UTC)
    window = {
        "startTimestamp": now.isoformat(),
        "endTimestamp": (now + timedelta(days=20)).isoformat(),
        "errorCode": "A4",
    }
    async with running.http.post(f"{running.management}/alerts", json=window) as response:
        assert response.status == 202, await response.text()
        found = await running.http.get(response.headers["Location"])
    assert [alert["errorCode"] for alert in (await found.json())["data"]] == ["#A4"]
