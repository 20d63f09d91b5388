"""Versions 2, 4 and 5 side by side: the same packs, each version's own messages."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import pytest
import pytest_asyncio
from lxml import etree

from emvs.infra.embedded_postgres import EmbeddedPostgres
from nmvs.soap.catalogue import SERVICES, VERSIONS, Endpoint, Shape
from nmvs.soap.codes import known_codes
from nmvs.soap.interface import INFERRED
from tests.integration.conftest import shared_system
from tests.integration.nmvs.soap_account_client import User, manage
from tests.integration.nmvs.soap_bulk_client import (
    BulkReply,
    BulkTill,
    bulk_till,
    client_login_id,
)
from tests.integration.nmvs.soap_definitions_client import Definitions, fetch_definitions
from tests.integration.nmvs.soap_raw_client import SoapReply, Till
from tests.integration.nmvs.test_soap_logins import put_terms
from tests.integration.running import RunningSystem, gtin

KIND: Final = "parallel_distributor"
"""Who may ask for everything."""


pytestmark = pytest.mark.asyncio(loop_scope="module")
_numbers: Final = itertools.count(1)
"""Of participants, and of products; no test meets another's."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(postgres: EmbeddedPostgres) -> AsyncIterator[RunningSystem]:
    async with shared_system(postgres.dsn("emvs"), "soap_versions") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def till(system: RunningSystem) -> BulkTill:
    number = next(_numbers)
    return await bulk_till(replace(system, product_code=gtin(number)), KIND, number)


def body_of(till: BulkTill, shape: Shape, serial: str, ticket: str) -> str:
    """Return the content of a request's Body; "-" for none."""
    pack = f'<t:Pack t:sn="{serial}"/>'
    product = till.product()
    manual = product[: product.index("<t:Batch>")] + "</t:Product>"
    item = till.item("G110", serial)
    return {
        Shape.PACK: f"{product}{pack}",
        Shape.UNDO: f"{product}{pack}",
        Shape.MANUAL: f"{manual}{pack}",
        Shape.UNDO_MANUAL: f"{manual}{pack}",
        Shape.BULK: f'{product}<t:Packs>{pack}<t:Pack t:sn="UNKNOWN"/></t:Packs>',
        Shape.BULK_UNDO: f"{product}<t:Packs>{pack}</t:Packs>",
        Shape.BULK_RESULT: f"<t:RefNMVSTrxId>{ticket}</t:RefNMVSTrxId>",
        Shape.MIXED: f"<t:TrxList>{item}{till.item('G122', 'UNKNOWN', 'ItemMan')}</t:TrxList>",
        Shape.MIXED_RESULT: f"<t:RefNMVSTrxId>{ticket}</t:RefNMVSTrxId>",
        Shape.TICKETS: "-",
        Shape.CHANGE_PASSWORD: "<t:Password>Not-Mine-1</t:Password>"
        "<t:NewPassword>New-Pass-12</t:NewPassword>",
        Shape.LOAD_TERMS: "-",
        Shape.CONFIRM_TERMS: "<t:Version>9</t:Version>",
        Shape.CERTIFICATE: "<t:Tan>NO-SUCH-TAN</t:Tan>",
        Shape.MASTER_DATA: "<t:ProductCodeList/>",
        Shape.TEST_DATA: "<t:Count>2</t:Count>",
    }[shape]


def expected_codes(endpoint: Endpoint) -> set[str]:
    """Return the codes that a request by itself may get whose login is good."""
    if endpoint.row.shape in (Shape.UNDO, Shape.UNDO_MANUAL):
        return {"NC_PCK_29" if endpoint.version.has_silent_twins else "NC_PCK_06"}
    return {
        Shape.BULK_RESULT: {"FE_TX_02"},
        Shape.MIXED_RESULT: {"FE_TX_02"},
        Shape.CHANGE_PASSWORD: {"FE_AU_10"},
        Shape.LOAD_TERMS: {"NC_PMS_24"},
        Shape.CONFIRM_TERMS: {"NC_PMS_24"},
        Shape.CERTIFICATE: {"FE_PKI_07"},
    }.get(endpoint.row.shape, {"SUCCESS"})


