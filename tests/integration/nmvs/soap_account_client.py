"""A user of the support and PKI services who writes the messages by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import aiohttp

from tests.integration.nmvs.soap_raw_client import SoapReply, read_reply
from tests.integration.running import RunningSystem

SUPPORT = "/WS_SUPPORT_V1/SupportServiceV50"
PKI = "/WS_PKI_V1/PkiServiceV50"
GOOD = "Demo-Pass-1"


@dataclass
class User:
    """One login, and what it asks."""

    running: RunningSystem
    password: str = GOOD
    user_id: str = "USER0001"
    client: str = "PHARMACY00001"
    version: int = 5
    sub_user: str | None = None

    def message(self, name: str, body: str) -> bytes:
        """Return a request with this body."""
        sub_user = "" if self.sub_user is None else f"<t:SubUserId>{self.sub_user}</t:SubUserId>"
        return (
            '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
            f'<w:{name}Request xmlns:w="urn:wsdltypes.nmvs.eu:v{self.version}.0"'
            f' xmlns:t="urn:types.nmvs.eu:v{self.version}.0"><t:Header><t:Auth>'
            f"<t:ClientLoginId>{self.client}</t:ClientLoginId>"
            f"<t:UserId>{self.user_id}</t:UserId>"
            f"<t:Password>{escape(self.password)}</t:Password>{sub_user}</t:Auth>"
            '<t:UserSoftware t:name="N" t:supplier="S" t:version="1"/><t:Transaction>'
            "<t:ClientTrxId>USER-000001</t:ClientTrxId><t:Language>eng</t:Language>"
            f"</t:Transaction></t:Header>{body}</w:{name}Request></s:Body></s:Envelope>"
        ).encode()

    async def ask(self, name: str, body: str = "", path: str = SUPPORT) -> SoapReply:
        """Send a request over plain HTTP, return its reply."""
        return await self.ask_over(self.running.http, self.running.service, name, body, path)

    async def ask_over(
        self, http: aiohttp.ClientSession, base: str, name: str, body: str = "", path: str = PKI
    ) -> SoapReply:
        """Send a request over a session, return its reply."""
        async with http.post(f"{base}{path}", data=self.message(name, body)) as response:
            assert response.status == 200
            reply = read_reply(await response.read())
        assert reply.name == f"{name}Response"
        return reply

    async def verify(self, serial: str = "S1") -> SoapReply:
        """Verify a pack; NC_PC_01 tells that the login was let in."""
        return await self.ask("G110", self.verification(serial))

    def verification(self, serial: str) -> str:
        """Return the body of a verification."""
        return (
            '<t:Body><t:Product><t:ProductCode t:scheme="GTIN">'
            f"{self.running.product_code}</t:ProductCode><t:Batch><t:Id>{self.running.batch_id}"
            f"</t:Id><t:ExpDate>{self.running.expiry}</t:ExpDate></t:Batch></t:Product>"
            f'<t:Pack t:sn="{serial}"/></t:Body>'
        )

    async def code(self) -> str:
        """Return the code of a verification."""
        return (await self.verify()).code

    async def change(self, new: str, current: str | None = None) -> str:
        """Ask for another password, return the code."""
        known = self.password if current is None else current
        reply = await self.ask(
            "G445",
            f"<t:Body><t:Password>{escape(known)}</t:Password>"
            f"<t:NewPassword>{escape(new)}</t:NewPassword></t:Body>",
        )
        return reply.code

    async def confirm(self, version: int) -> str:
        """Confirm terms, return the code."""
        reply = await self.ask("G483", f"<t:Body><t:Version>{version}</t:Version></t:Body>")
        return reply.code


async def manage(
    running: RunningSystem, method: str, path: str, status: int = 200, **body: Any
) -> dict[str, Any]:
    """Ask the management port."""
    url = f"{running.management}{path}"
    async with running.http.request(method, url, json=body or None) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == status, answer
        return answer
