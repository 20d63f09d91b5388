"""Requests as literal bytes, and the codes that are expected of the answers."""

from __future__ import annotations

import pytest

from emvs.infra.launch.errors import LaunchError
from loadtests.run.locust_process import need_locust
from loadtests.scenarios.messages import Writer, expected_codes, rest_code, soap_code
from loadtests.scenarios.mix import SINGLE_PACK, Fault, Operation, Role
from loadtests.scenarios.packs import Pack
from loadtests.scenarios.plan import RestLogin, Site, SoapLogin
from loadtests.scenarios.shelves import Job

PACK = Pack(7, "ABCDEFGHJKL2", "L000001-0000", "301231")
LOGIN = SoapLogin("LVLOAD001", "USER0001", "50%-Pass")
SOAP = Site(0, "LV", Role.PHARMACY, "here", "https://127.0.0.1:8443", soap=LOGIN)
REST = Site(1, "IE", Role.PHARMACY, "here", "http://127.0.0.1:8080", rest=RestLogin("a", "b"))
CODE = "09527000000008"


def test_a_rest_supply() -> None:
    writer = Writer(REST, CODE, None)
    writer.token = "T"
    job = Job(Operation.SUPPLY, PACK, manual=True)
    assert writer.request(job, "T00000001").as_bytes() == (
        b"PATCH /verification/product/gs1/09527000000008/pack/ABCDEFGHJKL2"
        b"?batch=L000001-0000&expiry=301231 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
        b"Authorization: Bearer T\r\nemvs-data-entry-mode: manual\r\n"
        b'Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{"state":"Supplied"}'
    )


def test_a_rest_verification_has_no_body() -> None:
    request = Writer(REST, CODE, None).request(Job(Operation.VERIFY, PACK), "T00000001")
    assert request.as_bytes().startswith(b"GET /verification/product/gs1/")
    assert request.as_bytes().endswith(b"\r\n\r\n")
    assert request.headers()["emvs-data-entry-mode"] == "non-manual"


def test_a_soap_undo() -> None:
    job = Job(Operation.UNDO, PACK, reference="T00000001")
    request = Writer(SOAP, CODE, None).request(job, "T00000002")
    assert request.path == "/WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV50"
    assert "<t:Password>50%-Pass</t:Password>" in request.body
    assert request.body.endswith(
        "<t:ClientTrxId>T00000002</t:ClientTrxId><t:Language>eng</t:Language></t:Transaction>"
        '</t:Header><t:Body><t:Product><t:ProductCode t:scheme="GTIN">09527000000008'
        "</t:ProductCode><t:Batch><t:Id>L000001-0000</t:Id><t:ExpDate>301231</t:ExpDate>"
        '</t:Batch></t:Product><t:Pack t:sn="ABCDEFGHJKL2"/>'
        "<t:RefClientTrxId>T00000001</t:RefClientTrxId></t:Body></env:G121Request></soap:Body>"
        "</soap:Envelope>"
    )


def test_what_is_typed_in_has_no_batch_in_soap() -> None:
    job = Job(Operation.VERIFY, PACK, manual=True)
    body = Writer(SOAP, CODE, None).request(job, "T00000001").body
    assert "G112Request" in body
    assert "Batch" not in body


def test_a_pack_of_another_market_has_its_own_product() -> None:
    job = Job(Operation.VERIFY, PACK, foreign=True)
    assert "09527000000015" in Writer(REST, CODE, "09527000000015").request(job, "T1").path


def test_codes_are_found_in_answers() -> None:
    listed = b'<ns1:Pack><ns1:ReturnCode ns1:code="NMVS_NC_PC_02" ns1:desc="x"/></ns1:Pack>'
    whole = b'<ns1:ReturnCode ns1:code="NMVS_SUCCESS" ns1:desc="x"/>'
    assert soap_code(listed + whole) == "SUCCESS"
    assert rest_code(b'{"operationCode":"11110100","state":"Active"}') == "11110100"
    assert (soap_code(b"nothing"), rest_code(b"")) == ("", "")


@pytest.mark.parametrize("is_soap", [True, False])
@pytest.mark.parametrize("operation", SINGLE_PACK)
def test_each_operation_has_codes_it_may_be_answered_with(
    operation: Operation, is_soap: bool
) -> None:
    job = Job(operation, PACK)
    done = expected_codes(job, is_soap=is_soap, recalled=False)
    assert len(done) == 1
    assert done < expected_codes(job, is_soap=is_soap, recalled=True)
    for fault in list(Fault)[1:]:
        faulty = expected_codes(job._replace(fault=fault), is_soap=is_soap, recalled=False)
        assert faulty.isdisjoint(done)


def test_without_locust_one_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(LaunchError, match=r"make load ARGS=.*locks/load\.txt"):
        need_locust()
