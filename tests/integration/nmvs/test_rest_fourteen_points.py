"""What matters most to deployed REST clients, point by point; a test's number is the point's.

Points 10 (absolute `Location`), 11 and 12 (results of many packs) and the body of point 8 that
belongs to many packs are tested where those calls are.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from tests.integration.nmvs.rest_login import CODE, SCANNED, WHERE, load_packs, manage, token_of
from tests.integration.nmvs.rest_raw_client import RawAnswer, RawConnection
from tests.integration.running import RunningSystem

# What the character set of serial numbers holds that a path may not.
ODD = ['A/B"C', "A+B", "A&B", "A<B>C", "A%2FB", "A?B", "A'(*);:=,.-_!"]


class Till:
    """Says what it is told, with a login."""

    def __init__(self, connection: RawConnection, login: str) -> None:
        self.connection = connection
        self.login = login

    async def ask(self, method: str, target: str, *headers: str, body: str = "") -> RawAnswer:
        sent = body.encode() if body else None
        return await self.connection.ask(method, target, self.login, *headers, body=sent)

    async def verify(self, serial: str, query: str = WHERE, *headers: str) -> RawAnswer:
        target = f"/verification/product/gs1/{CODE}/pack/{serial}?{query}"
        return await self.ask("GET", target, *(headers or (SCANNED,)))

    async def change(self, serial: str, body: str) -> RawAnswer:
        target = f"/verification/product/gs1/{CODE}/pack/{serial}?{WHERE}"
        return await self.ask("PATCH", target, SCANNED, body=body)


@pytest.fixture
async def running(start_system: Callable[..., Awaitable[RunningSystem]]) -> RunningSystem:
    system = await start_system("IE", dialects=("rest",))
    await load_packs(system, *ODD, *(f"S{number}" for number in range(1, 9)))
    await system.register("pharmacy", 1, soap=None)
    await system.register("nca", 1, soap=None)
    return system


@pytest.fixture
async def port(running: RunningSystem) -> int:
    return running.ports["service"]


@pytest.fixture
async def login(port: int) -> str:
    return f"Authorization: Bearer {await token_of(port, 'pharmacy1', 'secret-pharmacy-1')}"


async def test_points_1_to_6_how_requests_may_look(port: int, login: str) -> None:
    async with RawConnection(port) as connection:
        till = Till(connection, login)
        await point_1_two_token_paths_and_two_ways_to_log_in(connection)
        await point_2_three_prefixes_in_any_case(till)
        await point_3_raw_paths_decoded_once(till)
        await point_4_plus_signs_and_empty_values(till)
        await point_5_the_login_header(till)
        await point_6_headers_that_do_not_matter(till)


async def point_1_two_token_paths_and_two_ways_to_log_in(connection: RawConnection) -> None:
    basic = base64.b64encode(b"pharmacy1:secret-pharmacy-1").decode()
    form = b"grant_type=client_credentials"
    for path in ("/connect/token", "/identity/connect/token"):
        for headers, body in (
            ([], form + b"&client_id=pharmacy1&client_secret=secret-pharmacy-1"),
            ([f"Authorization: Basic {basic}"], form),
        ):
            answer = await connection.ask("POST", path, *headers, body=body)
            assert answer.status == 200
            assert answer.members.keys() == {"access_token", "expires_in", "token_type", "scope"}
            assert answer.members["access_token"].startswith("eyJ")


async def point_2_three_prefixes_in_any_case(till: Till) -> None:
    for prefix in ("", "/api", "/verification", "/API", "/Verification"):
        for words in ("product/{}/pack/", "Product/{}/Pack/"):
            path = f"{prefix}/{words.format(f'gs1/{CODE}')}S1?{WHERE}"
            assert (await till.ask("GET", path, SCANNED)).code == "11110100", path


async def point_3_raw_paths_decoded_once(till: Till) -> None:
    for serial in ODD:
        everything = "".join(f"%{byte:02X}" for byte in serial.encode())
        spellings = [everything, everything.lower()]
        if not {"%", "?"} & set(serial):
            spellings.append(serial)
        for spelling in spellings:
            assert (await till.verify(spelling)).code == "11110100", spelling
    assert (await till.verify("A%252FB")).code == "11110100", "the serial number A%2FB"


async def point_4_plus_signs_and_empty_values(till: Till) -> None:
    assert (await till.verify("A+B")).code == (await till.verify("A%2BB")).code == "11110100"
    blank = await till.verify("S1", "batch=LOT+1&expiry=301231")
    assert blank.code == "61020006", "a plus in a query is a blank, which no batch has"
    sign = await till.verify("S1", "batch=LOT%2B1&expiry=301231")
    assert sign.status == 404, "a batch with a plus may be; this pack's is another one"
    manual = "emvs-data-entry-mode: manual"
    assert (await till.verify("S1", "batch=&expiry=", manual)).code == "11110100"
    assert (await till.verify("S1", "batch=LOT1&expiry=")).code == "61020004"


async def point_5_the_login_header(till: Till) -> None:
    token = till.login.rpartition(" ")[2]
    for scheme in ("bearer", "BEARER", "Bearer"):
        answer = await Till(till.connection, f"authorization: {scheme} {token}").verify("S1")
        assert answer.status == 200
    for header in ("X-None: 1", "Authorization: Bearer eyJ", f"Authorization: Basic {token}"):
        answer = await Till(till.connection, header).verify("S1")
        assert (answer.status, answer.code) == (401, "30020000")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def point_6_headers_that_do_not_matter(till: Till) -> None:
    for header in (
        "Accept: application/json",
        "Accept: text/html",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: application/json",
        "Accept-Encoding: nothing",
    ):
        assert (await till.verify("S1", WHERE, SCANNED, header)).code == "11110100", header


async def test_points_7_to_14_how_answers_look(
    running: RunningSystem, port: int, login: str
) -> None:
    async with RawConnection(port) as connection:
        till = Till(connection, login)
        await point_7_one_object_whatever_comes_of_it(running, till)
        await point_8_unknown_members_are_ignored(till)
        await point_9_timestamps(till)
        await point_13_no_status_that_puts_a_client_offline(till)
        await point_14_spellings_of_a_free_sample(till)


async def point_7_one_object_whatever_comes_of_it(running: RunningSystem, till: Till) -> None:
    port = running.ports["service"]
    authority = f"Authorization: Bearer {await token_of(port, 'nca1', 'secret-nca-1')}"
    await manage(running, "PUT", "/rate-plans/one", {"requests_per_s": 0.001, "burst": 1})
    await manage(running, "PATCH", "/organisations/Nca%201", {"rate_plan": "one"})
    answers = [
        await till.verify("S1"),
        await Till(till.connection, authority).change("S1", '{"state":"Supplied"}'),
        await till.verify("UNKNOWN"),
        await till.change("S1", '{"state":"Active"}'),
        await till.verify("S1", "batch=LOT1&expiry=311331"),
        await Till(till.connection, "X-None: 1").verify("S1"),
        await Till(till.connection, authority).verify("S1"),
    ]
    found = [(answer.status, answer.code) for answer in answers]
    assert found == [
        (200, "11110100"),
        (403, "30020000"),
        (404, "41020001"),
        (409, "51420100"),
        (422, "61020007"),
        (401, "30020000"),
        (429, "70020000"),
    ]


async def point_8_unknown_members_are_ignored(till: Till) -> None:
    body = '{"maxBulkPackCount":500000,"state":"Supplied","x":{"y":[null]}}'
    assert (await till.change("S1", body)).code == "11210200"


async def point_9_timestamps(till: Till) -> None:
    supplied = await till.change("S2", '{"state":"Supplied"}')
    until = supplied.members["canReactivateUntil"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", until)


async def point_13_no_status_that_puts_a_client_offline(till: Till) -> None:
    pack = f"/verification/product/gs1/{CODE}/pack/S3?{WHERE}"
    for method, target, headers, body in (
        ("POST", pack, (SCANNED,), '{"state":"Supplied"}'),
        ("PUT", pack, (SCANNED,), '{"state":"Supplied"}'),
        ("DELETE", pack, (SCANNED,), ""),
        ("PATCH", pack, (SCANNED, "Content-Type: text/xml"), "<state/>"),
        ("PATCH", pack, (SCANNED, "Content-Encoding: zip"), "x"),
        ("PATCH", pack, (SCANNED,), "\x00"),
        ("GET", "/verification/product/packs/%zz", (SCANNED,), ""),
        ("GET", "/verification/product/gs1", (), ""),
        ("POST", "/.well-known/jwks.json", (), "{}"),
        ("GET", "/verification/product/gs1/%FF/pack/%00?batch=%&expiry=%", (SCANNED,), ""),
    ):
        answer = await till.ask(method, target, *headers, body=body)
        assert answer.status in (404, 422), (method, target, answer)
        assert answer.code


async def point_14_spellings_of_a_free_sample(till: Till) -> None:
    spellings = ["FreeSample", "Free Sample", "FREE SAMPLE", "freesample"]
    for number, spelling in zip(count(4), spellings, strict=False):
        answer = await till.change(f"S{number}", f'{{"state":"{spelling}"}}')
        assert (answer.code, answer.members["state"]) == ("11310800", "FreeSample"), spelling


async def test_the_order_of_checks(running: RunningSystem, port: int, login: str) -> None:
    """Each request mends the first fault of the one before."""
    await manage(running, "PUT", "/rate-plans/one", {"requests_per_s": 0.001, "burst": 1})
    broken = "/verification/product/none/1/pack/%20?batch=%20&expiry=x"
    good = f"/verification/product/gs1/{CODE}/pack/S1?{WHERE}"
    authority = f"Authorization: Bearer {await token_of(port, 'nca1', 'secret-nca-1')}"
    async with RawConnection(port) as connection:
        nobody, till = Till(connection, "X-None: 1"), Till(connection, login)
        assert (await nobody.ask("PATCH", broken, body="{")).status == 401
        await manage(running, "PATCH", "/organisations/Pharmacy%201", {"rate_plan": "one"})
        assert (await till.ask("PATCH", broken, body="{")).code == "61020012"
        assert (await till.ask("PATCH", broken, body="{")).code == "70020000"
        await manage(running, "PATCH", "/organisations/Pharmacy%201", {"rate_plan": ""})
        odd = "emvs-data-entry-mode: 2d_two_dimensional_barcode"
        assert (await till.ask("PATCH", broken, odd, body="{")).code == "61020013"
        assert (await till.ask("PATCH", broken, SCANNED, body="{")).code == "61020009"
        assert (await till.ask("PATCH", good, SCANNED, body="{")).code == "61020015"
        wanted = '{"state":"Supplied"}'
        other = Till(connection, authority)
        assert (await other.ask("PATCH", good, SCANNED, body=wanted)).code == "30020000"
        assert (await till.ask("PATCH", good, SCANNED, body=wanted)).code == "11210200"
