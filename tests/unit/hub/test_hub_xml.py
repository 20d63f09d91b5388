"""The XML twin: the same message as in JSON, read safely, written back, and its schema."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from emvs.errors import BadRequestError
from emvs.obp_messages import MarketPart, PacksMessage, PostalOrganisation, ProductMessage
from hub.message_list import MESSAGES
from hub.xml_twin import NAMESPACE
from hub.xml_twin.reading import json_of
from hub.xml_twin.schema import schema_of
from hub.xml_twin.writing import xml_of

INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
SCHEMA = etree.XMLSchema(etree.fromstring(schema_of(MESSAGES).encode()))
text = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc")),
    max_size=12,
)
companies = st.builds(
    PostalOrganisation, name=st.none() | text, street2=st.none() | text, city=st.none() | text
)
products = st.builds(
    ProductMessage,
    transactionId=text,
    name=st.none() | text,
    packSize=st.none() | st.integers(-5, 10**9),
    atcCodes=st.lists(text, max_size=3),
    markets=st.lists(
        st.builds(
            MarketPart,
            market=st.none() | text,
            marketingAuthorisationHolder=st.none() | companies,
            designatedWholesalers=st.lists(companies, max_size=2),
        ),
        max_size=3,
    ),
)
batches = st.builds(
    PacksMessage,
    transactionId=text,
    productVersion=st.none() | st.integers(0, 9),
    manufacturer=st.none() | companies,
    serialNumbers=st.lists(text, max_size=5),
)


def element(name: str, value: Any) -> etree._Element:
    """Write a message as XML with another library than the hub's."""
    made = etree.Element(f"{{{NAMESPACE}}}{name}")
    if not dataclasses.is_dataclass(value):
        made.text = str(value)
        return made
    for field in dataclasses.fields(value):
        inner = getattr(value, field.name)
        for one in inner if isinstance(inner, list) else [inner]:
            if one is not None:
                made.append(element(field.name, one))
    return made


def read(body: bytes, kind: Any, root: str) -> bytes:
    return asyncio.run(json_of(body, kind, root))


@settings(max_examples=100, deadline=None)
@given(st.one_of(products, batches), st.sampled_from(["UTF-8", "UTF-16"]))
def test_a_message_says_the_same_in_xml_as_in_json(message: Any, encoding: str) -> None:
    root = "PMDR" if isinstance(message, ProductMessage) else "PPDC"
    document = element(root, message)
    body = etree.tostring(document, encoding=encoding, xml_declaration=True)
    assert msgspec.json.decode(read(body, type(message), root), type=type(message)) == message
    SCHEMA.assertValid(document)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "two words", "x<y"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    )
)
def test_an_answer_is_well_formed_whatever_is_in_it(answer: dict[str, Any]) -> None:
    document = etree.fromstring("".join(xml_of(answer)).encode())
    assert document.tag == f"{{{NAMESPACE}}}answer"
    told = {one.get("name") or etree.QName(one).localname for one in document}
    assert told == {name for name, value in answer.items() if value is not None}


def test_an_answer_in_xml() -> None:
    answer = {"status": "STDS", "markets": [{"market": "IE"}, {"market": "DE"}], "gone": None}
    assert "".join(xml_of(answer)) == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<answer xmlns="{NAMESPACE}"><status>STDS</status><markets><market>IE</market></markets>'
        "<markets><market>DE</market></markets></answer>\n"
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "well-formed"),
        ("<PPDC", "well-formed"),
        (f"<PPDC xmlns='{NAMESPACE}'/><PPDC/>", "well-formed"),
        ("<PPDC/>", "namespace"),
        (f"<PPDM xmlns='{NAMESPACE}'/>", "'PPDC'"),
        (f"<!DOCTYPE PPDC><PPDC xmlns='{NAMESPACE}'/>", "document type"),
        (f"<!DOCTYPE x [<!ENTITY a 'b'>]><PPDC xmlns='{NAMESPACE}'>&a;</PPDC>", "document type"),
        (f"<PPDC xmlns='{NAMESPACE}'>&a;</PPDC>", "well-formed"),
        (f"<PPDC xmlns='{NAMESPACE}' id='1'/>", "attribute"),
        (f"<PPDC xmlns='{NAMESPACE}'>text</PPDC>", "text beside"),
        (f"<PPDC xmlns='{NAMESPACE}'><colour/></PPDC>", "not a member"),
        (f"<PPDC xmlns='{NAMESPACE}'><expiry/><expiry/></PPDC>", "stands twice"),
        (f"<PPDC xmlns='{NAMESPACE}'><expiry><day/></expiry></PPDC>", "inside text"),
        (
            f"<PPDC xmlns='{NAMESPACE}' xmlns:i='{INSTANCE}'><expiry i:nil='true'/></PPDC>",
            "leave it out",
        ),
        ("<?xml version='1.0' encoding='klingon'?><PPDC/>", "UTF-8"),
        (f"<PPDC xmlns='{NAMESPACE}'>" + "<a>" * 100_000, "not a member"),
        (f"<PPDC xmlns='{NAMESPACE}'><expiry>\x00</expiry></PPDC>", "well-formed"),
    ],
)
def test_what_is_no_message_in_xml(body: str, told: str) -> None:
    with pytest.raises(BadRequestError, match=told):
        read(body.encode(), PacksMessage, "PPDC")


def test_absent_and_empty_are_told_apart() -> None:
    body = f"<PPDC xmlns='{NAMESPACE}'><batchId/><manufacturer/></PPDC>"
    assert read(body.encode(), PacksMessage, "PPDC") == b'{"batchId":"","manufacturer":{}}'
