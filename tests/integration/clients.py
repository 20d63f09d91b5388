"""Small independent clients: requests as bytes, answers as little as a test needs."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

import aiohttp
from lxml import etree

_numbers = itertools.count(1)

_SOAP = """<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"
 xmlns:w="urn:wsdltypes.nmvs.eu:v5.0" xmlns:t="urn:types.nmvs.eu:v5.0"><soap:Body><w:{name}Request>
<t:Header><t:Auth><t:ClientLoginId>{client}</t:ClientLoginId><t:UserId>{user}</t:UserId>
<t:Password>{password}</t:Password></t:Auth>
<t:UserSoftware t:name="T" t:supplier="S" t:version="1"/>
<t:Transaction><t:ClientTrxId>{trx}</t:ClientTrxId><t:Language>eng</t:Language></t:Transaction>
</t:Header><t:Body><t:Product><t:ProductCode t:scheme="GTIN">{code}</t:ProductCode><t:Batch>
<t:Id>{batch}</t:Id><t:ExpDate>{expiry}</t:ExpDate></t:Batch></t:Product><t:Pack t:sn={serial}/>
</t:Body></w:{name}Request></soap:Body></soap:Envelope>"""

_TYPES = "{urn:types.nmvs.eu:v5.0}"


class WireAnswer(NamedTuple):
    """Status and code of an answer, its alert id, and what it says of the pack."""

    status: int
    code: str
    alert_id: str | None
    intermarket: bool = False
    """Whether another market answered (`isIntermarket`, `IntermarketFlag`)."""
    state: str = ""
    """The effective state in the SOAP dialect's words, in both: the last of the reasons."""


class RestTill:
    """A pharmacy that speaks the REST dialect."""

    def __init__(
        self, http: aiohttp.ClientSession, base: str, registration: dict[str, Any]
    ) -> None:
        self._http = http
        self._base = base
        self._login = registration["rest"]
        self._token = ""

    async def log_in(self) -> None:
        """Fetch a token."""
        form = {"grant_type": "client_credentials", **self._login}
        async with self._http.post(f"{self._base}/connect/token", data=form) as response:
            assert response.status == 200, await response.text()
            self._token = (await response.json())["access_token"]

    async def ask(
        self, code: str, serial: str, batch: str, expiry: str, state: str | None = None
    ) -> WireAnswer:
        """Verify, or set a state."""
        query = f"?batch={quote(batch, safe='')}&expiry={expiry}"
        return await self._request(code, serial, query, state, "non-manual")

    async def ask_typed(self, code: str, serial: str) -> WireAnswer:
        """Verify a pack whose code and serial number were typed in."""
        return await self._request(code, serial, "", None, "manual")

    async def _request(
        self, code: str, serial: str, query: str, state: str | None, entry_mode: str
    ) -> WireAnswer:
        pack = quote(serial, safe="")
        url = f"{self._base}/verification/product/gs1/{code}/pack/{pack}{query}"
        headers = {
            "Authorization": f"Bearer {self._token}",
            "emvs-data-entry-mode": entry_mode,
        }
        method, body = ("GET", None) if state is None else ("PATCH", {"state": state})
        async with self._http.request(method, _raw(url), headers=headers, json=body) as response:
            members = await response.json()
            return WireAnswer(
                response.status,
                members["operationCode"],
                members.get("alertId"),
                members.get("isIntermarket", False),
                members.get("state", "").upper(),
            )

    async def supply(self, code: str, serial: str, batch: str, expiry: str) -> WireAnswer:
        """Supply a pack."""
        return await self.ask(code, serial, batch, expiry, "Supplied")


class SoapTill:
    """A pharmacy that speaks the SOAP dialect, version 5."""

    def __init__(
        self, http: aiohttp.ClientSession, base: str, registration: dict[str, Any]
    ) -> None:
        self._http = http
        self._url = f"{base}/WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV50"
        self._login = registration["soap"]

    async def ask(
        self, code: str, serial: str, batch: str, expiry: str, name: str = "G110"
    ) -> WireAnswer:
        """Perform an operation by its number."""
        body = _SOAP.format(
            name=name,
            client=self._login["client_login_id"],
            user=self._login["user_id"],
            password=escape(self._login["password"]),
            trx=f"TEST-{next(_numbers):08d}",
            code=code,
            batch=escape(batch),
            expiry=expiry,
            serial=quoteattr(serial),
        )
        async with self._http.post(
            self._url, data=body.encode(), headers={"Content-Type": "application/soap+xml"}
        ) as response:
            tree = etree.fromstring(await response.read())
            returned = tree.find(f".//{_TYPES}ReturnCode")
            assert returned is not None
            pack = tree.find(f".//{_TYPES}Pack")
            states = [element.text or "" for element in tree.iterfind(f".//{_TYPES}Reason")]
            if not states and pack is not None:
                states = [pack.get(f"{_TYPES}state", "")]
            return WireAnswer(
                response.status,
                returned.get(f"{_TYPES}code", ""),
                returned.get(f"{_TYPES}alertId"),
                tree.findtext(f".//{_TYPES}IntermarketFlag") == "true",
                states[-1].replace("_", "") if states else "",
            )

    async def supply(self, code: str, serial: str, batch: str, expiry: str) -> WireAnswer:
        """Supply a pack."""
        return await self.ask(code, serial, batch, expiry, "G120")


def _raw(url: str) -> Any:
    from yarl import URL  # noqa: PLC0415 - the only use.

    return URL(url, encoded=True)
