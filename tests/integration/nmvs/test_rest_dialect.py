"""The REST dialect of a running national system, request by request as clients send them."""

from __future__ import annotations

import asyncio
import base64
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from tests.integration.nmvs.rest_raw_client import RawAnswer, RawConnection
from tests.integration.running import RunningSystem

VECTORS = Path(__file__).parents[2] / "vectors" / "rest"
CODE = "09506000134376"
ODD_SERIAL_NUMBERS = ["A/B", "A//B", "A+B", 'A"B', "A&B", "A%2FB", "A?B", "a.-_:;=<>()*,'!%"]
SERIAL_NUMBERS = ["S1", "S2", "S3", *ODD_SERIAL_NUMBERS]
WHERE = "batch=LOT1&expiry=301231"
SCANNED = "emvs-data-entry-mode: non-manual"


class Rest(NamedTuple):
    """A system with packs, and two pharmacies and a wholesaler logged in to it."""

    running: RunningSystem
    port: int
    token: str
    other: str
    wholesaler: str

    async def patch(self, serial_number: str, state: str, token: str | None = None) -> RawAnswer:
        """Ask for a state."""
        async with RawConnection(self.port) as connection:
            return await connection.ask(
                "PATCH",
                f"/verification/product/gs1/{CODE}/pack/{quote(serial_number, safe='')}?{WHERE}",
                f"Authorization: Bearer {token or self.token}",
                SCANNED,
                body=b'{"state":"%s"}' % state.encode(),
            )


async def token_of(port: int, client_id: str, client_secret: str) -> str:
    async with RawConnection(port) as connection:
        answer = await connection.ask(
            "POST",
            "/connect/token",
            "Content-Type: application/x-www-form-urlencoded",
            body=(
                f"grant_type=client_credentials&client_id={client_id}&client_secret={client_secret}"
            ).encode(),
        )
    assert answer.status == 200, answer
    token = answer.members["access_token"]
    assert isinstance(token, str)
    return token


@pytest.fixture
async def rest(start_system: Callable[..., Awaitable[RunningSystem]]) -> Rest:
    running = await start_system("IE", dialects=("rest",))
    await running.deliver(
        "products",
        "product-1",
        scheme="GTIN",
        productCode=CODE,
        version=1,
        name="Examplol 10 mg",
        commonName="examplol",
        nationalCode="280012345678",
    )
    await running.deliver(
        "packs",
        "packs-1",
        productCode=CODE,
        productVersion=1,
        batchId="LOT1",
        expiry="301231",
        serialNumbers=SERIAL_NUMBERS,
    )
    port = running.ports["service"]
    for kind, number in (("pharmacy", 1), ("pharmacy", 2), ("wholesaler", 1)):
        await running.register(kind, number, soap=None)
    tokens = [
        await token_of(port, "pharmacy1", "secret-pharmacy-1"),
        await token_of(port, "pharmacy2", "secret-pharmacy-2"),
        await token_of(port, "wholesaler1", "secret-wholesaler-1"),
    ]
    return Rest(running, port, *tokens)


def conversation() -> Iterator[tuple[str, list[str], str | None, str]]:
    """Name, request lines, body and answer of each exchange."""
    text = (VECTORS / "conversation.txt").read_text()
    for block in text.split("\n### ")[1:]:
        name, *lines = block.strip().splitlines()
        body = next((line[2:] for line in lines if line.startswith("= ")), None)
        answer = next(line[3:] for line in lines if line.startswith("-> "))
        yield name, [line for line in lines if line[:2] not in ("= ", "->")], body, answer


async def test_conversation(rest: Rest) -> None:
    tokens = {"token": rest.token, "other": rest.other, "wholesaler": rest.wholesaler}
    async with RawConnection(rest.port) as connection:
        for name, (request, *headers), body, expected in conversation():
            method, target = request.split(" ", 1)
            answer = await connection.ask(
                method,
                target,
                *(header.format(**tokens) for header in headers),
                body=None if body is None else body.encode(),
            )
            said = f"{answer.status} {answer.body.decode()}"
            said = re.sub(r"IE(-[A-Z0-9]{3}){5}", "?-?", said)
            said = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "@", said)
            assert said == expected, name
            assert answer.code
            assert ("www-authenticate" in answer.headers) == (answer.status == 401)


