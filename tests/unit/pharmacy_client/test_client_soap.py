"""SOAP dialect of the client: requests as bytes, replies of the interface's examples as bytes."""

from pathlib import Path

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
    ScanRefusedError,
    SystemUnreachableError,
)
from pharmacy_client.exchange import HttpReply, record_exchange
from pharmacy_client.results import PackCall, Result
from pharmacy_client.soap import build_request, make_result
from pharmacy_client.soap_reply import read_pack_reply

PROFILE = Profile(
    dialect=Dialect.SOAP,
    url="https://ws-single-transactions.example:8443",
    client_login_id="PHX00042",
    user_id="USER0007",
    password="Demo<Pass>&1",
    software_name="TillDemo",
    software_supplier='Example "Ltd"',
    software_version="1.0",
)
SCAN = Scan(
    scheme=Scheme.GTIN,
    product_code="09876543210982",
    serial_number="SN000000000123",
    batch_id="LOT-7A",
    expiry="280500",
)
TRX = "T20260302-0001"

FRAME = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:w="urn:wsdltypes.nmvs.eu:v5.0" xmlns:t="urn:types.nmvs.eu:v5.0">'
    "<s:Header/><s:Body><w:{message}Request><t:Header><t:Auth>"
    "<t:ClientLoginId>PHX00042</t:ClientLoginId><t:UserId>USER0007</t:UserId>"
    "<t:Password>Demo&lt;Pass&gt;&amp;1</t:Password></t:Auth>"
    '<t:UserSoftware t:name="TillDemo" t:supplier="Example &quot;Ltd&quot;" t:version="1.0"/>'
    "<t:Transaction><t:ClientTrxId>T20260302-0001</t:ClientTrxId>"
    "<t:Language>eng</t:Language></t:Transaction></t:Header>"
    "<t:Body>{body}</t:Body></w:{message}Request></s:Body></s:Envelope>"
)
PRODUCT = '<t:ProductCode t:scheme="GTIN">09876543210982</t:ProductCode>'
BATCH = "<t:Batch><t:Id>LOT-7A</t:Id><t:ExpDate>280500</t:ExpDate></t:Batch>"
REFERENCE = "<t:RefClientTrxId>T20260302-0002</t:RefClientTrxId>"
PACK = '<t:Pack t:sn="SN000000000123"/>'


def call(
    operation: Operation = Operation.VERIFY,
    *,
    manual: bool = False,
    reference: str | None = None,
    scan: Scan = SCAN,
) -> PackCall:
    return PackCall(operation, scan, manual, reference)


@pytest.mark.parametrize(
    ("pack_call", "message", "action", "body"),
    [
        (call(), "G110", "G110Verify", f"<t:Product>{PRODUCT}{BATCH}</t:Product>{PACK}"),
        (
            call(manual=True),
            "G112",
            "G112Verify",
            f"<t:Product>{PRODUCT}</t:Product>{PACK}",
        ),
        (
            call(Operation.SUPPLY),
            "G120",
            "G120Dispense",
            f"<t:Product>{PRODUCT}{BATCH}</t:Product>{PACK}",
        ),
        (
            call(Operation.UNDO_SUPPLY, reference="T20260302-0002"),
            "G121",
            "G121UndoDispense",
            f"<t:Product>{PRODUCT}{BATCH}</t:Product>{PACK}{REFERENCE}",
        ),
        (
            # There is no message for a destruction typed in by hand; the data are complete.
            call(Operation.DESTROY, manual=True),
            "G130",
            "G130Destroy",
            f"<t:Product>{PRODUCT}{BATCH}</t:Product>{PACK}",
        ),
    ],
)
def test_request_has_the_bytes_of_the_interface(
    pack_call: PackCall, message: str, action: str, body: str
) -> None:
    name, request = build_request(pack_call, PROFILE, TRX)
    assert name == message
    assert request.body == FRAME.format(message=message, body=body).encode()
    assert request.headers["Content-Type"] == (
        f'application/soap+xml; charset=utf-8; action="urn:{action}"'
    )
    assert request.url == (
        "https://ws-single-transactions.example:8443/WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV50"
    )
    assert request.changes_state is (pack_call.operation is not Operation.VERIFY)


def test_version_four_differs_in_namespace_and_path() -> None:
    profile = Profile.from_values(
        {"dialect": "soap", "url": "http://h:1/", "soap_version": "4.0"}
        | {"client_login_id": "A", "user_id": "B", "password": "Demo-Pass-1"},
        source="test",
        directory=Path(),
    )
    _, request = build_request(call(), profile, TRX)
    assert request.body is not None
    assert b'"urn:types.nmvs.eu:v4.0"' in request.body
    assert b"v5.0" not in request.body
    assert request.url == "http://h:1/WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV40"


