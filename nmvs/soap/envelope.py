"""From the bytes of a message to the call that it makes, or to why it makes none.

The operation and the version are those of the first child of the SOAP body by its qualified name;
path, soapAction, content type and SOAP header are not looked at. Once the schema has passed, the
positions of all elements are certain, so fields are read by position. No HTTP, no login, no pack.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from lxml import etree

from nmvs.soap.bulk_messages import AnyCall
from nmvs.soap.bulk_reading import read_bulk_call
from nmvs.soap.catalogue import VERSIONS, Endpoint, Shape
from nmvs.soap.interface import INFERRED, Interface
from nmvs.soap.messages import AccountCall, DataCall, Frame, PackCall, PingCall, Refusal
from nmvs.soap.salvage import (
    DTD_DESCRIPTION,
    not_offered_description,
    refuse,
    unfit,
    unreadable_description,
)

SOAP_NAMESPACE: Final = "http://www.w3.org/2003/05/soap-envelope"
_ENVELOPE: Final = f"{{{SOAP_NAMESPACE}}}Envelope"
_HEADER: Final = f"{{{SOAP_NAMESPACE}}}Header"
_BODY: Final = f"{{{SOAP_NAMESPACE}}}Body"
_BLANKS: Final = b" \t\r\n"
_MARK_UTF8: Final = b"\xef\xbb\xbf"
_MARKS_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")

_AUTH_CHILDREN_MAX: Final = 4
"""With SubUserId, which may be absent."""

_SCHEME_TAGS: Final = {
    number: f"{{{version.types_namespace}}}scheme" for number, version in VERSIONS.items()
}
_SERIAL_TAGS: Final = {
    number: f"{{{version.types_namespace}}}sn" for number, version in VERSIONS.items()
}


def create_parser() -> etree.XMLParser:
    """Return a parser that reads nothing but the message: no entities, no files, no network.

    Nesting and text lengths are bounded by the library (`huge_tree` off).
    """
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        remove_blank_text=True,  # Between elements only; saves a tenth of the time.
    )


def read_message(
    message: bytes,
    parser: etree.XMLParser,
    schemas: Mapping[int, etree.XMLSchema],
    interface: Interface = INFERRED,
) -> AnyCall | Refusal:
    """Return what `message` asks for, or why it asks for nothing that is offered."""
    refused = partial(refuse, interface=interface)
    try:
        root = etree.fromstring(from_its_start(message), parser)
    except etree.XMLSyntaxError as error:
        return refused(message, "TE_XM_01", unreadable_description(error))
    if root.getroottree().docinfo.internalDTD is not None:
        return refused(message, "TE_XM_01", DTD_DESCRIPTION)
    request, defect = find_request(root)
    if request is None:
        return refused(root, "TE_XM_02", defect)
    request_tag = str(request.tag)
    endpoint = interface.endpoints.get(request_tag)
    if endpoint is None:
        return refused(
            root, "TE_XM_02", not_offered_description(request_tag, interface), request_tag
        )
    schema = schemas[endpoint.version.number]
    if not schema.validate(request):
        code, description = unfit(endpoint, next(iter(schema.error_log), None))
        return refused(root, code, description, request_tag)
    if endpoint.row.shape is Shape.PING:
        return PingCall(endpoint, request[0].text or "")
    if endpoint.row.shape.is_about_many:
        return read_bulk_call(endpoint, request)
    if endpoint.row.shape.is_about_account:
        return _read_account_call(endpoint, request)
    if endpoint.row.shape.is_about_data:
        return _read_data_call(endpoint, request)
    return _read_pack_call(endpoint, request)


def from_its_start(message: bytes) -> bytes:
    """Return the message without what deployed clients put before an XML declaration."""
    if message[:1] == b"<":
        return message
    if message.startswith(_MARK_UTF8):
        message = message[len(_MARK_UTF8) :]
    elif message[:2] in _MARKS_UTF16:
        try:
            return message.decode("utf-16").lstrip(" \t\r\n").encode("utf-16")
        except UnicodeError:
            return message  # The parser says what is wrong with it.
    return message.lstrip(_BLANKS)


def find_request(root: etree._Element) -> tuple[etree._Element | None, str]:
    """Return the only child of the SOAP body, or None and what is wrong with the envelope."""
    if root.tag != _ENVELOPE:
        return None, "the outermost element is not a SOAP 1.2 Envelope"
    part_count = len(root)
    body = root[-1] if 1 <= part_count <= 2 else None
    if body is None or body.tag != _BODY or (part_count == 2 and root[0].tag != _HEADER):
        return None, "an Envelope holds at most one Header and then one Body"
    if len(body) != 1:
        return None, f"element Body: holds one request, not {len(body)}"
    return body[0], ""


def _read_pack_call(endpoint: Endpoint, request: etree._Element) -> PackCall:
    """Return the fields of a request that has passed the schema.

    One walk in document order is twice as fast as going to each element (measured), and which of
    the optional elements are there follows from two lengths.
    """
    elements = list(request.iter())  # The request, Header, Auth and what is in it, ...
    frame, transaction_at = _read_frame(elements)
    code_at = transaction_at + 5
    next_at = code_at + len(elements[code_at - 1])  # Past the product code and a national number.
    batch_id = expiry = None
    if endpoint.has_batch:
        batch_id, expiry = elements[next_at].text, elements[next_at + 1].text
        next_at += 2
    product_code, pack = elements[code_at], elements[next_at]
    number = endpoint.version.number
    return PackCall(
        endpoint,
        frame,
        elements[5].text or "",
        product_code.get(_SCHEME_TAGS[number]) or "",
        product_code.text or "",
        pack.get(_SERIAL_TAGS[number]) or "",
        batch_id,
        expiry,
        elements[-1].text if elements[-1] is not pack else None,
    )


def _read_frame(elements: list[etree._Element]) -> tuple[Frame, int]:
    """Return the frame of a request, and where among its elements Transaction is."""
    has_sub_user = len(elements[2]) == _AUTH_CHILDREN_MAX
    at = 8 if has_sub_user else 7
    frame = Frame(
        elements[3].text or "",
        elements[4].text or "",
        elements[6].text if has_sub_user else None,
        elements[at + 1].text or "",
        elements[at + 2].text or "",
    )
    return frame, at


def _read_account_call(endpoint: Endpoint, request: etree._Element) -> AccountCall:
    """Return the fields of a request about the login itself that has passed the schema."""
    elements = list(request.iter())
    frame, transaction_at = _read_frame(elements)
    # Behind ClientTrxId, Language and Body, if there is a Body at all.
    values = tuple(element.text or "" for element in elements[transaction_at + 4 :])
    return AccountCall(endpoint, frame, elements[5].text or "", values)


def _read_data_call(endpoint: Endpoint, request: etree._Element) -> DataCall:
    """Return the fields of a request for data that has passed the schema."""
    elements = list(request.iter())
    frame, transaction_at = _read_frame(elements)
    scheme_tag = _SCHEME_TAGS[endpoint.version.number]
    codes, number = [], None
    # Behind ClientTrxId, Language and Body, if there is a Body at all.
    for element in elements[transaction_at + 4 :]:
        scheme = element.get(scheme_tag)
        if scheme is not None:
            codes.append((scheme, element.text or ""))
        elif element.text:
            number = int(element.text)
    return DataCall(endpoint, frame, elements[5].text or "", tuple(codes), number)