async def send(till: Till, definitions: Definitions, message: bytes) -> tuple[str, str]:
    """Send a message; return element and code of the reply, which fits what is served."""
    async with till.running.http.post(f"{till.running.service}/WS_X", data=message) as response:
        assert response.status == 200
        content = definitions.content(await response.read())
    code = next((each for each in content.iter("{*}ReturnCode")), None)
    name = etree.QName(content).localname
    if code is None:
        return name, ""
    text = code.get(f"{{{etree.QName(code).namespace}}}code") or ""
    return name, text.removeprefix("NMVS_")


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_operation_is_answered_as_its_own_definitions_say(
    till: BulkTill, version: int
) -> None:
    serials = iter(await till.running.load_packs(60))
    till = till.at(version=version)
    described = {
        service: await fetch_definitions(
            till.running.http, f"{till.running.service}{service.path(VERSIONS[version])}"
        )
        for service in SERVICES.values()
    }
    seen = set()
    for endpoint in INFERRED.endpoints.values():
        row, shape = endpoint.row, endpoint.row.shape
        if endpoint.version.number != version:
            continue
        definitions = described[row.service]
        seen.add(row.name)
        if shape is Shape.PING:
            await check_ping(till, definitions, endpoint)
            continue
        name = endpoint.response_name
        body = body_of(till, shape, next(serials), 32 * "0")
        message = till.frame(row.name, body)
        got = await send(till, definitions, message)
        assert got[0] == name
        assert got[1] in expected_codes(endpoint), got
        for old, new, code in (
            (client_login_id(KIND, till.number).encode(), b"DISTRIBUTOR99999", "FE_AU_01"),
            (b"<t:Language>eng", b"<t:Language>en", "TE_XM_02"),
            (b"<t:Language>eng", b"<t:Language>&eng", "TE_XM_01"),
        ):
            wrong = message.replace(old, new)
            assert await send(till, definitions, wrong) == (name, code)
    assert seen == {row.name for row in INFERRED.operations if version in row.version_numbers}


@pytest.mark.parametrize("version", VERSIONS)
async def test_accounts_and_results_are_answered_as_their_own_definitions_say(
    till: BulkTill, version: int
) -> None:
    running, till = till.running, till.at(version=version)
    (serial,) = await running.load_packs(1)
    await put_terms(User(running), 7, starts_in_d=-1, days=20)
    client = client_login_id(KIND, till.number)
    issued = await manage(
        running, "POST", "/certificates", 201, client_login_id=client, kind="good"
    )
    bulk = await till.submit(till.bulk("G125", [serial, "UNKNOWN"]))
    wrong = await till.submit(till.bulk("G125", [serial], batch="NO-SUCH"))
    items = [till.item("G110", serial), till.item("G122", "UNKNOWN", "ItemMan")]
    mixed = await till.submit(till.mixed(items))
    for ticket, name in ((bulk, "G188"), (wrong, "G188"), (mixed, "G196")):
        await till.result(ticket, name)
    password = (
        f"<t:Password>Demo-Pass-{till.number}</t:Password>"
        "<t:NewPassword>New-Pass-12</t:NewPassword>"
    )
    for service, name, body, code, held in (
        ("bulk", "G101", "-", "SUCCESS", "BulkTransactionList"),
        ("bulk", "G188", f"<t:RefNMVSTrxId>{bulk}</t:RefNMVSTrxId>", "SUCCESS", "ReqType"),
        ("bulk", "G188", f"<t:RefNMVSTrxId>{wrong}</t:RefNMVSTrxId>", "FE_LOT_03", "ReturnCode"),
        ("mixed", "G196", f"<t:RefNMVSTrxId>{mixed}</t:RefNMVSTrxId>", "SUCCESS", "TrxItem"),
        ("support", "G482", "-", "SUCCESS", "TermsAndConditions"),
        ("support", "G483", "<t:Version>7</t:Version>", "SUCCESS", "Notification"),
        ("pki", "G615", f"<t:Tan>{issued['tan']}</t:Tan>", "SUCCESS", "Cert"),
        ("support", "G445", password, "SUCCESS", "ReturnCode"),
        ("support", "G482", "-", "SUCCESS", "Notification"),  # The former password still works.
    ):
        url = f"{running.service}{SERVICES[service].path(VERSIONS[version])}"
        definitions = await fetch_definitions(running.http, url)
        async with running.http.post(url, data=till.frame(name, body)) as response:
            content = definitions.content(await response.read())
        own = f"{{{content[1][-1].nsmap['ns1']}}}"
        assert content[1][-1].get(f"{own}code") == f"NMVS_{code}", name
        assert next(content.iter(f"{own}{held}"), None) is not None, (name, held)
    await manage(running, "DELETE", "/terms/7")


