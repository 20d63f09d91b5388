"""Bulk and mixed bulk by SOAP in a running national system, as deployed clients use them."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from nmvs.soap.catalogue import VERSIONS
from tests.integration.conftest import StartSystem
from tests.integration.nmvs.soap_bulk_client import BulkTill, bulk_till
from tests.integration.running import RunningSystem, gtin

OPERATIONS = [
    ("G125", "G127", "SUPPLIED"),
    ("G145", "G147", "EXPORTED"),
    ("G155", "G157", "SAMPLE"),
    ("G165", "G167", "FREESAMPLE"),
    ("G175", "G177", "LOCKED"),
    ("G135", None, "DESTROYED"),
    ("G185", None, "STOLEN"),
]


@pytest.fixture
async def till(national_system: RunningSystem) -> BulkTill:
    """A parallel distributor's, who may do everything."""
    return await bulk_till(national_system, "parallel_distributor")


async def test_a_bulk_is_accepted_and_fetched_by_its_ticket(till: BulkTill) -> None:
    (first,) = await till.running.load_packs(1)
    other_batch = (await till.running.load_packs(1, batch_id="LOT2"))[0]
    reply = await till.post(till.bulk("G115", [first, "NOT-THERE", other_batch]))
    assert (reply.name, reply.code, reply.description) == (
        "G115Response",
        "SUCCESS",
        "Successfully processed.",
    )
    assert reply.header["ClientTrxId"] == "BULK-000001"
    result = await till.result(reply.ticket)
    assert (result.name, result.code) == ("G188Response", "SUCCESS")
    assert list(result.header)[-4:] == ["ClientTrxId", "NMVSTrxId", "Timestamp", "ReqType"]
    assert result.header["ReqType"] == "G115"
    assert result.header["ClientTrxId"] == "FETCH-000001"
    assert result.ticket != reply.ticket
    assert result.product == {
        "ProductCode": till.running.product_code,
        "IntermarketFlag": "false",
        "NHRN": "280012345678",
        "Id": "LOT1",
        "ExpDate": "301231",
        "ExpDateNMVS": "2030-12-31",
    }
    assert [(pack.serial, pack.state, pack.code) for pack in result.packs] == [
        (first, "ACTIVE", "SUCCESS"),
        ("NOT-THERE", "UNKNOWN", "NC_PC_02"),
        (other_batch, "UNKNOWN", "FE_LOT_13"),
    ]
    assert [pack.alert_id is not None for pack in result.packs] == [False, True, True]
    assert (await till.fetch(reply.ticket)).codes == result.codes  # As often as wanted.


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_bulk_operation_and_its_undo(till: BulkTill, version: int) -> None:
    till = till.at(version=version)
    serials = await till.running.load_packs(2 * len(OPERATIONS))
    for name, undo, reason in OPERATIONS:
        own, serials = serials[:2], serials[2:]
        done = await till.done(name, own, transaction=f"DO-{name}-0001")
        assert done.header["ReqType"] == name
        assert [(pack.state, pack.reasons, pack.code) for pack in done.packs] == [
            ("INACTIVE", [reason], "SUCCESS")
        ] * 2
        if undo:
            wrong = await till.done(undo, own[:1], reference="NOT-THE-ONE")
            assert (wrong.code, wrong.codes) == ("SUCCESS", ["FE_TX_05"])
            undone = await till.done(undo, own[:1], reference=f"DO-{name}-0001")
            undone.packs += (await till.done(undo, own[1:])).packs
            assert [(pack.state, pack.reasons, pack.code) for pack in undone.packs] == [
                ("ACTIVE", [], "SUCCESS")
            ] * 2
    twin = "NC_PCK_29" if version == 5 else "NC_PCK_06"
    again = await till.done("G127", [serials[0]]) if serials else None
    assert again is None or again.codes == [twin]


async def test_the_same_pack_twice_is_refused_at_once(till: BulkTill) -> None:
    first, second = await till.running.load_packs(2)
    reply = await till.post(till.bulk("G125", [first, second, first]))
    assert (reply.name, reply.code, reply.alert_id) == ("G125Response", "FE_SN_01", None)
    assert (await till.fetch(reply.ticket)).code == "FE_TX_02"
    assert (await till.done("G115", [first])).packs[0].state == "ACTIVE"


async def test_wrong_common_data_are_one_error_without_a_list(till: BulkTill) -> None:
    (serial,) = await till.running.load_packs(1)
    for members, code, alerts in (
        ({"code": gtin(4711)}, "NC_PC_01", False),
        ({"batch": "NO-SUCH"}, "FE_LOT_03", True),
        ({"expiry": "301130"}, "FE_LOT_12", True),
    ):
        result = await till.done("G125", [serial, "X"], **members)
        assert (result.code, result.packs, result.product) == (code, [], {})
        assert (result.alert_id is not None) == alerts
        assert result.header["ReqType"] == "G125"
    for members, code in (
        ({"code": "09506000134377"}, "FE_GR_01"),
        ({"expiry": "300231"}, "FE_LOT_07"),
    ):
        reply = await till.post(till.bulk("G125", [serial], **members))
        assert (reply.name, reply.code) == ("G125Response", code)
    alerts_raised = (await till.running.ask_management("/alerts"))["alerts"]
    assert [alert["code"] for alert in alerts_raised] == ["A2", "A52"]
    assert (await till.done("G115", [serial])).packs[0].state == "ACTIVE"