def test_data_are_escaped() -> None:
    scan = Scan(scheme=Scheme.GTIN, product_code="1", serial_number="\"&'<>%+", batch_id="A&B<")
    _, request = build_request(call(scan=scan), PROFILE, TRX)
    assert request.body is not None
    assert b'<t:Pack t:sn="&quot;&amp;&#x27;&lt;&gt;%+"/>' in request.body
    # The missing expiry is left out; what is there is sent, for the system to judge.
    assert b"<t:Batch><t:Id>A&amp;B&lt;</t:Id></t:Batch>" in request.body


def test_record_of_a_request_holds_no_password() -> None:
    _, request = build_request(call(), PROFILE, TRX)
    record = record_exchange(request, HttpReply(200, {}, b"you sent Demo&lt;Pass&gt;&amp;1", 1.0))
    assert b"&lt;Pass" not in record.request + record.reply
    assert b"<t:Password>***</t:Password>" in record.request


@pytest.mark.parametrize(
    "pack_call",
    [
        call(Operation.UNDO_DESTROY),
        call(Operation.UNDO_STOLEN),
        call(Operation.CHECK_OUT),
        call(
            Operation.EXPORT,
            manual=True,
            scan=Scan(scheme=Scheme.GTIN, product_code="1", serial_number="2"),
        ),
    ],
)
def test_what_the_interface_lacks_is_said(pack_call: PackCall) -> None:
    with pytest.raises(NotOfferedError, match="SOAP interface offers no"):
        build_request(pack_call, PROFILE, TRX)


def test_what_xml_cannot_hold_is_not_sent() -> None:
    scan = Scan(scheme=Scheme.GTIN, product_code="1", serial_number="A\x00B")
    with pytest.raises(ScanRefusedError, match="cannot transport"):
        build_request(call(scan=scan), PROFILE, TRX)


def reply_bytes(
    body: str,
    *,
    message: str = "G110",
    version: str = "5.0",
    trx: str = TRX,
    note: str = "",
) -> bytes:
    return f"""<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"
  xmlns:ns2="urn:wsdltypes.nmvs.eu:v{version}" xmlns:ns1="urn:types.nmvs.eu:v{version}">
  <soap:Header/>
  <soap:Body><!-- a comment -->
    <ns2:{message}Response>
      <ns1:Header>
        <ns1:Auth><ns1:ClientLoginId>PHX00042</ns1:ClientLoginId><ns1:UserId>USER0007</ns1:UserId>
        </ns1:Auth>
        <ns1:Transaction>
          <ns1:Language>eng</ns1:Language>
          <ns1:ClientTrxId>{trx}</ns1:ClientTrxId>
          <ns1:NMVSTrxId>5f0c3a9e71d24b8896aa0b1c2d3e4f01</ns1:NMVSTrxId>
          <ns1:Timestamp>2026-03-02T09:15:27.412Z</ns1:Timestamp>
        </ns1:Transaction>{note}
      </ns1:Header>
      <ns1:Body>{body}</ns1:Body>
    </ns2:{message}Response>
  </soap:Body>
</soap:Envelope>""".encode()


REPLY_PRODUCT = """<ns1:Product>
  <ns1:ProductCode ns1:scheme="GTIN">09876543210982</ns1:ProductCode>
  <ns1:IntermarketFlag>{flag}</ns1:IntermarketFlag>
  <ns1:Batch><ns1:Id>LOT-7A</ns1:Id><ns1:ExpDate>280500</ns1:ExpDate>
    <ns1:ExpDateNMVS>2028-05-31</ns1:ExpDateNMVS></ns1:Batch>
</ns1:Product>"""


def pack_body(
    return_code: str, state: str, *reasons: str, alert: str = "", flag: str = "false"
) -> str:
    inner = "".join(f"<ns1:Reason>{reason}</ns1:Reason>" for reason in reasons)
    alert_attribute = f' ns1:alertId="{alert}"' if alert else ""
    return (
        REPLY_PRODUCT.format(flag=flag)
        + f'<ns1:Pack ns1:sn="SN000000000123" ns1:state="{state}">{inner}</ns1:Pack>'
        f'<ns1:ReturnCode ns1:code="{return_code}" ns1:desc="Words."{alert_attribute}/>'
    )


