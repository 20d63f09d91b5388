"""Reading messages: what deployed clients send is understood, all else is refused in form."""

from __future__ import annotations

import time

import pytest

from nmvs.soap.catalogue import VERSIONS
from nmvs.soap.codes import known_codes
from nmvs.soap.messages import NOT_READ, Frame, PackCall, PingCall, Refusal
from nmvs.soap.salvage import refuse
from tests.unit.nmvs.soap.soap_messages import changed, pack_call, read, refusal, vector


@pytest.mark.parametrize("version", [4, 5])
def test_a_verification_is_read(version: int) -> None:
    call = pack_call(vector("g110-request", version=version))
    assert call.endpoint.row.name == "G110"
    assert call.endpoint.version.number == version
    assert call.frame == Frame("PHARMACY00001", "USER0001", None, "SALE-000001", "deu")
    assert call[2:] == (
        "Demo-Pass-1",
        "GTIN",
        "09506000134376",
        "A1&<>\"'/%_",
        "LOT1",
        "301200",
        None,
    )


def test_a_verification_of_version_2_is_read() -> None:
    call = pack_call(vector("g110-request", version=2))
    assert call.endpoint.version.number == 2
    sub_user = "till-3,second-floor-of-the-branch-in-the-old-town,behind-the-counter"
    assert call.frame == Frame("PHARMACY00001", "USER0001", sub_user, "7", "deu")
    assert call[2:] == ("Demo-Pass-1", "GTIN", "09506000134376", "S1", "LOT1", "301200", None)
    undo = pack_call(vector("g131-request", version=2))
    assert (undo.endpoint.row.name, undo.reference) == ("G131", "1")
    assert undo.endpoint.is_undo


def test_blank_lines_comments_default_namespaces_and_optional_fields_are_read() -> None:
    call = pack_call(vector("g120-request-as-scripts-send-it"))
    assert call.endpoint.row.name == "G120"
    assert call.frame == Frame("PHARMACY00001", "USER0001", "till <3>", "SALE-000002", "eng")
    assert call[2:] == ("Demo-Pass-1", "PPN", "110375286414", "S1", "LOT1", "301231", None)


def test_soap_headers_do_not_matter_and_the_reference_is_read() -> None:
    call = pack_call(vector("g121-request-with-addressing"))
    assert call.endpoint.row.name == "G121"  # Not what the header's action says.
    assert call.endpoint.is_undo
    assert call.reference == "SALE-000002"


def test_an_undo_needs_no_reference() -> None:
    message = changed(
        "<b:RefClientTrxId>SALE-000002</b:RefClientTrxId>", "", name="g121-request-with-addressing"
    )
    assert pack_call(message).reference is None


@pytest.mark.parametrize("nhrn", ["", "<t:NHRN>03752864</t:NHRN>"])
@pytest.mark.parametrize("sub_user", ["", "<t:SubUserId>x</t:SubUserId>"])
def test_a_manual_entry_has_no_batch(nhrn: str, sub_user: str) -> None:
    message = changed("</t:ProductCode>", f"</t:ProductCode>{nhrn}", name="g112-request")
    message = message.replace(b"</t:Password>", f"</t:Password>{sub_user}".encode())
    call = pack_call(message)
    assert call.endpoint.is_manual
    assert (call.batch_id, call.expiry, call.serial_number) == (None, None, "S1")
    assert call.frame.client_transaction_id == "SALE-000004"


def test_a_ping_is_read() -> None:
    call = read(vector("support-ping-request"))
    assert isinstance(call, PingCall)
    assert call.text == 'is <anybody> & "you" there?'


@pytest.mark.parametrize(
    "message",
    [
        vector("g110-request").decode().encode("utf-16"),
        ("\n\n" + vector("g110-request").decode()).encode("utf-16"),
        b"\xfe\xff" + vector("g110-request").decode().encode("utf-16-be"),
        b"\xef\xbb\xbf" + vector("g110-request"),
        b"\xef\xbb\xbf\r\n\t" + vector("g120-request-as-scripts-send-it").lstrip(),
        b'<?xml version="1.0" encoding="ISO-8859-1"?>'
        + changed('"Counter"', '"Zähler"').decode().encode("latin-1"),
    ],
)
def test_encodings_and_byte_order_marks_are_understood(message: bytes) -> None:
    assert isinstance(read(message), PackCall)


def test_an_attribute_split_over_lines_is_read_as_xml_says() -> None:
    message = changed('y:sn="A1&amp;', 'y:sn="A1\n&amp;')  # A line break becomes a blank.
    assert refusal(message).code == "TE_XM_02"


def test_a_processing_instruction_is_skipped() -> None:
    message = changed("<y:Header>", "<y:Header><?php echo 1 ?>")
    assert isinstance(read(message), PackCall)