async def test_results_are_the_submitters_own_and_listed_until_fetched(
    start_system: StartSystem,
) -> None:
    running = await start_system("IE", bulk={"results_after_s": 60})
    till = await bulk_till(running)
    other = await bulk_till(running, "wholesaler", 2)
    (serial,) = await running.load_packs(1)
    bulk = await till.submit(till.bulk("G115", [serial], transaction="OWN-BULK-1"))
    mixed = await till.submit(till.mixed([till.item("G110", serial)]))
    not_ready = await till.fetch(bulk)
    assert (not_ready.code, not_ready.packs) == ("FE_TX_02", [])
    assert "ReqType" not in not_ready.header
    lists = {"BulkTransactionList": [bulk], "MixedBulkTransactionList": [mixed]}
    assert await till.tickets() == lists
    assert await other.tickets() == {"BulkTransactionList": [], "MixedBulkTransactionList": []}
    await running.advance_clock(60)
    assert (await till.result(bulk)).codes == ["SUCCESS"]
    assert (await till.result(mixed, "G196")).codes == ["SUCCESS"]
    for asker, ticket, name in (
        (other, bulk, "G188"),
        (other, mixed, "G196"),
        (till, bulk, "G196"),
        (till, mixed, "G188"),
        (till, "0" * 32, "G188"),
        (till, "-" * 32, "G196"),
    ):
        assert (await asker.fetch(ticket, name)).code == "FE_TX_02"
    assert await till.tickets() == {"BulkTransactionList": [], "MixedBulkTransactionList": []}
    await running.advance_clock(31 * 86_400)
    assert (await till.fetch(bulk)).code == "FE_TX_02"


async def test_a_mixed_bulk_replays_what_was_kept(till: BulkTill) -> None:
    serials = await till.running.load_packs(8)
    items = [
        till.item("G120", serials[0], transaction="ITEM-000100"),
        till.item("G121", serials[0], "ItemUndo", reference="ITEM-000100"),
        till.item("G120", serials[0], language="fra"),
        till.item("G121", serials[0], reference="ITEM-000999"),  # As some software has it.
        till.item("G112", serials[1], "ItemMan"),
        till.item("G132", serials[1], "ItemMan"),
        till.item("G172", serials[2], "ItemMan"),
        till.item("G173", serials[2], "ItemManUndo"),
        till.item("G110", "NOT-THERE"),
        till.item("G110", serials[3], code=gtin(4711)),
        till.item("G110", serials[3], code="09506000134377"),
        till.item("G110", serials[3], expiry="300231"),
        till.item("G180", serials[3]),
    ]
    result = await till.done_mixed(items)
    assert (result.name, result.code) == ("G196Response", "SUCCESS")
    assert "ReqType" not in result.header
    assert [(each.req_type, each.state, each.reasons, each.code) for each in result.packs] == [
        ("G120", "INACTIVE", ["SUPPLIED"], "SUCCESS"),
        ("G121", "ACTIVE", [], "SUCCESS"),
        ("G120", "INACTIVE", ["SUPPLIED"], "SUCCESS"),
        ("G121", "INACTIVE", ["SUPPLIED"], "FE_TX_05"),
        ("G112", "ACTIVE", [], "SUCCESS"),
        ("G132", "INACTIVE", ["DESTROYED"], "SUCCESS"),
        ("G172", "INACTIVE", ["LOCKED"], "SUCCESS"),
        ("G173", "ACTIVE", [], "SUCCESS"),
        ("G110", "UNKNOWN", [], "NC_PC_02"),
        ("G110", "UNKNOWN", [], "NC_PC_01"),
        ("G110", "UNKNOWN", [], "FE_GR_01"),
        ("G110", "UNKNOWN", [], "FE_LOT_07"),
        ("G180", "INACTIVE", ["STOLEN"], "SUCCESS"),
    ]
    first, third = result.packs[0].transaction, result.packs[2].transaction
    assert list(first) == ["Language", "ClientTrxId", "NMVSTrxId", "Timestamp"]
    assert (first["Language"], first["ClientTrxId"]) == ("deu", "ITEM-000100")
    assert third["Language"] == "fra"
    ids = {each.transaction["NMVSTrxId"] for each in result.packs}
    assert len(ids) == len(items)
    trail = await till.running.ask_management(
        "/trail", product_code=till.running.product_code, serial=serials[0]
    )
    assert [entry["dialect"] for entry in trail["entries"]] == ["soap-mixed"] * 4


