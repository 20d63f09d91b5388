"""Certificates fetched through the PKI service: by TAN, and under the certificate they replace."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from emvs.login_rules import DAY_S
from nmvs.config import TlsConfig
from tests.integration.conftest import StartSystem
from tests.integration.nmvs.certificate_desk import Desk
from tests.integration.nmvs.soap_account_client import PKI, SUPPORT, User, manage
from tests.integration.nmvs.soap_raw_client import PATH, SoapReply, Till


def tan(text: str | None) -> str:
    return "<t:Body/>" if text is None else f"<t:Body><t:Tan>{text}</t:Tan></t:Body>"


class Client:
    """A client that fetches its certificate over TLS."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.user = User(desk.system)

    async def fetch(
        self, text: str | None, shown: dict[str, Any] | None = None, user: User | None = None
    ) -> SoapReply:
        base = f"https://localhost:{self.desk.system.ports['secure']}"
        async with await self.desk.session(shown) as http:
            return await (user or self.user).ask_over(http, base, "G615", tan(text), PKI)

    async def passes(self, fetched: SoapReply, serial: str) -> bool:
        """Whether what was fetched opens the door of the single-pack service."""
        package = {"package": fetched.texts["Cert"], "passphrase": fetched.passphrase}
        return await self.desk.verify(package, serial) == (200, "SUCCESS")


@pytest.fixture
async def client(start_system: StartSystem, tmp_path: Path) -> Client:
    system = await start_system("AT", tls=TlsConfig(), logins={"password_life_s": 0})
    await system.register("pharmacy", 1)
    await system.register("pharmacy", 2)
    return Client(Desk(system, tmp_path))


async def test_the_first_certificate_comes_by_tan_once(client: Client) -> None:
    (serial,) = await client.desk.system.load_packs(1)
    issued = await client.desk.issue()
    second = User(client.desk.system, "Demo-Pass-2", "USER0002", "PHARMACY00002")
    assert (await client.fetch("Wrong-Tan-1")).code == "FE_PKI_07"
    assert (await client.fetch(issued["tan"], user=second)).code == "FE_PKI_07"
    stranger = User(client.desk.system, "Wrong-Pass-1")
    assert (await client.fetch(issued["tan"], user=stranger)).code == "FE_AU_01"
    fetched = await client.fetch(issued["tan"])
    assert (fetched.code, fetched.cert_name) == ("SUCCESS", "PHARMACY00001.USER0001.p12")
    key, certificate, others = pkcs12.load_key_and_certificates(
        base64.b64decode(fetched.texts["Cert"]), fetched.passphrase.encode()
    )
    assert key is not None
    assert certificate is not None
    assert len(others) == 1  # The root.
    assert await client.passes(fetched, serial)
    assert (await client.fetch(issued["tan"])).code == "FE_PKI_07"


@pytest.mark.parametrize("without", [None, "", "Not-A-Tan-1"])
async def test_the_successor_comes_under_the_old_certificate(
    client: Client, without: str | None
) -> None:
    system = client.desk.system
    (serial,) = await system.load_packs(1)
    old = await client.desk.issue()
    assert (await client.fetch(without, old)).code == "FE_PKI_07"  # There is none yet.
    await client.desk.ask("POST", f"/{old['serial_number']}/renew", 201)
    for _ in range(2):  # It may be installed on several machines.
        fetched = await client.fetch(without, old)
        assert fetched.code == "SUCCESS"
    assert await client.passes(fetched, serial)


async def test_without_tan_and_without_a_good_certificate_there_is_none(client: Client) -> None:
    desk = client.desk
    good = await desk.issue()
    await desk.ask("POST", f"/{good['serial_number']}/renew", 201)
    assert (await client.fetch("")).code == "FE_PKI_06"
    assert (await client.fetch("", await desk.issue("expired"))).code == "FE_PKI_01"
    revoked = await desk.issue()
    await desk.ask("DELETE", f"/{revoked['serial_number']}")
    assert (await client.fetch("", revoked)).code == "FE_PKI_06"
    anothers = await desk.issue(client="PHARMACY00002")
    assert (await client.fetch("", anothers)).code == "FE_PKI_06"
    assert (await client.fetch("", good)).code == "SUCCESS"