@pytest.mark.parametrize("prefix", ["", "/api", "/verification"])
async def test_serial_numbers_of_all_characters(rest: Rest, prefix: str) -> None:
    async with RawConnection(rest.port) as connection:
        for serial_number in ODD_SERIAL_NUMBERS:
            encoded = quote(serial_number, safe="")
            spellings = {encoded, re.sub("%..", lambda match: match[0].lower(), encoded)}
            if not {"%", "?"} & set(serial_number):  # As clients send it that don't encode.
                spellings.add(serial_number)
            for spelling in spellings:
                answer = await connection.ask(
                    "GET",
                    f"{prefix}/product/gs1/{CODE}/pack/{spelling}?{WHERE}",
                    f"Authorization: Bearer {rest.token}",
                    SCANNED,
                )
                assert (answer.status, answer.code) == (200, "11110100"), spelling


@pytest.mark.parametrize(
    "path",
    ["/connect/token", "/identity/connect/token", "/api/Connect/Token", "/x/y/connect/token"],
)
@pytest.mark.parametrize("basic", [False, True])
async def test_tokens_are_given_in_both_ways(rest: Rest, path: str, *, basic: bool) -> None:
    body = b"grant_type=client_credentials"
    headers = ["Content-Type: application/x-www-form-urlencoded"]
    if basic:
        encoded = base64.b64encode(b"pharmacy1:secret-pharmacy-1").decode()
        headers.append(f"Authorization: Basic {encoded}")
    else:
        body += b"&client_id=pharmacy1&client_secret=secret-pharmacy-1"
    async with RawConnection(rest.port) as connection:
        answer = await connection.ask("POST", path, *headers, body=body)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-store"
        members = answer.members
        assert members["expires_in"] == 32_767
        assert members["token_type"] == "Bearer"
        assert members["access_token"].startswith("eyJ")
        verified = await connection.ask(
            "GET",
            f"/product/gs1/{CODE}/pack/S1?{WHERE}",
            f"Authorization: Bearer {members['access_token']}",
            SCANNED,
        )
        assert verified.code == "11110100"


@pytest.mark.parametrize(
    ("method", "body", "error"),
    [
        ("POST", b"grant_type=client_credentials", "invalid_client"),
        (
            "POST",
            b"grant_type=client_credentials&client_id=pharmacy1&client_secret=wrong",
            "invalid_client",
        ),
        (
            "POST",
            b"grant_type=client_credentials&client_id=nobody&client_secret=wrong",
            "invalid_client",
        ),
        ("POST", b"grant_type=password&username=a&password=b", "unsupported_grant_type"),
        ("POST", b"\xff", "invalid_request"),
        ("GET", b"", "invalid_request"),
    ],
)
async def test_token_refusals(rest: Rest, method: str, body: bytes, error: str) -> None:
    async with RawConnection(rest.port) as connection:
        answer = await connection.ask(method, "/identity/connect/token", body=body)
    assert (answer.status, answer.members) == (400, {"error": error})


async def test_a_token_ends_with_the_systems_clock(rest: Rest) -> None:
    assert (await rest.patch("S1", "Supplied")).code == "11210200"
    await rest.running.advance_clock(32_768)
    answer = await rest.patch("S1", "Supplied")
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    fresh = await token_of(rest.port, "pharmacy1", "secret-pharmacy-1")
    assert (await rest.patch("S1", "Active", fresh)).code == "11410100"


async def test_an_undo_ends_after_240_hours(rest: Rest) -> None:
    supplied = await rest.patch("S1", "Supplied")
    assert supplied.members["canReactivate"] is True
    assert (await rest.patch("S2", "Sample")).code == "11310600"
    assert (await rest.patch("S3", "Locked")).code == "11310400"
    await rest.running.advance_clock(241 * 3600)
    token = await token_of(rest.port, "pharmacy1", "secret-pharmacy-1")
    late = await rest.patch("S1", "Active", token)
    assert (late.status, late.code) == (409, "51420200")
    assert late.members["canReactivate"] is False
    assert "alertId" not in late.members
    assert (await rest.patch("S2", "Active", token)).code == "51420601"
    assert (await rest.patch("S3", "Active", token)).code == "11410100"


