"""REST dialect of the client: requests as they go out, answers as the interface's examples."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from emvs.markets import Dialect
from emvs.scan import Scan
from emvs.scheme import Scheme
from emvs.states import Operation, State
from pharmacy_client import (
    Category,
    Colour,
    LoginRefusedError,
    NotOfferedError,
    Profile,
    ProtocolError,
    SystemUnreachableError,
)
from pharmacy_client.exchange import HttpReply, HttpRequest, record_exchange
from pharmacy_client.rest import RestDialect, build_request, read_result
from pharmacy_client.results import PackCall, Result

PROFILE = Profile(
    dialect=Dialect.REST,
    url="https://api.example/verification/",
    token_url="https://api.example/identity/connect/token",
    client_id="till-1",
    client_secret="s3cret &+",
    locale="sv-SE",
    software_name="Till Demo",
    software_version="1.0",
)
SCAN = Scan(
    scheme=Scheme.GTIN,
    product_code="09876543210982",
    serial_number="SN000000000123",
    batch_id="LOT-7A",
    expiry="280500",
)
BASE = "https://api.example/verification/product/gs1/09876543210982/pack/"


def request_for(
    operation: Operation = Operation.VERIFY, *, manual: bool = False, **changed: Any
) -> HttpRequest:
    fields = {name: getattr(SCAN, name) for name in Scan.__dataclass_fields__} | changed
    return build_request(PackCall(operation, Scan(**fields), manual), PROFILE, "eyJ.token")


def test_verify_request() -> None:
    request = request_for()
    assert request == HttpRequest(
        method="GET",
        url=BASE + "SN000000000123?batch=LOT-7A&expiry=280500",
        headers={
            "Authorization": "Bearer eyJ.token",
            "Accept": "application/json",
            "Accept-Language": "sv-SE",
            "User-Agent": "Till-Demo/1.0",
            "emvs-data-entry-mode": "non-manual",
        },
        body=None,
        changes_state=False,
        secrets=(b"eyJ.token",),
    )
    assert b"eyJ" not in record_exchange(request).request


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (Operation.SUPPLY, b'{"state":"Supplied"}'),
        (Operation.FREE_SAMPLE, b'{"state":"FreeSample"}'),
        (Operation.LOCK, b'{"state":"Locked"}'),
        (Operation.UNDO_SUPPLY, b'{"state":"Active"}'),
        (Operation.UNDO_EXPORT, b'{"state":"Active"}'),
    ],
)
def test_change_request(operation: Operation, body: bytes) -> None:
    request = request_for(operation, manual=True)
    assert (request.method, request.body, request.changes_state) == ("PATCH", body, True)
    assert request.headers["emvs-data-entry-mode"] == "manual"
    assert request.headers["Content-Type"] == "application/json"


def test_check_out_is_not_offered() -> None:
    with pytest.raises(NotOfferedError):
        request_for(Operation.CHECK_OUT)


@pytest.mark.parametrize(
    ("changed", "resource"),
    [
        (
            {"serial_number": 'A/B+C%2F"?&=#', "batch_id": "x+y&z=1"},
            "A%2FB%2BC%252F%22%3F%26%3D%23?batch=x%2By%26z%3D1&expiry=280500",
        ),
        ({"batch_id": None}, "SN000000000123?expiry=280500"),
        ({"batch_id": None, "expiry": ""}, "SN000000000123"),
        ({"serial_number": ".."}, "%2E%2E?batch=LOT-7A&expiry=280500"),
        ({"serial_number": "αβγ"}, "%CE%B1%CE%B2%CE%B3?batch=LOT-7A&expiry=280500"),
    ],
)
def test_every_part_of_the_address_is_encoded(changed: dict[str, Any], resource: str) -> None:
    assert request_for(**changed).url == BASE + resource


def test_ppn_is_asked_for_under_ifa() -> None:
    request = request_for(scheme=Scheme.PPN, product_code="110375286414")
    assert "/product/ifa/110375286414/pack/" in request.url


def result_of(
    body: Any,
    operation: Operation = Operation.VERIFY,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Result:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = HttpReply(status, headers or {}, raw, 3.0)
    call = PackCall(operation, SCAN)
    return read_result(call, reply, record_exchange(request_for(operation), reply))


def test_active_pack() -> None:
    result = result_of(
        b'{"operationCode":"11110100","state":"Active","information":"The pack is active.",'
        b'"productName":"Examplol 10 mg","nhrn":"280012345678","isIntermarket":true}'
    )
    assert result.ok
    assert result.category is Category.ACTIVE
    assert result.state is State.ACTIVE
    assert (result.return_code, result.text) == ("11110100", "The pack is active.")
    assert result.product_name == "Examplol 10 mg"
    assert result.intermarket
    assert result.advice.colour is Colour.GREEN


def test_supply_tells_until_when_it_can_be_undone() -> None:
    result = result_of(
        b'{"operationCode":"11210200","state":"Supplied","information":"The pack has been'
        b' supplied.","canReactivate":true,"canReactivateUntil":"2030-01-11T08:00:00.000Z"}',
        Operation.SUPPLY,
    )
    assert result.category is Category.DONE
    assert result.undo_until == datetime(2030, 1, 11, 8, tzinfo=UTC)


def test_odd_time_does_not_lose_the_answer() -> None:
    body = {"operationCode": "11210200", "state": "Supplied", "canReactivateUntil": "soon"}
    assert result_of(body, Operation.SUPPLY).undo_until is None


def test_alert() -> None:
    result = result_of(
        b'{"operationCode":"51220200","state":"Supplied","warning":"The pack cannot be supplied.",'
        b'"alertId":"XX-7Q2-0KD-M41-99Z-A0B","alertCode":"#A7","amsLink":"https://ams.example/XX"}',
        Operation.SUPPLY,
        status=409,
    )
    assert result.category is Category.REFUSED
    assert (result.alert_id, result.alert_code) == ("XX-7Q2-0KD-M41-99Z-A0B", "A7")
    assert result.alert_link == "https://ams.example/XX"
    assert result.advice.colour is Colour.RED
    assert "alert" in result.advice.sentence


@pytest.mark.parametrize(
    ("operation", "status", "code", "state", "category", "colour"),
    [
        (Operation.VERIFY, 200, "11110200", "Supplied", "refused", "red"),
        (Operation.VERIFY, 200, "11110201", "Supplied", "refused", "amber"),
        (Operation.VERIFY, 200, "11110900", "checked-out", "refused", "red"),
        (Operation.VERIFY, 200, "11111100", "Expired", "refused", "amber"),
        (Operation.VERIFY, 200, "11111000", "Recalled", "refused", "red"),
        # The state is told by the code alone; or by nothing; or in a new word.
        (Operation.VERIFY, 200, "11110100", None, "active", "green"),
        (Operation.VERIFY, 200, "10010000", None, "refused", "red"),
        (Operation.VERIFY, 200, "11119900", "Melted", "refused", "red"),
        # The member goes before the code where they differ: nothing is active by mistake.
        (Operation.VERIFY, 200, "11110100", "Supplied", "refused", "red"),
        (Operation.VERIFY, 404, "41020000", None, "unknown", "amber"),
        (Operation.VERIFY, 404, "4X020000", None, "unknown", "amber"),
        (Operation.VERIFY, 422, "61020008", None, "invalid", "amber"),
        (Operation.VERIFY, 403, "30020000", None, "not_permitted", "amber"),
        (Operation.VERIFY, 429, "70020000", None, "unavailable", "amber"),
        (Operation.VERIFY, 503, "B1020000", None, "unavailable", "amber"),
        (Operation.SUPPLY, 200, "11220201", "Supplied", "tolerated", "amber"),
        (Operation.SUPPLY, 200, "99999", "Supplied", "done", "green"),
        (Operation.SUPPLY, 409, "51221100", "Expired", "refused", "amber"),
        (Operation.FREE_SAMPLE, 200, "11310800", "Free Sample", "done", "green"),
        (Operation.DESTROY, 200, "11310300", "Recalled", "done", "green"),
        (Operation.UNDO_SUPPLY, 200, "11410100", "Active", "done", "green"),
        (Operation.UNDO_SUPPLY, 200, "11411100", "Expired", "done", "amber"),
        (Operation.UNDO_SUPPLY, 200, "11420100", "Active", "tolerated", "green"),
        (Operation.UNDO_SUPPLY, 409, "51420100", "Active", "tolerated", "green"),
        (Operation.UNDO_SUPPLY, 409, "51420002", None, "refused", "red"),
    ],
)
def test_categories(
    operation: Operation, status: int, code: str, state: str | None, category: str, colour: str
) -> None:
    body = {"operationCode": code, "warning" if code[3:4] == "2" else "information": "Words."}
    result = result_of(body | ({"state": state} if state else {}), operation, status=status)
    assert (result.category, result.advice.colour) == (category, colour)


@pytest.mark.parametrize("status", [200, 409, 500])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'"11110100"',
        b"{}",
        b'{"operationCode":11110100}',
        b'{"operationCode":"11110100","state":',
        b'{"operationCode":"11110100","warning":"W\xf6rter"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer_is_a_protocol_error(status: int, body: bytes) -> None:
    with pytest.raises(ProtocolError, match=f"HTTP {status}") as caught:
        result_of(body, Operation.SUPPLY, status=status)
    assert caught.value.may_have_acted


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [(200, "11210200", "Active"), (200, "11210200", "Melted"), (302, "11210200", "Supplied")],
)
def test_contradictions_are_not_believed(status: int, code: str, state: str) -> None:
    with pytest.raises(ProtocolError, match="contradicts itself"):
        result_of({"operationCode": code, "state": state}, Operation.SUPPLY, status=status)


def test_throttled_without_a_body() -> None:
    with pytest.raises(SystemUnreachableError, match="429") as caught:
        result_of(
            b"",
            Operation.SUPPLY,
            status=429,
            headers={
                "retry-after": "Wed, 02 Jan 2030 10:00:40 GMT",
                "date": "Wed, 02 Jan 2030 10:00:00 GMT",
            },
        )
    assert caught.value.retry_after_s == 40
    assert not caught.value.may_have_acted


class ScriptedTransport:
    """The far end, at the seam made for it: answers by a list, keeps what it was sent."""

    def __init__(self, *replies: tuple[int, bytes]) -> None:
        self.sent: list[HttpRequest] = []
        self._replies = list(replies)

    async def send(self, request: HttpRequest) -> HttpReply:
        self.sent.append(request)
        status, body = self._replies.pop(0)
        return HttpReply(status, {}, body, 1.0)

    async def close(self) -> None:
        pass


ACTIVE = (200, b'{"operationCode":"11110100","state":"Active"}')
REFUSED = (401, b"")
CALL = PackCall(Operation.VERIFY, SCAN)


def token(name: str) -> tuple[int, bytes]:
    return 200, json.dumps({"access_token": name, "expires_in": 3600}).encode()


async def test_token_is_fetched_once() -> None:
    transport = ScriptedTransport(token("t1"), ACTIVE, ACTIVE)
    dialect = RestDialect(PROFILE, transport)
    await dialect.perform(CALL)
    await dialect.perform(CALL)
    assert [request.method for request in transport.sent] == ["POST", "GET", "GET"]
    assert transport.sent[0].body == (
        b"grant_type=client_credentials&client_id=till-1&client_secret=s3cret+%26%2B"
    )


async def test_refused_token_is_renewed_once_and_the_call_repeated() -> None:
    transport = ScriptedTransport(token("t1"), REFUSED, token("t2"), ACTIVE)
    result = await RestDialect(PROFILE, transport).perform(CALL)
    assert result.ok
    assert transport.sent[3].headers["Authorization"] == "Bearer t2"


async def test_second_refusal_is_a_refused_login() -> None:
    transport = ScriptedTransport(token("t1"), REFUSED, token("t2"), REFUSED)
    with pytest.raises(LoginRefusedError, match="fresh token"):
        await RestDialect(PROFILE, transport).perform(CALL)
