"""A person at the management port, who hands out certificates, and connections that show them."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.integration.nmvs.soap_raw_client import PATH, Till
from tests.integration.running import RunningSystem

CLIENT = "PHARMACY00001"


class Desk:
    """A person at the management port, and connections that show what it handed out."""

    def __init__(self, system: RunningSystem, folder: Path) -> None:
        self.system = system
        self._folder = folder
        self.root_pem = ""

    async def ask(self, method: str, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
        url = f"{self.system.management}/certificates{path}"
        async with self.system.http.request(method, url, json=body or None) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == status, answer
            return answer

    async def issue(self, kind: str = "good", client: str = CLIENT) -> dict[str, Any]:
        return await self.ask("POST", "", 201, client_login_id=client, kind=kind)

    async def session(self, handed_out: dict[str, Any] | None) -> aiohttp.ClientSession:
        """Return a session that trusts the system and shows this certificate."""
        async with self.system.http.get(
            f"{self.system.management}/certificates/root.pem"
        ) as response:
            context = ssl.create_default_context(cadata=await response.text())
        if handed_out is not None:
            key, certificate, _ = pkcs12.load_key_and_certificates(
                base64.b64decode(handed_out["package"]), handed_out["passphrase"].encode()
            )
            assert key is not None
            assert certificate is not None
            path = self._folder / "client.pem"
            path.write_bytes(
                certificate.public_bytes(serialization.Encoding.PEM)
                + key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
            context.load_cert_chain(path)
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))

    async def verify(self, handed_out: dict[str, Any] | None, serial: str) -> tuple[int, str]:
        """Return status and code of a verification, or of its refusal."""
        async with await self.session(handed_out) as http:
            return await self.verify_over(http, serial)

    async def verify_over(self, http: aiohttp.ClientSession, serial: str) -> tuple[int, str]:
        till = Till(self.system)
        url = f"https://localhost:{self.system.ports['secure']}{PATH}"
        async with http.post(url, data=till.message("G110", serial)) as response:
            text = await response.text()
            code = text.partition(' ns1:code="NMVS_')[2].partition('"')[0]
            return response.status, code or text.strip()