async def check_ping(till: BulkTill, definitions: Definitions, endpoint: Endpoint) -> None:
    """A ping comes back; what is no ping is told by a fault."""
    elements, types = endpoint.version.elements_namespace, endpoint.version.types_namespace
    for text, name, code in (
        ("a &amp; b", endpoint.response_name, ""),
        (101 * "x", "ReturnCode", "TE_XM_02"),
    ):
        message = (
            '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
            f'<{endpoint.row.name}Request xmlns="{elements}"><Input xmlns="{types}">{text}</Input>'
            f"</{endpoint.row.name}Request></s:Body></s:Envelope>"
        )
        assert await send(till, definitions, message.encode()) == (name, code)


# One pack's life: who asks what, with which members, then the code in versions 2, 4 and 5, whether
# it alerts, and the state that is told.
LIFE: Final = [
    (1, "G110", {}, "SUCCESS SUCCESS SUCCESS", False, "ACTIVE"),
    (1, "G110", {"batch": "LOT2"}, "ERROR FE_LOT_13 FE_LOT_13", True, "UNKNOWN"),
    (1, "G110", {"expiry": "301130"}, "ERROR FE_LOT_12 FE_LOT_12", True, "UNKNOWN"),
    (1, "G121", {}, "NC_PCK_06 NC_PCK_06 NC_PCK_29", False, "ACTIVE"),
    (1, "G122", {}, "SUCCESS SUCCESS SUCCESS", False, "SUPPLIED"),
    (1, "G120", {}, "NC_PCK_23 NC_PCK_23 NC_PCK_23", False, "SUPPLIED"),
    (2, "G120", {}, "NC_PCK_22 NC_PCK_22 NC_PCK_22", True, "SUPPLIED"),
    (2, "G121", {}, "NC_PCK_21 NC_PCK_21 NC_PCK_21", False, "SUPPLIED"),
    (1, "G151", {}, "NC_PCK_06 NC_PCK_06 NC_PCK_06", True, "SUPPLIED"),
    (1, "G121", {"reference": "ANOTHER-1"}, "FE_TX_05 FE_TX_05 FE_TX_05", False, "SUPPLIED"),
    (1, "G121", {}, "SUCCESS SUCCESS SUCCESS", False, "ACTIVE"),
    (1, "G170", {}, "SUCCESS SUCCESS SUCCESS", False, "LOCKED"),
    (1, "G171", {}, "SUCCESS SUCCESS SUCCESS", False, "ACTIVE"),
    (1, "G130", {}, "SUCCESS SUCCESS SUCCESS", False, "DESTROYED"),
    (1, "G131", {}, "NC_PCK_06 TE_XM_02 TE_XM_02", False, "DESTROYED"),
    (1, "G182", {}, "NC_PCK_22 NC_PCK_22 NC_PCK_22", True, "DESTROYED"),
    (1, "G110", {}, "SUCCESS SUCCESS SUCCESS", False, "DESTROYED"),
]


def state_of(reply: SoapReply) -> str | None:
    return reply.reasons[0] if reply.reasons else reply.state


async def test_the_same_calls_have_the_same_effect_in_every_version(till: BulkTill) -> None:
    running = till.running
    tills = [till, await bulk_till(running, KIND, next(_numbers))]
    serials = await running.load_packs(len(VERSIONS))
    await running.load_packs(1, batch_id="LOT2")
    for version, serial, at in zip(VERSIONS, serials, range(len(VERSIONS)), strict=True):
        for who, name, members, codes, alerts, state in LIFE:
            asking = tills[who - 1].at(version=version)
            reply = await single(asking, name, serial, **members)
            step = (version, name, members)
            assert reply.code == codes.split()[at], step
            assert (reply.alert_id is not None) == (alerts and version > 2), step
            if reply.state is not None:
                assert state_of(reply) == state, step
    alerts = [
        alert
        for alert in (await running.ask_management("/alerts"))["alerts"]
        if running.product_code in str(alert)
    ]
    raised = len([row for row in LIFE if row[4]])
    assert len(alerts) == raised * len(VERSIONS)  # Version 2 raises them, too.
    for serial in serials:
        for version in VERSIONS:
            reply = await single(tills[0].at(version=version), "G110", serial)
            assert (reply.code, reply.reasons) == ("SUCCESS", ["DESTROYED"])


async def single(till: BulkTill, name: str, serial: str, **members: str) -> SoapReply:
    """Ask about one pack."""
    product = till.product(**members)
    if name in ("G122", "G182"):
        product = product[: product.index("<t:Batch>")] + "</t:Product>"
    reference = members.get("reference")
    body = f'{product}<t:Pack t:sn="{serial}"/>'
    if reference:
        body += f"<t:RefClientTrxId>{reference}</t:RefClientTrxId>"
    return await till.send(till.frame(name, body))


