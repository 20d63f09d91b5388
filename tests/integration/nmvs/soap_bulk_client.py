"""Bulk and mixed bulk by SOAP: messages written here, every reply held against our schema."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from nmvs.soap.schema import compile_schemas
from tests.integration.nmvs.soap_raw_client import SOAP, Till

BULK_PATH = "/WS_BULK_TRANSACTIONS_V1/BulkServiceV50"
DONE_S_MAX = 60.0
_SCHEMAS = compile_schemas()


def client_login_id(kind: str, number: int) -> str:
    """Return the login id of a participant; version 2 has no longer ones than 20 signs."""
    return f"{kind.upper().rpartition('_')[2]}{number:05d}"


@dataclass
class PackResult:
    """What came of one pack."""

    serial: str
    state: str
    reasons: list[str]
    code: str
    alert_id: str | None
    req_type: str | None = None
    transaction: dict[str, str] = field(default_factory=dict)


@dataclass
class BulkReply:
    """A reply that fits the schema."""

    name: str
    code: str
    alert_id: str | None
    header: dict[str, str]
    description: str = ""
    product: dict[str, str] = field(default_factory=dict)
    packs: list[PackResult] = field(default_factory=list)
    tickets: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ticket(self) -> str:
        """The id that results are fetched by."""
        return self.header["NMVSTrxId"]

    @property
    def codes(self) -> list[str]:
        """Of the packs."""
        return [pack.code for pack in self.packs]


def _texts(element: Any) -> dict[str, str]:
    return {etree.QName(each).localname: each.text or "" for each in element.iter() if each.text}


def read_bulk_reply(body: bytes) -> BulkReply:
    """Return what a reply says; fail if it does not fit the schema."""
    (content,) = etree.fromstring(body).find(f"{SOAP}Body")  # type: ignore[union-attr]
    version = int(body[body.index(b"types.nmvs.eu:v") + 15 :][:1])
    types = f"{{urn:types.nmvs.eu:v{version}.0}}"
    assert _SCHEMAS[version].validate(content), _SCHEMAS[version].error_log
    header, answer = content
    (*_, code) = answer
    reply = BulkReply(
        etree.QName(content).localname,
        code.get(f"{types}code", "").removeprefix("NMVS_"),
        code.get(f"{types}alertId"),
        _texts(header),
        code.get(f"{types}desc", ""),
    )
    product = answer.find(f"{types}Product")
    if product is not None:
        reply.product = _texts(product)
    for pack in answer.iter(f"{types}Pack"):
        (*_, own) = pack
        result = PackResult(
            pack.get(f"{types}sn", ""),
            pack.get(f"{types}state", ""),
            [reason.text or "" for reason in pack.iter(f"{types}Reason")],
            own.get(f"{types}code", "").removeprefix("NMVS_"),
            own.get(f"{types}alertId"),
        )
        item = pack.getparent()
        if item is not None and etree.QName(item).localname == "TrxItem":
            result.req_type = item.get(f"{types}reqType")
            result.transaction = _texts(item[0])
        reply.packs.append(result)
    for name in ("BulkTransactionList", "MixedBulkTransactionList"):
        for tickets in answer.iter(f"{types}{name}"):
            reply.tickets[name] = [each.text or "" for each in tickets.iter(f"{types}NMVSTrxId")]
    return reply


@dataclass(frozen=True)
class BulkTill(Till):
    """A login that sends many packs at once."""

    kind: str = "wholesaler"

    def frame(self, name: str, body: str, **members: str) -> bytes:
        """Return a message with this content of its Body; "-" for no Body at all."""
        content = "" if body == "-" else f"<t:Body>{body}</t:Body>"
        return (
            '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
            f'<w:{name}Request xmlns:w="urn:wsdltypes.nmvs.eu:v{self.version}.0"'
            f' xmlns:t="urn:types.nmvs.eu:v{self.version}.0"><t:Header><t:Auth>'
            f"<t:ClientLoginId>{client_login_id(self.kind, self.number)}</t:ClientLoginId>"
            f"<t:UserId>USER{self.number:04d}</t:UserId>"
            f"<t:Password>{self.password or f'Demo-Pass-{self.number}'}</t:Password></t:Auth>"
            '<t:UserSoftware t:name="N" t:supplier="S" t:version="1"/><t:Transaction>'
            f"<t:ClientTrxId>{members.get('transaction', 'BULK-000001')}</t:ClientTrxId>"
            f"<t:Language>eng</t:Language></t:Transaction></t:Header>{content}"
            f"</w:{name}Request></s:Body></s:Envelope>"
        ).encode()

    def product(self, **members: str) -> str:
        """Return a product with its batch."""
        running = self.running
        return (
            f'<t:Product><t:ProductCode t:scheme="{members.get("scheme", "GTIN")}">'
            f"{members.get('code', running.product_code)}</t:ProductCode>"
            f"<t:Batch><t:Id>{members.get('batch', running.batch_id)}</t:Id>"
            f"<t:ExpDate>{members.get('expiry', running.expiry)}</t:ExpDate></t:Batch></t:Product>"
        )

    def bulk(self, name: str, serials: Sequence[str], **members: str) -> bytes:
        """Return a bulk request."""
        packs = "\n".join(f"<t:Pack t:sn={quoteattr(serial)}/>" for serial in serials)
        reference = members.get("reference")
        return self.frame(
            name,
            f"{self.product(**members)}<t:Packs>{packs}</t:Packs>"
            f"{f'<t:RefClientTrxId>{reference}</t:RefClientTrxId>' if reference else ''}",
            **members,
        )

    def item(self, req_type: str, serial: str, branch: str = "Item", **members: str) -> str:
        """Return an item of a mixed bulk."""
        product = self.product(**members)
        if "Man" in branch:
            start, end = product.index("<t:Batch>"), product.index("</t:Product>")
            product = product[:start] + product[end:]
        reference = members.get("reference")
        return (
            f'<t:TrxItem><t:{branch} t:reqType="{req_type}">{product}<t:Pack t:sn="{serial}"/>'
            f"<t:Transaction><t:ClientTrxId>{members.get('transaction', 'ITEM-000001')}"
            f"</t:ClientTrxId><t:Language>{members.get('language', 'deu')}</t:Language>"
            f"{f'<t:RefClientTrxId>{reference}</t:RefClientTrxId>' if reference else ''}"
            f"</t:Transaction></t:{branch}></t:TrxItem>"
        )

    def mixed(self, items: Sequence[str], **members: str) -> bytes:
        """Return a mixed bulk."""
        return self.frame("G195", f"<t:TrxList>{''.join(items)}</t:TrxList>", **members)

    async def post(self, message: bytes) -> BulkReply:
        """Send a message, return its reply."""
        url = f"{self.running.service}{BULK_PATH}"
        headers = {"Content-Type": "text/xml"}
        data = io.BytesIO(message)
        async with self.running.http.post(url, data=data, headers=headers) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "application/soap+xml; charset=utf-8"
            return read_bulk_reply(await response.read())

    async def submit(self, message: bytes) -> str:
        """Submit packs, return the ticket."""
        reply = await self.post(message)
        assert reply.code == "SUCCESS", reply
        assert not reply.packs
        return reply.ticket

    async def fetch(self, ticket: str, name: str = "G188") -> BulkReply:
        """Ask for a result once."""
        body = f"<t:RefNMVSTrxId>{ticket}</t:RefNMVSTrxId>"
        reply = await self.post(self.frame(name, body, transaction="FETCH-000001"))
        assert reply.name == f"{name}Response"
        return reply

    async def result(self, ticket: str, name: str = "G188") -> BulkReply:
        """Ask until the result is there."""
        async with asyncio.timeout(DONE_S_MAX):
            while (reply := await self.fetch(ticket, name)).code == "FE_TX_02":
                await asyncio.sleep(0.02)
        return reply

    async def done(self, name: str, serials: Sequence[str], **members: str) -> BulkReply:
        """Submit a bulk and return its result."""
        return await self.result(await self.submit(self.bulk(name, serials, **members)))

    async def done_mixed(self, items: Sequence[str], **members: str) -> BulkReply:
        """Submit a mixed bulk and return its result."""
        return await self.result(await self.submit(self.mixed(items, **members)), "G196")

    async def tickets(self, name: str = "G101") -> dict[str, list[str]]:
        """Return the open ones."""
        reply = await self.post(self.frame(name, "-"))
        assert (reply.name, reply.code) == (f"{name}Response", "SUCCESS")
        return reply.tickets


async def bulk_till(running: Any, kind: str = "wholesaler", number: int = 1) -> BulkTill:
    """Register a participant."""
    login = {
        "client_login_id": client_login_id(kind, number),
        "user_id": f"USER{number:04d}",
        "password": f"Demo-Pass-{number}",
    }
    await running.register(kind, number, soap=login)
    return BulkTill(running, number, kind)