async def test_a_package_waits_for_so_long_only(client: Client) -> None:
    issued = await client.desk.issue()
    await client.desk.system.advance_clock(60 * DAY_S)
    assert (await client.fetch(issued["tan"])).code == "FE_PKI_07"


async def test_other_services_still_want_the_certificate(client: Client) -> None:
    base = f"https://localhost:{client.desk.system.ports['secure']}"
    async with await client.desk.session(None) as http:
        async with http.post(f"{base}/WS_SUPPORT_V1/SupportServiceV50", data=b"<x/>") as response:
            assert response.status == 403
        ping = (
            b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
            b'<w:PkiPingRequest xmlns:w="urn:wsdltypes.nmvs.eu:v5.0"'
            b' xmlns:t="urn:types.nmvs.eu:v5.0"><t:Input>hello</t:Input></w:PkiPingRequest>'
            b"</s:Body></s:Envelope>"
        )
        async with http.post(f"{base}{PKI}", data=ping) as response:
            assert b"<ns2:PkiPingResponse><ns1:Output>hello<" in await response.read()
        # Nor does another service's request pass by the path of this one.
        message = Till(client.desk.system).message("G110", "S1")
        async with http.post(f"{base}{PKI}", data=message) as response:
            assert response.status == 403


async def test_a_tan_works_on_the_port_without_tls(client: Client) -> None:
    issued = await client.desk.issue()
    async with aiohttp.ClientSession() as http:
        fetched = await client.user.ask_over(
            http, client.desk.system.service, "G615", tan(issued["tan"]), PKI
        )
    assert fetched.code == "SUCCESS"


async def test_the_first_day_goes_over_tls_alone(client: Client) -> None:
    """TAN, certificate, password, terms, pack: with nothing but what was handed out on paper."""
    system = client.desk.system
    (serial,) = await system.load_packs(1)
    login = "/soap-logins/PHARMACY00001/USER0001"
    await manage(system, "PUT", f"{login}/password", password="On-Paper-1", initial=True)
    now = datetime.fromisoformat((await system.ask_management("/clock"))["now"])
    accept_by = (now - timedelta(seconds=1)).isoformat()
    starts_at = (now - timedelta(days=9)).isoformat()
    await manage(system, "PUT", "/terms/1", text="T", starts_at=starts_at, accept_by=accept_by)
    issued = await client.desk.issue()

    new = User(system, "On-Paper-1")
    fetched = await client.fetch(issued["tan"], user=new)
    assert fetched.code == "SUCCESS"
    package = {"package": fetched.texts["Cert"], "passphrase": fetched.passphrase}
    base = f"https://localhost:{system.ports['secure']}"
    async with await client.desk.session(package) as http:

        async def ask(name: str, body: str) -> str:
            return (await new.ask_over(http, base, name, f"<t:Body>{body}</t:Body>", SUPPORT)).code

        async def verify() -> str:
            body = new.verification(serial)
            return (await new.ask_over(http, base, "G110", body, PATH)).code

        assert await verify() == "FE_AU_11"
        assert await ask("G483", "<t:Version>1</t:Version>") == "FE_AU_11"
        passwords = "<t:Password>On-Paper-1</t:Password><t:NewPassword>My-Own-1</t:NewPassword>"
        assert await ask("G445", passwords) == "SUCCESS"
        new.password = "My-Own-1"
        assert await verify() == "FE_AU_23"
        assert await ask("G483", "<t:Version>1</t:Version>") == "SUCCESS"
        assert await verify() == "SUCCESS"