async def test_a_bulk_may_be_fetched_in_another_version(till: BulkTill) -> None:
    serials = await till.running.load_packs(3)
    old, new = till.at(version=2), till.at(version=5)
    items = [
        old.item("G130", serials[0], transaction="1"),
        old.item("G131", serials[0], transaction="2", reference="1"),
        old.item("G122", serials[1], "ItemMan", transaction="3"),
        old.item("G110", "NOBODY", transaction="4"),
    ]
    mixed = await old.submit(old.mixed(items, transaction="7"))
    undo = await old.submit(old.bulk("G137", serials[2:], transaction="8"))
    newest = await new.submit(new.mixed([new.item("G110", "S1", code="ABC"), *two_undos(new)]))
    askers = (old, till.at(version=4), new)
    for asking in askers:
        assert sum(map(len, (await asking.tickets()).values())) == 3
    for asking in askers:
        reply = await asking.result(mixed, "G196")
        assert [pack.req_type for pack in reply.packs] == ["G130", "G131", "G122", "G110"]
        assert [pack.transaction["ClientTrxId"] for pack in reply.packs] == ["1", "2", "3", "4"]
        twin = "NC_PCK_29" if asking.version == 5 else "NC_PCK_06"
        assert reply.codes == ["SUCCESS", twin, "SUCCESS", "NC_PC_02"]
        has_alert_ids = [pack.alert_id is not None for pack in reply.packs]
        assert has_alert_ids == [False, False, False, asking.version > 2]
        undone = await asking.result(undo)
        assert (undone.header["ReqType"], undone.codes) == ("G137", [twin])
        of_newest = await asking.result(newest, "G196")
        assert [pack.req_type for pack in of_newest.packs] == ["G110", "G121", "G123"]
        assert of_newest.codes[0] == "FE_GR_01"


def two_undos(till: BulkTill) -> list[str]:
    return [
        till.item("G121", "NOBODY", "ItemUndo"),
        till.item("G123", "NOBODY", "ItemManUndo"),
    ]


@pytest.mark.parametrize("count", [3, 6_000])
async def test_the_same_pack_twice_is_a_matter_of_the_schema_in_version_2(
    till: BulkTill, count: int
) -> None:
    serials = [f"S{number}" for number in range(count)]
    replies: list[BulkReply] = [
        await till.at(version=version).post(
            till.at(version=version).bulk("G125", [*serials, serials[1]])
        )
        for version in (2, 4, 5)
    ]
    assert [reply.code for reply in replies] == ["TE_XM_02", "FE_SN_01", "FE_SN_01"]
    assert "'Pack': the same sn is there twice" in replies[0].description


async def test_codes_that_version_2_lacks_are_told_in_the_description(till: BulkTill) -> None:
    (serial,) = await till.running.load_packs(1)
    bulk = await till.at(version=2).post(till.at(version=2).bulk("G125", [serial], expiry="301130"))
    result = await till.at(version=2).result(bulk.ticket)
    assert (result.code, result.alert_id) == ("ERROR", None)
    assert result.description == "NMVS_FE_LOT_12: The expiry date differs from the stored one"
    assert "FE_LOT_12" not in known_codes(2)
    assert (await till.at(version=4).result(bulk.ticket)).code == "FE_LOT_12"


async def test_paths_of_version_2_do_not_choose_the_version(till: BulkTill) -> None:
    for number in (10, 20, 40, 50):
        for version in VERSIONS:
            message = till.at(version=version).frame("G101", "-")
            url = f"{till.running.service}/WS_BULK_TRANSACTIONS_V1/BulkServiceV{number}"
            async with till.running.http.post(url, data=message) as response:
                assert b"urn:wsdltypes.nmvs.eu:v%d.0" % version in await response.read()


async def test_all_versions_at_once_on_one_pack_have_one_winner(till: BulkTill) -> None:
    (serial,) = await till.running.load_packs(1)
    other = await bulk_till(till.running, KIND, next(_numbers))
    asked = [
        single(each.at(version=version), "G130", serial)
        for version in VERSIONS
        for each in (till, other)
    ]
    codes = [reply.code for reply in await asyncio.gather(*asked)]
    assert codes.count("SUCCESS") == 1
    assert set(codes) <= {"SUCCESS", "NC_PCK_22", "NC_PCK_23"}
