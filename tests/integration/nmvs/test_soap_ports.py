"""The ports of the real systems, each with one service, through real TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import pytest
import pytest_asyncio
from lxml import etree

from emvs.infra.embedded_postgres import EmbeddedPostgres
from nmvs.config import TlsConfig
from nmvs.soap.ports import SERVICE_PORTS
from tests.integration.conftest import StartSystem, shared_system
from tests.integration.nmvs.certificate_desk import Desk
from tests.integration.nmvs.soap_account_client import PKI, User
from tests.integration.nmvs.soap_raw_client import PATH, Till, read_reply

_WAITING = "select count(*) from pg_locks where relation = $1::text::regclass and not granted"
PATHS = {
    port.name: f"/{port.service.context}/{port.service.path_stem}V50" for port in SERVICE_PORTS
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    tls = TlsConfig(soap_ports=0)
    async with shared_system(postgres.dsn("emvs"), "soap_ports", "AT", tls=tls) as system:
        await system.register("pharmacy", 1)
        yield Desk(system, tmp_path_factory.mktemp("desk"))


def address(desk: Desk, name: str) -> str:
    return f"https://localhost:{desk.system.ports[f'soap_{name}']}"


def ping(name: str) -> bytes:
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        f'<w:{name}Request xmlns:w="urn:wsdltypes.nmvs.eu:v5.0" xmlns:t="urn:types.nmvs.eu:v5.0">'
        f"<t:Input>x</t:Input></w:{name}Request></s:Body></s:Envelope>"
    ).encode()


PINGS = {
    "single": "SinglePackPing",
    "bulk": "BulkPing",
    "mixed": "MixedBulkPing",
    "master": "MasterDataPing",
    "support": "SupportPing",
    "pki": "PkiPing",
    "pki_with_certificate": "PkiPing",
}


async def post(http: aiohttp.ClientSession, url: str, message: bytes) -> tuple[int, str]:
    """Return the status, and the code or outermost name of the reply."""
    async with http.post(url, data=message) as response:
        body = await response.read()
        if response.status != 200:
            return response.status, body.decode()
        reply = read_reply(body)
        return 200, reply.code or reply.name


@pytest.mark.asyncio(loop_scope="module")
async def test_each_port_serves_its_own_service_only(desk: Desk) -> None:
    async with await desk.session(await desk.issue()) as http:
        for name, path in PATHS.items():
            base = address(desk, name)
            for service, own_ping in PINGS.items():
                answer = await post(http, base + path, ping(own_ping))
                is_own = own_ping == PINGS[name]
                assert answer == (200, f"{own_ping}Response" if is_own else "TE_XM_02"), service
            wrong = PATHS["support" if name == "single" else "single"]
            status, text = await post(http, base + wrong, ping(PINGS[name]))
            assert status == 404
            assert f"{base}{path}?wsdl" in text


@pytest.mark.asyncio(loop_scope="module")
async def test_definitions_name_the_port_that_was_used(desk: Desk) -> None:
    async with await desk.session(None) as http:
        for name, path in PATHS.items():
            base = address(desk, name)
            async with http.get(f"{base}{path}?wsdl") as response:
                wsdl = etree.fromstring(await response.read())
            (told,) = wsdl.iter("{http://schemas.xmlsoap.org/wsdl/soap12/}address")
            assert told.get("location") == base + path
            other = PATHS["support" if name == "single" else "single"]
            async with http.get(f"{base}{other}?wsdl") as response:
                assert response.status == 404


@pytest.mark.asyncio(loop_scope="module")
async def test_all_but_the_first_certificate_is_behind_a_certificate(desk: Desk) -> None:
    (serial,) = await desk.system.load_packs(1)
    issued = await desk.issue()
    user = User(desk.system)
    tan = user.message("G615", f"<t:Body><t:Tan>{issued['tan']}</t:Tan></t:Body>")
    message = Till(desk.system).message("G110", serial)
    without = "Forbidden: no client certificate was shown\n"
    async with await desk.session(None) as http:
        assert await post(http, address(desk, "single") + PATH, message) == (403, without)
        assert await post(http, address(desk, "pki_with_certificate") + PKI, tan) == (403, without)
        assert await post(http, address(desk, "pki") + PKI, tan) == (200, "SUCCESS")
    expired = await desk.issue("expired")
    async with await desk.session(expired) as http:
        told = await post(http, address(desk, "pki_with_certificate") + PKI, tan)
        assert told == (403, "Forbidden: the certificate has expired\n")
    async with await desk.session(issued) as http:
        assert await post(http, address(desk, "single") + PATH, message) == (200, "SUCCESS")
        renewed = user.message("G615", "")
        url = address(desk, "pki_with_certificate") + PKI
        assert await post(http, url, renewed) == (200, "FE_PKI_07")
        await desk.ask("POST", f"/{issued['serial_number']}/renew", 201)
        assert await post(http, url, renewed) == (200, "SUCCESS")
    foreign = await desk.issue("foreign")
    async with await desk.session(foreign) as http:
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            await post(http, address(desk, "bulk") + PATHS["bulk"], ping("BulkPing"))
        # Nobody is asked for one here, so nobody's is looked at.
        assert (await post(http, address(desk, "pki") + PKI, ping("PkiPing")))[0] == 200


@asynccontextmanager
async def held_up(
    dsn: str, schema: str, table: str
) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Hold up whoever reads a table; yields what waits until so many are."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": schema})

    async def waiting(count: int) -> None:
        async with asyncio.timeout(60):
            while await connection.fetchval(_WAITING, table) < count:
                await asyncio.sleep(0.01)

    try:
        async with connection.transaction():
            await connection.execute(f"lock table {table}")
            yield waiting
    finally:
        await connection.close()


async def test_limits_hold_for_all_ports_together(
    start_system: StartSystem, tmp_path: Path, dsn: str, schema_name: str
) -> None:
    plan = {"requests_per_s": 0.001, "burst": 6}
    tls = TlsConfig(soap_ports=0, client_certificates=False)
    system = await start_system("AT", tls=tls, soap={"rate_plan": plan})
    await system.register("pharmacy", 1)
    desk, user = Desk(system, tmp_path), User(system)
    async with await desk.session(None) as http:
        support = address(desk, "support") + PATHS["support"]
        single = address(desk, "single") + PATH
        master = address(desk, "master") + PATHS["master"]
        message = Till(system).message("G110", "S1")
        download = user.message("G201", "<t:Body><t:ProductCodeList/></t:Body>")
        async with held_up(dsn, f"{schema_name}_at", "product") as waiting:
            downloads = [
                asyncio.create_task(post(http, url, download))
                for url in (master, f"{system.service}{PATHS['master']}")
            ]
            await waiting(2)
            assert await post(http, master, download) == (200, "TE_TX_03")
            async with http.post(master, data=download) as response:
                assert b"other downloads are under way for this client" in await response.read()
        assert await asyncio.gather(*downloads) == 2 * [(200, "SUCCESS")]
        assert await post(http, single, message) == (200, "NC_PC_01")
        assert await post(http, support, user.message("G482", "")) == (200, "NC_PMS_24")
        assert await post(http, single, message) == (200, "FI_SE_CLI_01")
