"""The literal messages of bulk and mixed bulk, byte for byte, and zeep with our definitions."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from nmvs.soap.catalogue import VERSIONS
from tests.integration.conftest import StartSystem
from tests.integration.nmvs.rest_raw_client import RawConnection
from tests.integration.nmvs.soap_bulk_client import bulk_till, read_bulk_reply
from tests.integration.nmvs.test_soap_zeep import client
from tests.integration.running import RunningSystem

VECTORS = Path(__file__).parents[2] / "vectors" / "soap"
ID = "0123456789abcdef0123456789abcdef"
CHANGING = re.compile(
    r"(?<=<ns1:NMVSTrxId>)\w{32}(?=<)|(?<=<ns1:Timestamp>)[0-9T:.-]{23}Z(?=<)"
    r"|(?<=ns1:alertId=\")[A-Z0-9-]+(?=\")"
)
SERIAL = "SERIAL-1"


async def load(running: RunningSystem) -> None:
    """Deliver the one pack that the messages are about."""
    await running.load_packs(1, batch_id="OTHER")
    await running.deliver(
        "packs",
        "the-pack",
        productCode=running.product_code,
        productVersion=1,
        batchId=running.batch_id,
        expiry=running.expiry,
        serialNumbers=[SERIAL],
    )


@pytest.mark.parametrize("version", VERSIONS)
async def test_literal_messages(start_system: StartSystem, version: int) -> None:
    rules = {"expiry_matching": "month_end"}
    running = await start_system("IE", bulk={"results_after_s": 60}, rules=rules)
    await load(running)
    await bulk_till(running)

    async with RawConnection(running.ports["service"]) as connection:

        async def ask(request: str, reply: str, ticket: str = ID) -> str:
            def in_version(name: str) -> str:
                own = VECTORS / f"v{version}-{name}.xml"
                text = (own if own.exists() else VECTORS / f"{name}.xml").read_text()
                return text.replace(":v5.0", f":v{version}.0")

            message = in_version(request).replace(ID, ticket)
            answer = await connection.ask("POST", "/WS_X", body=message.encode())
            assert CHANGING.sub("@", answer.body.decode()) == in_version(reply)
            return read_bulk_reply(answer.body).ticket

        bulk = await ask("g115-request", "g115-reply")
        mixed = await ask("g195-request", "g195-reply")
        await ask("g188-request", "g188-reply-not-ready", bulk)
        await running.advance_clock(60)
        async with asyncio.timeout(20):
            while "bulk_items_waiting 0.0" not in await metrics(running):
                await asyncio.sleep(0.01)
        await ask("g188-request", "g188-reply", bulk)
        await ask("g196-request", "g196-reply", mixed)
        if version == 2:
            await ask("g115-request-twice", "g115-reply-twice")


async def metrics(running: RunningSystem) -> str:
    async with running.http.get(f"{running.management}/metrics") as response:
        return await response.text()


def header(number: int = 1) -> dict[str, Any]:
    return {
        "Auth": {
            "ClientLoginId": "WHOLESALER00001",
            "UserId": "USER0001",
            "Password": "Demo-Pass-1",
        },
        "UserSoftware": {"name": "zeep", "supplier": "s", "version": "4"},
        "Transaction": {"ClientTrxId": f"ZEEP-{number:06d}", "Language": "eng"},
    }


@pytest.mark.parametrize("version", VERSIONS)
async def test_zeep_sends_bulks_and_mixed_bulks(
    national_system: RunningSystem, version: int
) -> None:
    running = national_system
    await bulk_till(running)
    serials = await running.load_packs(2)
    context, name = "WS_BULK_TRANSACTIONS_V1", "BulkService"
    bulk = (await client(running, f"{context}/{name}V{version}0")).service
    context, name = "WS_MIXED_BULK_TRANSACTIONS_V1", "MixedBulkService"
    mixed = (await client(running, f"{context}/{name}V{version}0")).service
    product = {
        "ProductCode": {"_value_1": running.product_code, "scheme": "GTIN"},
        "Batch": {"Id": running.batch_id, "ExpDate": running.expiry},
    }

    async def ask(operation: Any, body: Any = None, number: int = 1) -> Any:
        more = {} if body is None else {"Body": body}
        return await asyncio.to_thread(operation, Header=header(number), **more)

    async def result(operation: Any, ticket: str) -> Any:
        async with asyncio.timeout(20):
            while True:
                reply = await ask(operation, {"RefNMVSTrxId": ticket})
                if reply.Body.ReturnCode.code != "NMVS_FE_TX_02":
                    return reply
                await asyncio.sleep(0.02)

    packs = {"Pack": [{"sn": serial} for serial in serials]}
    submitted = await ask(bulk.G125BulkDispense, {"Product": product, "Packs": packs}, 7)
    assert submitted.Body.ReturnCode.code == "NMVS_SUCCESS"
    ticket = submitted.Header.Transaction.NMVSTrxId
    listed = await ask(bulk.G101RequestBulkIds)
    (open_one,) = listed.Body.BulkTransactionList.Transaction
    assert (open_one.ClientTrxId, open_one.NMVSTrxId) == ("ZEEP-000007", ticket)
    fetched = await result(bulk.G188RequestBulkPackResult, ticket)
    assert fetched.Header.Transaction.ReqType == "G125"
    assert [
        (pack.sn, pack.state, pack.Reason, pack.ReturnCode.code) for pack in fetched.Body.Packs.Pack
    ] == [(serial, "INACTIVE", ["SUPPLIED"], "NMVS_SUCCESS") for serial in serials]
    body = {"Product": product, "Packs": packs, "RefClientTrxId": "ZEEP-000007"}
    submitted = await ask(bulk.G127BulkUndoDispense, body)
    fetched = await result(bulk.G188RequestBulkPackResult, submitted.Header.Transaction.NMVSTrxId)
    assert [pack.state for pack in fetched.Body.Packs.Pack] == ["ACTIVE"] * 2

    def item(req_type: str, serial: str, **more: Any) -> dict[str, Any]:
        return {
            "reqType": req_type,
            "Product": product,
            "Pack": {"sn": serial},
            "Transaction": {"ClientTrxId": "ITEM-000001", "Language": "eng", **more},
        }

    undo_item, manual = ("Item", "G122") if version == 2 else ("ItemUndo", "G112")
    items = [
        {"Item": item("G120", serials[0])},
        {undo_item: item("G121", serials[0], RefClientTrxId="ITEM-000001")},
        {
            "ItemMan": item(manual, serials[1])
            | {"Product": {"ProductCode": product["ProductCode"]}}
        },
    ]
    submitted = await ask(mixed.G195SubmitBulkTransaction, {"TrxList": {"TrxItem": items}})
    fetched = await result(
        mixed.G196RequestBulkTransactionResult, submitted.Header.Transaction.NMVSTrxId
    )
    assert [
        (each.reqType, each.Pack.state, each.Pack.ReturnCode.code)
        for each in fetched.Body.TrxList.TrxItem
    ] == [
        ("G120", "INACTIVE", "NMVS_SUCCESS"),
        ("G121", "ACTIVE", "NMVS_SUCCESS"),
        (manual, "INACTIVE" if version == 2 else "ACTIVE", "NMVS_SUCCESS"),
    ]
    for service, ping in ((bulk, "PingBulk"), (mixed, "PingMixedBulk")):
        assert await asyncio.to_thread(service[ping], Input="a & b") == "a & b"
