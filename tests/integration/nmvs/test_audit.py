"""The audit trail by role: who sees which entries and members, in pages, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from emvs.csv_cells import unprotect
from tests.integration.clients import RestTill
from tests.integration.conftest import StartSystem
from tests.integration.running import RunningSystem, gtin

OTHER_CODE = gtin(600013438)
WHO = ("location", "name", "role", "clientTransactionId")


async def audit(running: RunningSystem, **query: str) -> list[dict[str, Any]]:
    """Return the entries of all pages."""
    entries: list[dict[str, Any]] = []
    while True:
        page = await running.ask_management("/audit", **query)
        assert "entries" in page, page
        entries += page["entries"]
        if page["next"] is None:
            return entries
        query["cursor"] = page["next"]


async def audit_csv(running: RunningSystem, **query: str) -> list[dict[str, str]]:
    """Return the lines of the CSV, each by column, as a program reads it."""
    async with running.http.get(
        f"{running.management}/audit", params={"format": "csv", **query}
    ) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/csv"
        text = (await response.read()).decode()
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [{name: unprotect(cell) for name, cell in row.items()} for row in rows]


@pytest.fixture
async def story(start_system: StartSystem) -> tuple[RunningSystem, dict[str, str]]:
    """Two packs, of which a pharmacy and a wholesaler did things to the first; another product.

    Entries, oldest first: wholesaler verifies 1; pharmacy supplies 1; wholesaler verifies 1 with
    a wrong batch (alert); pharmacy verifies 2; pharmacy verifies the other product's pack.
    """
    running: RunningSystem = await start_system("IE")
    first, second = await running.load_packs(2)
    (foreign,) = await running.load_packs(1, product_code=OTHER_CODE)
    pharmacy = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    wholesaler = RestTill(running.http, running.service, await running.register("wholesaler", 2))
    await running.register("nca", 3)
    for till in (pharmacy, wholesaler):
        await till.log_in()
    identity = ("LOT1", running.expiry)
    await wholesaler.ask(running.product_code, first, *identity)
    assert (await pharmacy.supply(running.product_code, first, *identity)).code == "11210200"
    wrong = await wholesaler.ask(running.product_code, first, "LOT2", running.expiry)
    assert wrong.alert_id is not None
    await pharmacy.ask(running.product_code, second, *identity)
    await pharmacy.ask(OTHER_CODE, foreign, *identity)
    return running, {"first": first, "second": second, "foreign": foreign}


ALL = [
    ("first", "VERIFIED"),
    ("first", "DECOMMISSIONED"),
    ("first", "BATCH_MISMATCH"),
    ("second", "VERIFIED"),
    ("foreign", "VERIFIED"),
]


SEEN: list[tuple[str, dict[str, str], list[tuple[str, str]]]] = [
    ("pharmacy", {"location": "pharmacy-1"}, [ALL[1], ALL[3], ALL[4]]),
    ("pharmacy", {"location": "pharmacy-1", "serial": "first"}, [ALL[1]]),
    ("wholesaler", {"location": "wholesaler-2"}, [ALL[0], ALL[2]]),
    ("wholesaler", {"location": "wholesaler-2", "serial": "first"}, [ALL[0], ALL[2]]),
    ("wholesaler", {"location": "wholesaler-2", "serial": "second"}, []),
    ("obp", {"product_code": "own"}, ALL[:4]),
    ("obp", {"product_code": "other"}, ALL[4:]),
    ("obp", {"serial": "second"}, [ALL[3]]),
    ("nmvo", {}, []),
    ("nmvo", {"serial": "first"}, []),
    ("nca", {}, ALL),
    ("nca", {"serial": "first"}, ALL[:3]),
    ("nca", {"location": "pharmacy-1"}, [ALL[1], ALL[3], ALL[4]]),
]


async def test_who_sees_which_entries(story: tuple[RunningSystem, dict[str, str]]) -> None:
    running, serials = story
    codes = {"own": running.product_code, "other": OTHER_CODE}
    names = {serial: name for name, serial in serials.items()}
    for role, query, seen in SEEN:
        wanted = dict(query)
        if "serial" in query:
            wanted |= {"serial": serials[query["serial"]], "product_code": running.product_code}
        elif "product_code" in query:
            wanted["product_code"] = codes[query["product_code"]]
        entries = await audit(running, role=role, **wanted)
        found = [(names[entry["serialNumber"]], entry["outcome"]) for entry in entries]
        assert found == seen, (role, query)
        lines = await audit_csv(running, role=role, **wanted)
        assert [line["Event Code"] for line in lines] == [outcome for _, outcome in seen]


async def test_the_national_organisation_reads_what_it_investigates(
    story: tuple[RunningSystem, dict[str, str]],
) -> None:
    """Art. 37 and 38: only to investigate flagged events."""
    running, serials = story
    (alert,) = (await running.ask_management("/alerts"))["alerts"]

    async def change(state: str, **more: str) -> None:
        message = {"party": "NMVO", "state": state, **more}
        url = f"{running.management}/alerts/{alert['alertId']}/state"
        async with running.http.post(url, json=message) as response:
            assert response.status == 200, await response.text()

    async def seen() -> list[str]:
        every = await audit(running, role="nmvo")
        second = {"product_code": running.product_code, "serial": serials["second"]}
        assert await audit(running, role="nmvo", **second) == []
        return [entry["outcome"] for entry in every]

    await running.ask_management(f"/alerts/{alert['alertId']}")  # Opened: nobody looks into it yet.
    assert await seen() == []
    whole = [outcome for _, outcome in ALL[:3]]
    for state, more, expected in (
        ("Under investigation", {}, whole),
        ("Escalated", {"reason": "FALSIFICATION_SUSPECTED"}, whole),
        ("Closed", {"reason": "TECHNICAL_ERROR"}, []),
        ("Under investigation", {}, whole),
    ):
        await change(state, **more)
        assert await seen() == expected, state


async def test_who_sees_which_members(story: tuple[RunningSystem, dict[str, str]]) -> None:
    running, serials = story
    code = running.product_code
    authority = await audit(running, role="nca")
    assert [entry["location"] for entry in authority][:2] == ["wholesaler-2", "pharmacy-1"]
    mismatch = authority[2]
    assert (mismatch["submittedBatchId"], mismatch["batchId"]) == ("LOT2", "LOT1")
    assert mismatch["alertCode"] == "A68"

    # The manufacturer: whether two entries are one location's, but not whose.
    made = await audit(running, role="obp", product_code=code)
    assert all(entry[member] is None for entry in made for member in WHO)
    tokens = [entry["locationToken"] for entry in made]
    assert tokens[0] == tokens[2] != tokens[1] == tokens[3]
    assert made[2]["alertCode"] == "A68"
    text = str(made)
    assert "pharmacy" not in text
    assert "wholesaler" not in text

    # Whoever sent another batch learns neither the right one nor the pack's state.
    own = await audit(running, role="wholesaler", location="wholesaler-2")
    assert own[1]["submittedBatchId"] == "LOT2"
    assert [own[1][name] for name in ("batchId", "expiry", "stateBefore", "stateAfter")] == [
        None
    ] * 4
    assert own[0]["batchId"] == "LOT1"

    lines = await audit_csv(running, role="obp", product_code=code)
    assert [line["Location"] for line in lines] == tokens
    assert {line["Organisation"] for line in lines} == {""}
    assert lines[1]["Process"] == "Decommissioning"
    assert (lines[2]["Category"], lines[2]["Severity"]) == ("Alert", "5")
    assert lines[2]["AlertId"] == made[2]["alertId"]
    assert [line["SerialNumber"] for line in lines][3] == serials["second"]


WRONG: list[tuple[dict[str, str], int]] = [
    ({}, 400),
    ({"role": "king"}, 400),
    ({"role": "pharmacy"}, 400),
    ({"role": "pharmacy", "location": "nowhere"}, 404),
    ({"role": "pharmacy", "location": "wholesaler-2"}, 403),
    ({"role": "obp"}, 400),
    ({"role": "obp", "product_code": "1", "location": "pharmacy-1"}, 403),
    ({"role": "nmvo", "location": "pharmacy-1"}, 403),
    ({"role": "nca", "serial": "1"}, 400),
    ({"role": "nca", "from": "yesterday"}, 400),
    ({"role": "nca", "to": "0001-01-01T00:00:00+10:00"}, 400),
    ({"role": "nca", "format": "pdf"}, 400),
    ({"role": "nca", "outcome": "DECOMMISSIONED,LOST"}, 400),
    ({"role": "nca", "format": "csv", "limit": "5"}, 400),
    ({"role": "nca", "limit": "0"}, 400),
    ({"role": "nca", "limit": "10001"}, 400),
    ({"role": "nca", "cursor": "x"}, 400),
    ({"role": "nca", "cursor": "_" * 54 + "=="}, 400),
    ({"role": "nca", "colour": "red"}, 400),
    ({"role": "nca", "product_code": "1\0"}, 400),
    ({"role": "nca", "product_code": "1", "serial": "1" * 101}, 400),
]


async def test_a_wrong_question_gets_a_clear_answer(national_system: RunningSystem) -> None:
    await national_system.register("wholesaler", 2)
    for query, status in WRONG:
        problem = await national_system.ask_management("/audit", **query)
        assert problem["status"] == status, (query, problem)
        assert problem["title"] != "Error", query


async def test_pages_give_every_entry_once_and_time_selects(
    national_system: RunningSystem,
) -> None:
    running = national_system
    serials = await running.load_packs(25)
    till = RestTill(running.http, running.service, await running.register("pharmacy", 1))
    for month in range(3):
        await till.log_in()
        for serial in serials:
            await till.ask(running.product_code, serial, "LOT1", running.expiry)
        if month < 2:
            await running.advance_clock(31 * 86_400)
    everything = await audit(running, role="nca")
    assert len(everything) == 75
    for limit in ("1", "7", "25", "74", "75", "76"):
        assert await audit(running, role="nca", limit=limit) == everything
    page = await running.ask_management("/audit", role="nca", limit="75")
    assert page["next"] is None
    start, end = everything[25]["at"], everything[50]["at"]
    between = await audit(running, role="nca", **{"from": start, "to": end})
    assert between == [entry for entry in everything if start <= entry["at"] < end]
    assert await audit(running, role="nca", **{"from": end, "to": start}) == []
    lines = await audit_csv(running, role="nca")
    assert [line["Transaction ID"] for line in lines] == [
        entry["transactionId"] for entry in everything
    ]
    await till.ask(running.product_code, serials[0], "LOT1", running.expiry, "Supplied")
    for outcomes in ("DECOMMISSIONED,REACTIVATED", "DECOMMISSIONED"):
        (line,) = await audit_csv(running, role="nca", outcome=outcomes)
        assert (line["Event Code"], line["SerialNumber"]) == ("DECOMMISSIONED", serials[0])
        (entry,) = await audit(running, role="nca", outcome=outcomes)
        assert entry["serialNumber"] == serials[0]


async def test_no_cell_of_the_csv_is_a_formula_and_every_cell_can_be_read_back(
    national_system: RunningSystem,
) -> None:
    running = national_system
    await running.load_packs(1)
    serials = ["=1+1", "+2", "-3", "'4", "5,6", '7"8', "9;A", "AB"]
    await running.deliver(
        "packs",
        "formulas",
        productCode=running.product_code,
        productVersion=1,
        batchId="=LOT",
        expiry=running.expiry,
        serialNumbers=serials,
    )
    registration = await running.register("pharmacy", 1, name='=HYPERLINK("x");\r\n"A", B')
    till = RestTill(running.http, running.service, registration)
    await till.log_in()
    for serial in serials:
        answer = await till.ask(running.product_code, serial, "=LOT", running.expiry)
        assert answer.code == "11110100"
    async with running.http.get(
        f"{running.management}/audit", params={"format": "csv", "role": "nca"}
    ) as response:
        raw = (await response.read()).decode()
    cells = [cell for row in csv.reader(io.StringIO(raw, newline="")) for cell in row]
    assert len(cells) == 28 * 9
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    lines = await audit_csv(running, role="nca")
    assert [line["SerialNumber"] for line in lines] == serials
    assert {line["BatchId"] for line in lines} == {"=LOT"}
    assert {line["Organisation"] for line in lines} == {registration["name"]}
    assert {line["ProductCode"] for line in lines} == {running.product_code}
