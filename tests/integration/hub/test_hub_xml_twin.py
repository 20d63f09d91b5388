"""Every message in both forms: JSON and XML come to the same end."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from lxml import etree

from tests.integration.hub.stand import ADDRESS, CODE, Obp, StartStand, packs, product

NAMESPACE = "urn:emvs:hub:obp:v1"
XML = {"Content-Type": "application/xml", "Accept": "application/xml"}


def element(name: str, value: Any) -> etree._Element:
    made = etree.Element(f"{{{NAMESPACE}}}{name}")
    if isinstance(value, dict):
        for member, inner in value.items():
            for one in inner if isinstance(inner, list) else [inner]:
                if one is not None:
                    made.append(element(member, one))
    else:
        made.text = str(value)
    return made


def plain(document: etree._Element) -> dict[str, Any]:
    """Return an answer as text by name; a repeated element as a list."""
    told: dict[str, Any] = {}
    for one in document:
        name = etree.QName(one).localname
        value = plain(one) if len(one) else one.text or ""
        if name in told:
            known = told[name] if isinstance(told[name], list) else [told[name]]
            told[name] = [*known, value]
        else:
            told[name] = value
    return told


async def in_xml(obp: Obp, path: str, message: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Send a message as XML, or ask; return status and answer."""
    headers = {"Authorization": f"Bearer {obp.token}", **XML}
    body = None if message is None else etree.tostring(element(path.rpartition("/")[2], message))
    method = "GET" if message is None else "POST"
    url = f"{obp.url}/obp/v1/{path}"
    async with obp.http.request(method, url, data=body, headers=headers) as response:
        assert response.content_type in {"application/xml", "application/problem+xml"}
        return response.status, plain(etree.fromstring(await response.read()))


def spoiled(message: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    made = copy.deepcopy(message)
    change(made)
    return made


def holder(message: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = message["markets"][0]["marketingAuthorisationHolder"]
    return found


BATCH = {"productCode": CODE, "batchId": "LOT1"}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("PMDR", product("IE", "PL")),
    ("PMDR", spoiled(product("IE"), lambda m: m.update(commonName="", name="  ", strength=None))),
    ("PMDR", spoiled(product("IE"), lambda m: holder(m).update(street="", street2=None, city=" "))),
    ("PMDR", spoiled(product("IE", "IE", "XX"), lambda m: m.update(packSize=0, scheme="PPN"))),
    ("PMDR", product()),
    ("PPDC", packs(["S1", "S2", "S-3", "s<&>4"])),
    ("PPDC", packs(["S5", "S5", "bad serial", ""], batchId="LOT2")),
    ("PPDC", packs(["S6"], batchId="", expiry="301399", productVersion=9)),
    ("PPDM", packs(["S1", "S7"])),
    ("PPDM", packs(["S8"], expiry="311231", productCode="09506000134375")),
    ("PSUDC", BATCH | {"state": "Locked", "reason": "why", "serialNumbers": ["S1", "S9"]}),
    ("PSUDC", BATCH | {"state": "Gone", "serialNumbers": ["S1"]}),
    ("VBOP", BATCH | {"serialNumbers": ["S1", "S2"]}),
    ("RCBR", BATCH | {"reason": "glass", "markets": ["PL"]}),
    ("RCBR", BATCH | {"reason": "glass", "markets": ["PL", "DE"]}),
    ("WDPR", {"productCode": CODE, "reason": "sold no more", "markets": ["IE"]}),
]


async def test_both_forms_come_to_the_same_end(start_stand: StartStand) -> None:
    stand = await start_stand("IE", "PL")
    told: dict[str, list[Any]] = {"json": [], "xml": []}
    # Another product code for the second round, so that both meet the same hub.
    for form, code in (("json", CODE), ("xml", "09520000777777")):
        obp = stand.obp
        for message_type, members in CASES:
            named = {**members, "transactionId": obp.transaction_id(message_type)}
            if named["productCode"] == CODE:
                named["productCode"] = code
            if form == "xml":
                status, _ = await in_xml(obp, message_type, named)
            else:
                status, _, _ = await obp.post(message_type, named)
            assert status == 202, (form, message_type)
            ended = await obp.ended(named["transactionId"])
            markets = [
                [entry[name] for name in ("market", "status", "loadedCount", "refusedCount")]
                for entry in ended["markets"]
            ]
            remarks = str([ended["status"], ended["defects"], ended["warnings"], markets])
            told[form].append(remarks.replace(code, CODE))
    assert told["xml"] == told["json"]
    assert {remarks[2:6] for remarks in told["xml"]} == {"STDS", "STIV"}


async def test_answers_are_xml_where_that_is_wanted(start_stand: StartStand) -> None:
    stand = await start_stand("IE")
    obp = stand.obp
    sent = {**product("IE"), "transactionId": obp.transaction_id("PMDR")}
    status, answer = await in_xml(obp, "PMDR", sent)
    assert (status, answer["transactionId"]) == (202, sent["transactionId"])
    # The same message in the other form is the same message.
    assert (await obp.post("PMDR", sent))[1]["hubTransactionId"] == answer["hubTransactionId"]
    ended = await obp.ended(sent["transactionId"])
    _, same = await in_xml(obp, f"requests/{sent['transactionId']}")
    assert same["status"] == ended["status"]
    assert same["markets"]["status"] == "Distributed"
    status, problem = await in_xml(obp, "PPDC", {"transactionId": "x"})
    assert (status, problem["status"]) == (400, "400")
    account = {
        "transactionId": obp.transaction_id("ORGR"),
        "name": "Example Pharma",
        "address": ADDRESS,
    }
    status, answer = await in_xml(obp, "ORGR", account)
    assert (status, answer["address"]["city"]) == (200, "Dublin")
    report = {
        "transactionId": obp.transaction_id("RPRQ"),
        "reportType": "MARKET",
        "markets": ["IE"],
    }
    status, answer = await in_xml(obp, "RPRQ", report)
    assert (status, answer["reportType"]) == (202, "MARKET")
    subscription = {
        "transactionId": obp.transaction_id("SBPS"),
        "url": "http://127.0.0.1:9/notices",
    }
    status, answer = await in_xml(obp, "SBPS", subscription)
    assert (status, answer["isPrimary"]) == (201, "true")


WANTED = [
    ("*/*", "application/json"),
    ("application/xml;q=0.5, application/json", "application/json"),
    ("text/xml, */*", "application/xml"),
    ("application/xml;q=x", "application/json"),
]


async def test_json_is_the_default(start_stand: StartStand) -> None:
    stand = await start_stand()
    url = f"{stand.hub.url}/obp/v1/requests"
    for accept, form in WANTED:
        headers = {"Authorization": f"Bearer {stand.obp.token}", "Accept": accept}
        async with stand.http.get(url, headers=headers) as response:
            assert (response.status, response.content_type) == (200, form), accept
    async with stand.http.get(f"{stand.hub.url}/obp/v1/messages.xsd") as response:
        assert etree.XMLSchema(etree.fromstring(await response.read()))