async def test_who_may_not_is_refused_before_anything_is_done(
    national_system: RunningSystem,
) -> None:
    till = await bulk_till(national_system, "pharmacy")
    (serial,) = await national_system.load_packs(1)
    reply = await till.post(till.bulk("G145", [serial]))
    assert (reply.name, reply.code) == ("G145Response", "FE_AU_15")
    # Of a mixed bulk each item is judged by itself.
    result = await till.done_mixed([till.item("G140", serial), till.item("G120", serial)])
    assert result.codes == ["FE_AU_15", "SUCCESS"]
    wrong = till.at(password="Wrong-Pass-1")
    for message in (
        wrong.bulk("G115", [serial]),
        wrong.mixed([wrong.item("G110", serial)]),
        wrong.frame("G101", "-"),
    ):
        reply = await till.post(message)
        assert (reply.code, reply.packs) == ("FE_AU_01", [])


async def test_too_much_is_too_much(start_system: StartSystem) -> None:
    running = await start_system(
        "IE",
        bulk={"items_per_organisation_max": 5, "results_after_s": 60},
        soap={"bulk_packs_max": 4},
    )
    till = await bulk_till(running)
    other = await bulk_till(running, "wholesaler", 2)
    serials = await running.load_packs(5)
    assert (await till.post(till.bulk("G115", serials))).code == "FE_TX_07"
    ticket = await till.submit(till.bulk("G115", serials[:4]))
    assert (await till.post(till.bulk("G115", serials[:2]))).code == "FE_TX_07"
    items = [till.item("G110", serial) for serial in serials[:2]]
    assert (await till.post(till.mixed(items))).code == "FE_TX_07"
    assert (await till.post(till.bulk("G115", serials[:1]))).code == "SUCCESS"
    assert (await other.post(other.bulk("G115", serials[:4]))).code == "SUCCESS"
    await running.advance_clock(60)
    assert (await till.result(ticket)).codes == ["SUCCESS"] * 4


async def test_open_names_can_be_set(start_system: StartSystem) -> None:
    running = await start_system(
        "IE", soap={"ticket_list": "G189", "manual_undo_item": "ItemUndoMan"}
    )
    till = await bulk_till(running)
    (serial,) = await running.load_packs(1)
    body = till.frame("G189", "-")
    url = f"{running.service}/WS_BULK_TRANSACTIONS_V1/BulkServiceV50"
    async with running.http.post(url, data=body) as response:
        assert b"<ns2:G189Response>" in await response.read()
    async with running.http.get(f"{url}?wsdl") as response:
        assert 'operation name="G189RequestBulkIds"' in await response.text()
    refused = await till.post(till.mixed([till.item("G123", serial, "ItemManUndo")]))
    assert (refused.code, "ItemManUndo" in refused.description) == ("TE_XM_02", True)
    done = await till.done_mixed([till.item("G123", serial, "ItemUndoMan")])
    assert done.codes == ["NC_PCK_29"]


async def test_tickets_are_the_clients_that_got_them(start_system: StartSystem) -> None:
    running = await start_system("IE")
    tills = []
    for number in (1, 2):
        login = {
            "client_login_id": f"WHOLESALER{number:05d}",
            "user_id": f"USER{number:04d}",
            "password": f"Demo-Pass-{number}",
        }
        await running.register("wholesaler", number, soap=login, organisation="Chain")
        tills.append(BulkTill(running, number, "wholesaler"))
    (serial,) = await running.load_packs(1)
    first, second = tills
    ticket = await first.submit(first.bulk("G115", [serial]))
    mixed = await first.submit(first.mixed([first.item("G110", serial)]))
    own = await second.submit(second.bulk("G115", [serial]))
    assert (await first.result(ticket)).codes == ["SUCCESS"]
    assert (await second.fetch(ticket)).code == "FE_TX_02"
    assert (await second.fetch(mixed, "G196")).code == "FE_TX_02"
    assert await second.tickets() == {
        "BulkTransactionList": [own],
        "MixedBulkTransactionList": [],
    }
    # Another user of the same client may.
    other = {"client_login_id": "WHOLESALER00001", "user_id": "USER0009", "password": "Demo-Pass-9"}
    await running.register("wholesaler", 1, soap=other, rest=None, organisation="Chain")
    message = first.frame("G196", f"<t:RefNMVSTrxId>{mixed}</t:RefNMVSTrxId>")
    message = message.replace(b"USER0001", b"USER0009").replace(b"Demo-Pass-1", b"Demo-Pass-9")
    assert (await first.post(message)).code in {"SUCCESS", "FE_TX_02"}
    assert (await first.result(mixed, "G196")).codes == ["SUCCESS"]


async def test_results_that_cannot_be_read_now_are_told_so(
    start_system: StartSystem, dsn: str, schema_name: str
) -> None:
    running = await start_system("IE")
    till = await bulk_till(running)
    serials = await running.load_packs(600)  # More than a slice: sent in pieces.
    ticket = await till.submit(till.bulk("G115", serials))
    await till.result(ticket)
    other, watcher = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        async with other.transaction():
            await other.execute(f'lock table "{schema_name}_ie".bulk_slice')
            fetch = asyncio.create_task(till.fetch(ticket))
            while not await watcher.fetchval(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                " where wait_event_type = 'Lock' and query like 'select items, results%'"
            ):
                await asyncio.sleep(0.01)
            assert (await fetch).code == "TE_REQ_01"
    finally:
        await other.close()
        await watcher.close()
    assert len((await till.fetch(ticket)).packs) == 600
