"""No way around the door: whatever the target is called, a SOAP message needs a certificate."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from nmvs.certificates import routes
from nmvs.config import TlsConfig
from tests.integration.conftest import StartSystem
from tests.integration.nmvs.soap_raw_client import PATH, Till
from tests.integration.running import RunningSystem

TARGETS = [
    PATH,
    PATH.lower(),
    "/WS_PKI_V1/PKIServiceV50",
    "/WS_PKI_/../WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV40",
    "/ws_pki_",
    "/%57S_SINGLE_TRANSACTIONS_V1/SinglePackServiceV40",
    f"/{PATH}",
    f"/.{PATH}",
    f"https://localhost{PATH}",
    "https://localhost/WS_PKI_V1/PKIServiceV50",
    "/",
    "*",
    "/connect/token",
    "?",
]


async def exchange(system: RunningSystem, context: ssl.SSLContext, head: str, body: bytes) -> str:
    """Send these bytes over TLS; return everything that comes back."""
    reader, writer = await asyncio.open_connection("localhost", system.ports["secure"], ssl=context)
    request = (
        f"{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(request.encode() + body)
    answer = bytearray()
    with suppress(ConnectionError):  # A refused one may be cut off while its body is sent.
        while piece := await reader.read(65_536):
            answer += piece
    writer.close()
    return answer.decode()


async def issue(system: RunningSystem, client: str = "PHARMACY00001") -> dict[str, Any]:
    """Return what the management port hands out for a client."""
    url = f"{system.management}/certificates"
    async with system.http.post(url, json={"client_login_id": client}) as response:
        assert response.status == 201
        answer: dict[str, Any] = await response.json()
        return answer


async def trusting(system: RunningSystem) -> ssl.SSLContext:
    """Return a context that trusts the system and shows no certificate."""
    async with system.http.get(f"{system.management}/certificates/root.pem") as response:
        return ssl.create_default_context(cadata=await response.text())


def show(context: ssl.SSLContext, handed_out: dict[str, Any], folder: Path) -> None:
    """Make connections of a context show a certificate."""
    key, certificate, _ = pkcs12.load_key_and_certificates(
        base64.b64decode(handed_out["package"]), handed_out["passphrase"].encode()
    )
    assert key is not None
    assert certificate is not None
    path = folder / "shown.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context.load_cert_chain(path)


@pytest.mark.parametrize("dialects", [("soap",), ("soap", "rest")])
async def test_no_target_leads_around_the_door(
    start_system: StartSystem, dialects: tuple[str, ...]
) -> None:
    system = await start_system("AT", tls=TlsConfig(), dialects=dialects)
    await system.register("pharmacy", 1)
    (serial,) = await system.load_packs(1)
    context = await trusting(system)
    message = Till(system).message("G120", serial)
    done = []
    for target in TARGETS:
        answer = await exchange(system, context, f"POST {target} HTTP/1.1", message)
        if "NMVS_SUCCESS" in answer or answer.startswith("HTTP/1.1 200"):
            done.append((target, answer[:15]))
    assert done == []
    trail = await system.ask_management("/trail", product_code=system.product_code, serial=serial)
    assert trail["entries"] == []


async def test_no_method_leads_around_the_door(start_system: StartSystem) -> None:
    system = await start_system("AT", tls=TlsConfig(), dialects=("soap",))
    await system.register("pharmacy", 1)
    (serial,) = await system.load_packs(1)
    message, context = Till(system).message("G120", serial), await trusting(system)
    for method in ("PUT", "PATCH", "GET", "post", "DELETE"):
        head = f"{method} {PATH} HTTP/1.1\r\nX-HTTP-Method-Override: POST"
        assert "NMVS_" not in await exchange(system, context, head, message)
    trail = await system.ask_management("/trail", product_code=system.product_code, serial=serial)
    assert trail["entries"] == []


async def test_a_resumed_session_is_held_against_the_registry_again(
    start_system: StartSystem, tmp_path: Path
) -> None:
    system = await start_system("AT", tls=TlsConfig(), dialects=("soap",))
    await system.register("pharmacy", 1)
    (serial,) = await system.load_packs(1)
    handed_out = await issue(system)
    context = await trusting(system)
    show(context, handed_out, tmp_path)
    message = Till(system).message("G110", serial)
    body = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Length: {len(message)}\r\n\r\n"
    ).encode() + message

    def over_tls(session: ssl.SSLSession | None) -> tuple[bytes, ssl.SSLSession | None, bool]:
        plain = socket.create_connection(("localhost", system.ports["secure"]))
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as tls:
            tls.sendall(body)
            answer = b""
            while piece := tls.recv(65536):
                answer += piece
            return answer, tls.session, bool(tls.session_reused)

    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context.maximum_version = version
        answer, session, reused = await asyncio.to_thread(over_tls, None)
        assert not reused
        assert b"NMVS_SUCCESS" in answer
        answer, session, reused = await asyncio.to_thread(over_tls, session)
        assert reused
        assert b"NMVS_SUCCESS" in answer
    async with system.http.delete(
        f"{system.management}/certificates/{handed_out['serial_number']}"
    ) as response:
        assert response.status == 200
    answer, _, reused = await asyncio.to_thread(over_tls, session)
    assert reused
    assert b"403" in answer.split(b"\r\n")[0]


async def test_only_what_a_message_can_name_gets_a_certificate(
    national_system: RunningSystem,
) -> None:
    url = f"{national_system.management}/certificates"
    for client in ("ä", "a/b", "\0", "A\n", "../x", " ", "", "x" * 33):
        for kind in ("good", "foreign"):
            order = {"client_login_id": client, "kind": kind}
            async with national_system.http.post(url, json=order) as response:
                assert response.status == 400, client
                assert "client login id" in (await response.json())["detail"]


async def test_a_long_list_of_certificates_ends_with_the_newest(
    national_system: RunningSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "_LISTED_MAX", 2)
    issued = [(await issue(national_system))["serial_number"] for _ in range(2)]
    listed = await national_system.ask_management("/certificates")
    assert [row["serial_number"] for row in listed["certificates"]] == issued
    assert not listed["truncated"]
    issued.append((await issue(national_system))["serial_number"])
    listed = await national_system.ask_management("/certificates")
    assert [row["serial_number"] for row in listed["certificates"]] == issued[1:]
    assert listed["truncated"]