def result_of(
    body: bytes,
    operation: Operation = Operation.VERIFY,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Result:
    pack_call = call(operation)
    message, request = build_request(pack_call, PROFILE, TRX)
    reply = HttpReply(status, headers or {}, body, 12.0)
    answer = read_pack_reply(
        reply,
        record_exchange(request, reply),
        message=message,
        transaction_id=TRX,
        may_have_acted=request.changes_state,
    )
    return make_result(pack_call, answer, TRX)


def test_active_pack() -> None:
    result = result_of(reply_bytes(pack_body("NMVS_SUCCESS", "ACTIVE")))
    assert result.ok
    assert result.category is Category.ACTIVE
    assert result.state is State.ACTIVE
    assert result.return_code == "NMVS_SUCCESS"
    assert result.text == "Words."
    assert result.alert_id is None
    assert result.transaction_id == "5f0c3a9e71d24b8896aa0b1c2d3e4f01"
    assert result.client_transaction_id == TRX
    assert result.advice.colour is Colour.GREEN
    assert result.http_status == 200


def test_version_of_the_reply_and_its_prefixes_do_not_matter() -> None:
    body = reply_bytes(pack_body("NMVS_SUCCESS", "ACTIVE"), version="4.0")
    assert result_of(body.replace(b"ns1:", b"x:").replace(b":ns1=", b":x=")).ok


def test_alert_with_its_id_and_hub_code() -> None:
    result = result_of(
        reply_bytes(pack_body("NMVS_FE_LOT_13", "UNKNOWN", alert="XX-20260302-000017", flag="true"))
    )
    assert not result.ok
    assert result.category is Category.UNKNOWN
    assert result.alert_id == "XX-20260302-000017"
    assert result.alert_code == "A68"
    assert result.intermarket
    assert result.advice.colour is Colour.RED


def test_notifications_are_handed_on() -> None:
    note = (
        '<ns1:Notification ns1:notificationCode="NMVS_NOTIFY_AU_02"'
        ' ns1:notificationDesc="Your password will expire in 9 days."/>'
    )
    body = reply_bytes(pack_body("NMVS_SUCCESS", "ACTIVE"), note=note)
    assert result_of(body).notifications == (
        "NMVS_NOTIFY_AU_02 Your password will expire in 9 days.",
    )


@pytest.mark.parametrize(
    ("operation", "return_code", "state", "reasons", "category", "colour"),
    [
        (Operation.VERIFY, "NMVS_SUCCESS", "INACTIVE", ["SUPPLIED"], "refused", "red"),
        (Operation.VERIFY, "NMVS_SUCCESS", "INACTIVE", ["EXPIRED"], "refused", "amber"),
        (Operation.VERIFY, "NMVS_SUCCESS", "INACTIVE", ["NEW_REASON"], "refused", "red"),
        (Operation.VERIFY, "NMVS_SUCCESS", "NEW_STATE", [], "refused", "red"),
        (Operation.VERIFY, "NMVS_FE_LOT_01", "INACTIVE", ["RECALLED"], "refused", "red"),
        (Operation.VERIFY, "NMVS_NC_PC_01", "UNKNOWN", [], "unknown", "amber"),
        (Operation.VERIFY, "NMVS_NC_PC_14", "UNKNOWN", [], "unknown", "amber"),
        (Operation.VERIFY, "NMVS_FE_AU_15", "UNKNOWN", [], "not_permitted", "amber"),
        (Operation.VERIFY, "NMVS_TE_XX_99", "UNKNOWN", [], "unavailable", "amber"),
        (Operation.VERIFY, "NMVS_FE_NEW_01", "UNKNOWN", [], "refused", "red"),
        (Operation.VERIFY, "SOMETHING", "ACTIVE", [], "refused", "red"),
        (Operation.SUPPLY, "NMVS_SUCCESS", "INACTIVE", ["SUPPLIED"], "done", "green"),
        (Operation.SUPPLY, "NMVS_NC_PCK_23", "INACTIVE", ["SUPPLIED"], "tolerated", "amber"),
        (Operation.SUPPLY, "NMVS_NC_PCK_22", "INACTIVE", ["SUPPLIED"], "refused", "red"),
        (Operation.UNDO_SUPPLY, "NMVS_SUCCESS", "ACTIVE", [], "done", "green"),
        (Operation.UNDO_SUPPLY, "NMVS_SUCCESS", "INACTIVE", ["RECALLED"], "done", "red"),
        (Operation.UNDO_SUPPLY, "NMVS_NC_PCK_29", "ACTIVE", [], "tolerated", "green"),
        (Operation.UNDO_SUPPLY, "NMVS_NC_PCK_29", "INACTIVE", ["LOCKED"], "refused", "red"),
        (Operation.UNDO_SUPPLY, "NMVS_NC_PCK_20", "INACTIVE", ["SUPPLIED"], "refused", "red"),
    ],
)
def test_categories(
    operation: Operation,
    return_code: str,
    state: str,
    reasons: list[str],
    category: str,
    colour: str,
) -> None:
    message, _ = build_request(call(operation), PROFILE, TRX)
    body = reply_bytes(pack_body(return_code, state, *reasons), message=message)
    result = result_of(body, operation)
    assert (result.category, result.advice.colour) == (category, colour)
    assert result.reasons == tuple(reasons)


def test_state_of_the_batch_goes_before_the_packs() -> None:
    result = result_of(reply_bytes(pack_body("NMVS_SUCCESS", "INACTIVE", "SUPPLIED", "EXPIRED")))
    assert result.state is State.EXPIRED


@pytest.mark.parametrize(
    ("operation", "reason", "alert_code"),
    [
        (Operation.SUPPLY, "SUPPLIED", "A7"),
        (Operation.SUPPLY, "LOCKED", "A24"),
        (Operation.DESTROY, "DESTROYED", "A7"),
        (Operation.DESTROY, "SUPPLIED", "A24"),
    ],
)
def test_the_alert_about_an_inactive_pack_depends_on_what_was_asked(
    operation: Operation, reason: str, alert_code: str
) -> None:
    message, _ = build_request(call(operation), PROFILE, TRX)
    content = pack_body("NMVS_NC_PCK_22", "INACTIVE", reason, alert="XX-20260302-000017")
    assert result_of(reply_bytes(content, message=message), operation).alert_code == alert_code
    silent = reply_bytes(pack_body("NMVS_NC_PCK_22", "INACTIVE", reason), message=message)
    assert result_of(silent, operation).alert_code is None


@pytest.mark.parametrize("code", ["NMVS_FE_AU_01", "NMVS_FE_AU_11", "NMVS_FE_PKI_06"])
def test_refused_login_is_an_error(code: str) -> None:
    body = f'<ns1:ReturnCode ns1:code="{code}" ns1:desc="Login refused"/>'
    with pytest.raises(LoginRefusedError, match="Login refused") as caught:
        result_of(reply_bytes(body))
    assert caught.value.return_code == code
    assert caught.value.exchange is not None


FAULT = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault>'
    b"<s:Reason><s:Text>Boom</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
)
GOOD = reply_bytes(pack_body("NMVS_SUCCESS", "ACTIVE"))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "HTTP 200"),
        (b"<html><body>Welcome</body></html>", "not a SOAP 1.2 envelope"),
        (GOOD[:400], "HTTP 200"),
        (GOOD.replace(b"Words.", "Wörter".encode("latin-1")), "HTTP 200"),
        (b'<!DOCTYPE x [<!ENTITY e "v">]>' + GOOD, "DOCTYPE"),
        (GOOD.replace(b"wsdltypes.nmvs", b"elsewhere.nmvs"), "not G110Response"),
        (reply_bytes(pack_body("NMVS_SUCCESS", "ACTIVE"), message="G120"), "not G110Response"),
        (reply_bytes(pack_body("NMVS_SUCCESS", "ACTIVE"), trx="OTHER-001"), "another transaction"),
        (reply_bytes(""), "no ReturnCode"),
        (
            FAULT,
            "SOAP fault: Boom",
        ),
    ],
)
def test_what_is_no_reply_is_a_protocol_error(body: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why) as caught:
        result_of(body)
    assert not caught.value.may_have_acted


def test_success_of_a_supply_that_leaves_the_pack_active_is_not_believed() -> None:
    body = reply_bytes(pack_body("NMVS_SUCCESS", "ACTIVE"), message="G120")
    with pytest.raises(ProtocolError, match="contradicts itself") as caught:
        result_of(body, Operation.SUPPLY)
    assert caught.value.may_have_acted


def test_gateway_pages() -> None:
    with pytest.raises(LoginRefusedError, match="certificate"):
        result_of(b"<html>403 Forbidden</html>", status=403)
    with pytest.raises(SystemUnreachableError, match="503") as caught:
        result_of(b"busy", Operation.SUPPLY, status=503, headers={"retry-after": "30"})
    assert caught.value.retry_after_s == 30
    assert not caught.value.may_have_acted
    with pytest.raises(SystemUnreachableError) as caught:
        result_of(b"", Operation.SUPPLY, status=504)
    assert caught.value.may_have_acted