async def test_destroyed_and_stolen_packs_never_come_back(rest: Rest) -> None:
    assert (await rest.patch("S1", "Destroyed")).code == "11310300"
    assert (await rest.patch("S1", "Active")).code == "51420301"
    assert (await rest.patch("S2", "Stolen")).code == "11310700"
    assert (await rest.patch("S2", "Active", rest.other)).code == "51420700"
    refused = await rest.patch("S2", "Supplied")
    assert (refused.status, refused.code) == (409, "51220701")
    assert refused.members["alertCode"] == "#A24"


async def test_recalled_withdrawn_and_expired_packs_are_refused_without_alert(rest: Rest) -> None:
    await rest.patch("S1", "Supplied")
    await rest.running.deliver(
        "recalls", "recall-1", productCode=CODE, batchId="LOT1", reason="contaminated"
    )
    refused = await rest.patch("S2", "Supplied")
    assert (refused.status, refused.code) == (409, "51221000")
    assert refused.members["state"] == "Recalled"
    assert refused.members["batchState"] == "Recalled"
    assert refused.members["batchRecallReason"] == "contaminated"
    assert "alertId" not in refused.members
    assert (await rest.patch("S1", "Active")).code == "51421000"
    await rest.running.deliver("withdrawals", "withdrawal-1", productCode=CODE, reason="unsafe")
    refused = await rest.patch("S2", "Stolen")
    assert refused.code == "51321200"
    assert refused.members["productWithdrawalReason"] == "unsafe"


async def test_expired_pack_is_refused_without_alert(rest: Rest) -> None:
    await rest.running.advance_clock(5 * 365 * 86_400)  # Expired, and not yet purged.
    token = await token_of(rest.port, "pharmacy1", "secret-pharmacy-1")
    refused = await rest.patch("S1", "Supplied", token)
    assert (refused.status, refused.code) == (409, "51221100")
    assert refused.members["state"] == "Expired"
    assert "alertId" not in refused.members


async def test_of_concurrent_supplies_exactly_one_succeeds(rest: Rest) -> None:
    count = 100
    answers = await asyncio.gather(
        *(
            rest.patch("S1", "Supplied", rest.token if number % 2 else rest.other)
            for number in range(count)
        )
    )
    codes = Counter(answer.code for answer in answers)
    # The winner's own repeats are tolerated twice; everything else is refused with an alert.
    assert codes == {
        "11210200": 1,
        "11220201": 2,
        "51220201": count // 2 - 3,
        "51220200": count // 2,
    }
    alert_ids = {answer.members["alertId"] for answer in answers if answer.status == 409}
    assert len(alert_ids) == count - 3
    trail = await rest.running.ask_management("/trail", product_code=CODE, serial="S1")
    assert Counter(entry["outcome"] for entry in trail["entries"]) == {
        "DECOMMISSIONED": 1,
        "REPEAT_TOLERATED": 2,
        "ALREADY_IN_STATE": count - 3,
    }
    assert {entry["dialect"] for entry in trail["entries"]} == {"rest"}


async def test_every_request_is_in_the_audit_trail(rest: Rest) -> None:
    async with RawConnection(rest.port) as connection:
        await connection.ask(
            "GET",
            f"/product/gs1/{CODE}/pack/S2",
            f"Authorization: Bearer {rest.token}",
            "emvs-data-entry-mode: manual",
        )
    await rest.patch("S2", "Supplied")
    trail = await rest.running.ask_management("/trail", product_code=CODE, serial="S2")
    entries = sorted(trail["entries"], key=lambda entry: entry["transactionId"])
    assert [
        (entry["operation"], entry["outcome"], entry["manual"], entry["location"])
        for entry in entries
    ] == [
        ("VERIFY", "VERIFIED", True, "pharmacy-1"),
        ("SUPPLY", "DECOMMISSIONED", False, "pharmacy-1"),
    ]