_text = vector("g110-request").decode()
_header, _body = _text.index("<y:Header>"), _text.index("<y:Body>")
_end = _text.index("</w:G110Request>")
BODY_FIRST = (_text[:_header] + _text[_body:_end] + _text[_header:_body] + _text[_end:]).encode()

# What is wrong, the message, and what the description says of it.
UNFIT = {
    "an element is missing": (changed("<y:Id>LOT1</y:Id>", ""), "Element 'ExpDate'"),
    "an element is invented": (changed("<y:Id>", "<y:Extra/><y:Id>"), "Element 'Extra'"),
    "expiry month 13": (changed(">301200<", ">301300<"), "Element 'ExpDate'"),
    "expiry of five digits": (changed(">301200<", ">30120<"), "Element 'ExpDate'"),
    "empty expiry": (changed(">301200<", "><"), "Element 'ExpDate'"),
    "serial with a blank": (changed('"A1&amp;', '"A 1&amp;'), "attribute 'sn'"),
    "serial of 21 characters": (changed('"A1&amp;', '"A1234567890ABC&amp;'), "attribute 'sn'"),
    "unqualified serial": (changed("y:sn=", "sn="), "attribute 'sn'"),
    "scheme in another namespace": (changed("y:scheme=", "w:scheme="), "attribute 'scheme'"),
    "scheme unknown": (changed('"GTIN"', '"EAN"'), "attribute 'scheme'"),
    "short password": (changed("Demo-Pass-1", "short"), "Element 'Password'"),
    "client transaction of 7": (changed("SALE-000001", "SALE-01"), "Element 'ClientTrxId'"),
    "language of two letters": (changed(">deu<", ">de<"), "Element 'Language'"),
    "Body before Header": (BODY_FIRST, "Element 'Body'"),
    "xsi:type of another request": (
        changed(
            "<y:Body>",
            '<y:Body xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'
            ' i:type="y:ManualRequestBodyType">',
        ),
        "Element 'Body'",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_does_not_fit_the_schema_is_refused_by_its_element(name: str) -> None:
    message, described = UNFIT[name]
    refused = refusal(message)
    assert refused.code == "TE_XM_02"
    assert described in refused.description
    assert "urn:types.nmvs.eu" not in refused.description
    assert refused.endpoint is not None
    assert refused.endpoint.row.name == "G110"


# The version, a message, a piece of it and what stands there instead, and what is said of that.
# Each piece is good in another version.
UNFIT_IN_VERSION = [
    (5, "g110-request", ">SALE-000001<", ">7<", "Element 'ClientTrxId': the value breaks its min"),
    (2, "g110-request", ">7<", f">{33 * '7'}<", "Element 'ClientTrxId': the value breaks its max"),
    (4, "g110-request", "<y:Auth>", "<y:Auth y:authMethod='password'>", "attribute 'authMethod'"),
    (2, "g110-request", "PHARMACY00001", 21 * "P", "Element 'ClientLoginId': the value breaks its"),
    (2, "g110-request", ">till-3", f">{255 * 't'}", "Element 'SubUserId': the value breaks its"),
    (2, "g110-request", "09506000134376", "ABC", "Element 'ProductCode': the value breaks its"),
    (2, "g122-request", "</typ:ProductCode>", "</typ:ProductCode><typ:NHRN>1</typ:NHRN>", "'NHRN'"),
    (2, "g110-request", "G110Request", "G112Request", "element G112Request is not offered in urn:"),
    (4, "g121-request-with-addressing", "G121Request", "G131Request", "element G131Request is not"),
    (5, "g121-request-with-addressing", "G121Request", "G181Request", "element G181Request is not"),
    (2, "g121-request-with-addressing", "G121Request", "G123Request", "element G123Request is not"),
    (2, "g195-request", "G121", "G123", "attribute 'reqType': the value breaks its enumeration"),
    (2, "g195-request", "G122", "G112", "attribute 'reqType': the value breaks its enumeration"),
    (4, "g195-request", "G121", "G131", "attribute 'reqType': the value breaks its enumeration"),
    (2, "g115-request-twice", "SERIAL", "SERIAL", "Element 'Pack': the same sn is there twice"),
]


@pytest.mark.parametrize(("version", "name", "old", "new", "described"), UNFIT_IN_VERSION)
def test_what_another_version_has_does_not_fit(
    version: int, name: str, old: str, new: str, described: str
) -> None:
    message = vector(name, version=version)
    assert old.encode() in message
    refused = refusal(message.replace(old.encode(), new.encode()))
    assert refused.code == ("FE_TX_06" if "SubUserId" in described and version > 2 else "TE_XM_02")
    assert described in refused.description
    assert refused.version.number == version


def test_a_mixed_bulk_of_version_2_has_no_element_for_undos() -> None:
    message = vector("g195-request").replace(b":v5.0", b":v2.0")
    assert b"ItemUndo" in message
    described = "Element 'ItemUndo': This element is not expected. Expected is one of"
    assert described in refusal(message).description


def test_a_request_of_another_version_is_told_where_it_is_offered() -> None:
    message = vector("g112-request", version=2)
    own, others = refusal(message).description.split(", but in ")
    assert own.endswith("G112Request is not offered in urn:wsdltypes.nmvs.eu:v2.0")
    assert others == "urn:wsdltypes.nmvs.eu:v4.0 urn:wsdltypes.nmvs.eu:v5.0"


def test_a_version_that_is_switched_off_is_told_which_there_are() -> None:
    message = vector("g110-request", version=2).replace(b":v2.0", b":v3.0")
    own, others = refusal(message).description.split(", but in ")
    assert own.endswith("G110Request is not offered in urn:wsdltypes.nmvs.eu:v3.0")
    assert others.split() == [f"urn:wsdltypes.nmvs.eu:v{number}.0" for number in (2, 4, 5)]


# What a value is to be; it stands behind the value in what the library says.
WRONG_VALUES = [
    (
        "g110-request",
        "Demo-Pass-1",
        "short",
        "Element 'Password': the value breaks its minLength '8'",
    ),
    (
        "g110-request",
        ">deu<",
        ">d'. 'x'.<",
        "Element 'Language': the value breaks its pattern '[A-Z",
    ),
    (
        "g110-request",
        '"GTIN"',
        '"EAN"',
        "'scheme': the value breaks its enumeration {'GTIN', 'PPN'}",
    ),
    ("g483-request", ">3<", ">secret<", "Element 'Version': the value is wrong"),
    ("g483-request", ">3<", ">1234567890<", "Element 'Version': the value breaks its totalDigits"),
]


@pytest.mark.parametrize(("name", "old", "new", "described"), WRONG_VALUES)
def test_a_description_says_what_is_wrong_with_a_value_but_not_the_value(
    name: str, old: str, new: str, described: str
) -> None:
    description = refusal(changed(old, new, name=name)).description
    assert described in description
    assert new.strip('<>"') not in description


@pytest.mark.parametrize(
    ("name", "body", "element"),
    [
        ("G201", "<y:ProductCodeList/><y:PageNumber>{}</y:PageNumber>", "PageNumber"),
        ("G901", "<y:Count>{}</y:Count>", "Count"),
        ("G483", "<y:Version>{}</y:Version>", "Version"),
    ],
)
def test_a_number_may_have_few_leading_zeros(name: str, body: str, element: str) -> None:
    head, _, tail = vector("g483-request").decode().partition("<y:Version>")
    tail = tail.partition("</y:Version>")[2]

    def message(number: str) -> bytes:
        return f"{head}{body.format(number)}{tail}".replace("G483", name).encode()

    assert not isinstance(read(message(" 007\n")), Refusal)
    refused = refusal(message(5_000 * "0" + "1"))  # More digits than Python makes a number of.
    assert refused.code == "TE_XM_02"
    assert f"'{element}'" in refused.description


def test_an_element_in_a_foreign_namespace_is_named_with_it() -> None:
    refused = refusal(changed("<y:Pack ", '<y:Pack xmlns:y="urn:types.nmvs.eu:v3.0" '))
    assert "urn:types.nmvs.eu:v3.0" in refused.description


NO_ENVELOPE = {
    "SOAP 1.1": changed(
        "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"
    ),
    "no envelope": b"<G110Request xmlns='urn:wsdltypes.nmvs.eu:v5.0'/>",
    "empty SOAP body": b"<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'><e:Body/>"
    b"</e:Envelope>",
    "no SOAP body": b"<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'/>",
    "two SOAP bodies": changed("</soapenv:Body>", "</soapenv:Body><soapenv:Body/>"),
    "SOAP body before SOAP header": changed("<soapenv:Header/>", "").replace(
        b"</soapenv:Body>", b"</soapenv:Body><soapenv:Header/>"
    ),
    "two requests": changed("</w:G110Request>", "</w:G110Request><w:G110Request/>"),
}


@pytest.mark.parametrize("name", NO_ENVELOPE)
def test_what_is_no_soap_message_with_one_request_does_not_fit(name: str) -> None:
    refused = refusal(NO_ENVELOPE[name])
    assert refused.code == "TE_XM_02"
    assert (refused.endpoint is None) == ("SOAP body" in name and name.startswith(("empty", "no")))


@pytest.mark.parametrize(("asked", "answered"), [(3, 5), (9, 5), (1, 5)])
def test_a_version_that_is_not_served_is_told_so_in_the_newest(asked: int, answered: int) -> None:
    refused = refusal(vector("g110-request", version=asked))
    assert refused.code == "TE_XM_02"
    assert "v4.0 urn:wsdltypes.nmvs.eu:v5.0" in refused.description
    assert refused.version.number == answered
    assert refused.endpoint is not None
    assert refused.endpoint.row.name == "G110"


def test_types_of_another_version_do_not_fit() -> None:
    refused = refusal(
        vector("g110-request").replace(b"urn:types.nmvs.eu:v5", b"urn:types.nmvs.eu:v4")
    )
    assert refused.code == "TE_XM_02"
    assert refused.version.number == 5


def test_an_unknown_operation_gets_no_shape() -> None:
    refused = refusal(vector("g110-request").replace(b"G110Request", b"G999Request"))
    assert (refused.code, refused.endpoint) == ("TE_XM_02", None)
    assert "G999Request" in refused.description


def test_a_bad_ping_gets_no_shape_because_its_reply_has_no_return_code() -> None:
    refused = refusal(changed(">is &lt;anybody", ">" + 90 * "x", name="support-ping-request"))
    assert (refused.code, refused.endpoint) == ("TE_XM_02", None)


MALFORMED = {
    "undeclared prefix": changed("<y:Id>", "<z:Id>"),
    "unescaped ampersand in the serial": changed("A1&amp;", "A1&"),
    "cut off": vector("g110-request")[:-40],
    "entity": changed("A1&amp;", "A1&nbsp;"),
    "two attributes of one name": changed('y:name="', 'y:name="" y:name="'),
    "a control character": changed(">LOT1<", ">LOT\x01<"),
    "wrong encoding": changed("<y:Id>LOT1", "<y:Id>").replace(b"<y:Id>", b"<y:Id>\xff"),
    "nested 5,000 deep": changed("<y:Id>", 5000 * "<a>" + 5000 * "</a>" + "<y:Id>"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_xml_is_answered_in_the_shape_of_its_operation(name: str) -> None:
    refused = refusal(MALFORMED[name])
    assert refused.code == "TE_XM_01"
    assert refused.endpoint is not None
    assert refused.endpoint.row.name == "G110"
    assert refused.frame == Frame("PHARMACY00001", "USER0001", None, "SALE-000001", "deu")


@pytest.mark.parametrize(
    "message", [b"", b" ", b"hello", b"<", b"\x00", b"\xff\xfe", b"\xff\xfe\x00\xd8", b"{}"]
)
def test_what_is_no_xml_at_all_gets_no_shape(message: bytes) -> None:
    refused = refusal(message)
    assert (refused.code, refused.endpoint) == ("TE_XM_01", None)
    assert refused.frame == Frame(NOT_READ, NOT_READ, None, NOT_READ, "eng")
    assert refused.description


DOCTYPES = {
    "external": '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
    "entity": '<!DOCTYPE x [<!ENTITY a "b">]>',
    "billion laughs": '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "'
    + 100 * "&a;"
    + '"><!ENTITY c "'
    + 100 * "&b;"
    + '"><!ENTITY d "'
    + 100 * "&c;"
    + '">]>',
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("name", DOCTYPES)
def test_a_document_type_is_refused_in_any_encoding(name: str, encoding: str) -> None:
    text = DOCTYPES[name] + changed(">LOT1<", ">&a;<").decode()
    if name == "external":
        text = text.replace("&a;", "LOT1")
    refused = refusal(text.encode(encoding))
    assert refused.code == "TE_XM_01"
    assert refused.endpoint is not None


def test_descriptions_are_one_short_line() -> None:
    refused = refusal(vector("g110-request").replace(b"G110Request", b"G" + 5000 * b"9"))
    assert len(refused.description) == 255
    assert "\n" not in refused.description


def test_a_refusal_costs_no_more_the_larger_the_message() -> None:
    def seconds(message: bytes) -> float:
        began_s = time.thread_time()
        refuse(message, "TE_XM_01", "")
        return time.thread_time() - began_s

    usual = vector("g110-request")
    assert refuse(usual + 64_000 * b"<", "TE_XM_01", "").endpoint is not None
    small, large = (min(seconds(size * b"<") for _ in range(9)) for size in (16_384, 131_072))
    assert large < 4 * small


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("code", ["TE_XM_01", "FE_TX_07", "TE_TX_03", "TI_TO_01"])
def test_a_message_is_refused_with_a_code_that_its_version_knows(version: int, code: str) -> None:
    refused = refuse(vector("g110-request", version=version), code, "why")
    assert refused.version.number == version
    assert refused.code in known_codes(version)
    assert refused.description == ("why" if refused.code == code else f"NMVS_{code}: why")
