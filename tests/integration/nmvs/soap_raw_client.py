"""A SOAP client that writes its messages itself and holds every reply against our schema."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import aiohttp
from lxml import etree

from nmvs.soap.schema import compile_schemas
from tests.integration.running import RunningSystem

SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
PATH = "/WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV40"
_SCHEMAS = compile_schemas()


@dataclass
class SoapReply:
    """What came back, already found to fit the schema."""

    name: str
    """Local name of the outermost element; "Fault" for a fault."""
    code: str
    """Without the common prefix."""
    alert_id: str | None = None
    state: str | None = None
    reasons: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    """Texts of all other elements by local name."""
    notifications: list[tuple[str, str]] = field(default_factory=list)
    """Codes without the common prefix, and descriptions."""
    cert_name: str = ""
    passphrase: str = ""


def read_reply(body: bytes) -> SoapReply:
    """Return what a reply says; fail if it does not fit the schema."""
    assert body.startswith(b'<soap:Envelope xmlns:soap="'), body
    (content,) = etree.fromstring(body).find(f"{SOAP}Body")  # type: ignore[union-attr]
    version = int(body[body.index(b"types.nmvs.eu:v") + 15 :][:1])
    types = f"{{urn:types.nmvs.eu:v{version}.0}}"
    if content.tag != f"{SOAP}Fault":
        assert _SCHEMAS[version].validate(content), _SCHEMAS[version].error_log
    reply = SoapReply(etree.QName(content).localname, "")
    for element in content.iter():
        name = etree.QName(element).localname
        if name == "ReturnCode":
            reply.code = element.attrib[f"{types}code"].removeprefix("NMVS_")
            assert element.get(f"{types}desc")
            reply.alert_id = element.get(f"{types}alertId")
        elif name == "Cert":
            reply.cert_name = element.attrib[f"{types}name"]
            reply.passphrase = element.attrib[f"{types}passphrase"]
            reply.texts[name] = element.text or ""
        elif name == "Pack":
            reply.state = element.get(f"{types}state")
        elif name == "Notification":
            code = element.attrib[f"{types}notificationCode"].removeprefix("NMVS_")
            reply.notifications.append((code, element.attrib[f"{types}notificationDesc"]))
        elif name == "Reason":
            reply.reasons.append(element.text or "")
        elif element.text:
            reply.texts[name] = element.text
    return reply


@dataclass(frozen=True)
class Till:
    """One login at one market, in one interface version."""

    running: RunningSystem
    number: int = 1
    kind: str = "pharmacy"
    version: int = 5
    password: str = ""

    def at(self, **members: Any) -> Till:
        """Return the same with other members."""
        return replace(self, **members)

    def message(self, name: str, serial: str, **members: str) -> bytes:
        """Return a request. Members: code, scheme, batch, expiry, reference, transaction."""
        running = self.running
        manual = name[-1] in "23" and name[-2] in "12348"
        batch = (
            f"<t:Batch><t:Id>{escape(members.get('batch', running.batch_id))}</t:Id>"
            f"<t:ExpDate>{members.get('expiry', running.expiry)}</t:ExpDate></t:Batch>"
        )
        reference = members.get("reference")
        return (
            '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
            f'<w:{name}Request xmlns:w="urn:wsdltypes.nmvs.eu:v{self.version}.0"'
            f' xmlns:t="urn:types.nmvs.eu:v{self.version}.0"><t:Header><t:Auth>'
            f"<t:ClientLoginId>{self.kind.upper()}{self.number:05d}</t:ClientLoginId>"
            f"<t:UserId>USER{self.number:04d}</t:UserId>"
            f"<t:Password>{self.password or f'Demo-Pass-{self.number}'}</t:Password></t:Auth>"
            '<t:UserSoftware t:name="N" t:supplier="S" t:version="1"/><t:Transaction>'
            f"<t:ClientTrxId>{members.get('transaction', 'SALE-000001')}</t:ClientTrxId>"
            "<t:Language>eng</t:Language></t:Transaction></t:Header><t:Body><t:Product>"
            f'<t:ProductCode t:scheme="{members.get("scheme", "GTIN")}">'
            f"{members.get('code', running.product_code)}</t:ProductCode>"
            f"{'' if manual else batch}</t:Product><t:Pack t:sn={quoteattr(serial)}/>"
            f"{f'<t:RefClientTrxId>{reference}</t:RefClientTrxId>' if reference else ''}"
            f"</t:Body></w:{name}Request></s:Body></s:Envelope>"
        ).encode()

    async def ask(self, name: str, serial: str, **members: str) -> SoapReply:
        """Send a request, return its reply."""
        reply = await self.send(self.message(name, serial, **members))
        assert reply.name == f"{name}Response"
        return reply

    async def send(
        self, message: bytes, *, path: str = PATH, content_type: str = "text/xml", **headers: str
    ) -> SoapReply:
        """Send bytes, return the reply."""
        http: aiohttp.ClientSession = self.running.http
        all_headers = {"Content-Type": content_type} | headers
        url = f"{self.running.service}{path}"
        async with http.post(url, data=message, headers=all_headers) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "application/soap+xml; charset=utf-8"
            return read_reply(await response.read())
