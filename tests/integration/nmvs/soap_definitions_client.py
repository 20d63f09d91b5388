"""A client that holds replies against the definitions which the running system serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp
from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"


class _Fetched(etree.Resolver):
    """Gives the compiler what was fetched, by its address."""

    def __init__(self, documents: dict[str, bytes]) -> None:
        self._documents = documents

    def resolve(self, system_url: str | None, public_id: str | None, context: Any) -> Any:
        return self.resolve_string(self._documents[system_url or ""], context)


@dataclass
class Definitions:
    """What one service says of itself."""

    wsdl: etree._Element
    schema: etree.XMLSchema

    def content(self, reply: bytes) -> etree._Element:
        """Return the outermost element of a reply; fail if it is none of this service's.

        Of a fault that is the return code in its detail.
        """
        (content,) = etree.fromstring(reply).find(f"{SOAP}Body")  # type: ignore[union-attr]
        if content.tag == f"{SOAP}Fault":
            (content,) = content.find(f"{SOAP}Detail")
        assert self.schema.validate(content), (reply, self.schema.error_log)
        return content


async def fetch_definitions(http: aiohttp.ClientSession, url: str) -> Definitions:
    """Fetch a WSDL and all that it imports, from where it says."""

    async def fetch(address: str) -> bytes:
        async with http.get(address) as response:
            assert response.status == 200, address
            return await response.read()

    wsdl = etree.fromstring(await fetch(f"{url}?wsdl"))
    (element,) = wsdl.iter(f"{XS}import")
    documents: dict[str, bytes] = {}
    address = first = element.attrib["schemaLocation"]
    while True:
        documents[address] = await fetch(address)
        imported = next(etree.fromstring(documents[address]).iter(f"{XS}import"), None)
        if imported is None:
            break
        address = imported.attrib["schemaLocation"]
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Fetched(documents))
    schema = etree.XMLSchema(etree.fromstring(documents[first], parser, base_url=first))
    return Definitions(wsdl, schema)
