"""The client over a real socket: literal bytes both ways, and far ends that behave badly."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from emvs.markets import Dialect
from emvs.scan import parse_scan
from pharmacy_client import (
    AnswerTimeoutError,
    Category,
    PharmacyClient,
    PharmacyClientError,
    Profile,
    ProfileError,
    ProtocolError,
    SystemUnreachableError,
)
from tests.integration.pharmacy_client.wire import Wire, http, open_wire

SCAN = "]d201098765432109821728050010LOT-7A\x1d21SN/1+2%"
ACTIVE = http(200, b'{"operationCode":"11110100","state":"Active","information":"Active."}')
SOAP_ACTIVE = (
    b'<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"'
    b' xmlns:ns2="urn:wsdltypes.nmvs.eu:v5.0" xmlns:ns1="urn:types.nmvs.eu:v5.0"><soap:Header/>'
    b"<soap:Body><ns2:G110Response><ns1:Header/><ns1:Body><ns1:Product>"
    b'<ns1:ProductCode ns1:scheme="GTIN">09876543210982</ns1:ProductCode></ns1:Product>'
    b'<ns1:Pack ns1:sn="SN/1+2%" ns1:state="ACTIVE"/>'
    b'<ns1:ReturnCode ns1:code="NMVS_SUCCESS" ns1:desc="Successfully processed."/>'
    b"</ns1:Body></ns2:G110Response></soap:Body></soap:Envelope>"
)


def profile(wire: Wire, dialect: str = "rest", **settings: Any) -> Profile:
    logins = {
        "rest": {
            "token_url": f"{wire.url}/connect/token",
            "client_id": "till",
            "client_secret": "hush-hush",
        },
        "soap": {"client_login_id": "PHX00042", "user_id": "USER0007", "password": "hush-hush"},
    }
    values: dict[str, Any] = {"dialect": Dialect(dialect), "url": wire.url, **logins[dialect]}
    return Profile(**(values | settings))


async def test_rest_request_on_the_wire() -> None:
    async with open_wire(ACTIVE) as wire, PharmacyClient(profile(wire)) as client:
        result = await client.verify(SCAN)
    assert result.category is Category.ACTIVE
    assert b"hush-hush" in wire.received[0]
    head = wire.received[1].decode().split("\r\n")
    assert head[0] == (
        "GET /product/gs1/09876543210982/pack/SN%2F1%2B2%25?batch=LOT-7A&expiry=280500 HTTP/1.1"
    )
    assert "Authorization: Bearer eyJ.t" in head
    assert "emvs-data-entry-mode: non-manual" in head
    assert "Accept-Encoding: identity" in head
    assert b"eyJ.t" not in result.exchange.request
    assert result.exchange.reply.endswith(ACTIVE.rpartition(b"\r\n")[2])


async def test_soap_request_on_the_wire() -> None:
    answer = http(200, SOAP_ACTIVE, "application/soap+xml; charset=utf-8")
    async with open_wire(answer) as wire, PharmacyClient(profile(wire, "soap")) as client:
        result = await client.verify(SCAN)
    assert result.category is Category.ACTIVE
    head, _, body = wire.received[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV50 HTTP/1.1\r\n")
    assert b'action="urn:G110Verify"' in head
    assert b'<t:Pack t:sn="SN/1+2%"/>' in body
    assert b"hush-hush" in body
    assert b"hush-hush" not in result.exchange.request


async def test_supply_is_sent_once_even_if_the_answer_is_lost() -> None:
    async with open_wire(hang_up) as wire, PharmacyClient(profile(wire)) as client:
        with pytest.raises(SystemUnreachableError) as caught:
            await client.supply(SCAN)
    assert caught.value.may_have_acted
    assert caught.value.exchange is not None
    assert caught.value.exchange.request.endswith(b'{"state":"Supplied"}')
    assert [request[:5] for request in wire.received] == [b"POST ", b"PATCH"]


async def test_many_calls_share_connections_and_one_token() -> None:
    async with open_wire(ACTIVE) as wire, PharmacyClient(profile(wire)) as client:
        results = await asyncio.gather(*(client.verify(SCAN) for _ in range(200)))
    assert all(result.ok for result in results)
    assert sum(request.startswith(b"POST") for request in wire.received) == 1


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close without a word."""


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close with a reset."""
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    writer.transport.abort()


async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Keep the connection open and say nothing, until the other side gives up."""
    await reader.read()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then: each one in time, all of them never."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a body without end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


async def truncated(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send less than announced and close."""
    writer.write(ACTIVE[:-10])
    await writer.drain()


Bad = bytes | Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@pytest.mark.parametrize("dialect", ["rest", "soap"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (hang_up, SystemUnreachableError),
        (reset, SystemUnreachableError),
        (truncated, SystemUnreachableError),
        (never_answer, AnswerTimeoutError),
        (drip, AnswerTimeoutError),
        (flood, ProtocolError),
        (b"220 mail.example ESMTP\r\n\r\n", ProtocolError),
        (http(200, b"<html><h1>Welcome</h1></html>", "text/html"), ProtocolError),
        (http(200, b""), ProtocolError),
        (http(500, b"Internal Server Error", "text/plain"), ProtocolError),
        (http(302, b"", "text/html", "Location: http://127.0.0.1:1/"), ProtocolError),
        (http(200, b'{"operationCode":"\xff\xfe"}'), ProtocolError),
        (http(200, b"\x1f\x8b\x08\x00junk", "text/xml", "Content-Encoding: gzip"), ProtocolError),
        (http(502, b"Bad Gateway", "text/html"), SystemUnreachableError),
        (http(503, b"", "text/html", "Retry-After: 5"), SystemUnreachableError),
    ],
)
async def test_bad_far_ends(dialect: str, answer: Bad, error: type[PharmacyClientError]) -> None:
    async with (
        open_wire(answer) as wire,
        PharmacyClient(profile(wire, dialect, timeout_s=0.5)) as client,
    ):
        with pytest.raises(error) as caught:
            await client.supply(SCAN)
    assert type(caught.value) is error
    assert caught.value.exchange is not None
    assert b"hush-hush" not in caught.value.exchange.request + caught.value.exchange.reply


async def test_nobody_listens() -> None:
    async with open_wire(ACTIVE) as wire:
        gone = profile(wire)
    async with PharmacyClient(gone) as client:
        with pytest.raises(SystemUnreachableError, match="Connection refused") as caught:
            await client.supply(SCAN)
    assert not caught.value.may_have_acted


async def test_certificates_that_cannot_be_loaded() -> None:
    wrong = profile(Wire(port=1), url="https://127.0.0.1:1", ca="/nowhere/ca.pem")
    with pytest.raises(ProfileError, match=r"/nowhere/ca\.pem"):
        await PharmacyClient(wrong).__aenter__()


async def test_plain_server_behind_an_https_address() -> None:
    async with (
        open_wire(ACTIVE) as wire,
        PharmacyClient(
            profile(wire, "soap", url=wire.url.replace("http:", "https:"), timeout_s=0.5)
        ) as client,
    ):
        with pytest.raises(SystemUnreachableError) as caught:
            await client.supply(SCAN)
    assert not caught.value.may_have_acted


async def test_client_is_used_inside_its_context_only() -> None:
    client = PharmacyClient(profile(Wire(port=1)))
    with pytest.raises(RuntimeError, match="async with"):
        await client.verify(parse_scan(SCAN))
