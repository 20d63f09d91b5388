"""Master data and packs for tests as they go out, in the shape with pages and in the one before."""

from __future__ import annotations

import pytest
from lxml import etree

from emvs.interconnect import Wholesaler
from nmvs.master_data import WHOLESALERS_MAX, ProductMaster
from nmvs.packs_for_tests import PacksForTests
from nmvs.soap.catalogue import VERSIONS, Version
from nmvs.soap.data_calls import render_master, render_test_packs
from nmvs.soap.schema import types_schema

BEFORE_PAGES = VERSIONS[2]
PRODUCT = ProductMaster(
    "GTIN",
    "09520006000134",
    "Säle & Co\x01",
    "28001234",
    "M1",
    None,
    (Wholesaler("Big <1>", "W1", city="Cork"), Wholesaler("Small")),
)
HEAD = '<ns1:Product><ns1:ProductCode ns1:scheme="GTIN">09520006000134</ns1:ProductCode>'
NAMES = "<ns1:Name>Säle &amp; Co</ns1:Name><ns1:NHRN>28001234</ns1:NHRN><ns1:MahId>M1</ns1:MahId>"


def fits(content: str, type_name: str, version: Version) -> bool:
    """Whether an element of a type fits the schema."""
    schema = types_schema(version)
    element = f'<xs:element name="Tested" type="{type_name}"/></xs:schema>'
    compiled = etree.XMLSchema(etree.fromstring(schema.replace("</xs:schema>", element).encode()))
    inner = content.partition(">")[2].rpartition("<")[0]
    whole = f'<ns1:Tested xmlns:ns1="{version.types_namespace}">{inner}</ns1:Tested>'
    compiled.assertValid(etree.fromstring(whole))
    return True


def test_a_product_with_the_addresses_of_its_wholesalers() -> None:
    rendered = render_master(PRODUCT, VERSIONS[5])
    assert rendered == (
        f"{HEAD}{NAMES}<ns1:Wholesalers>"
        "<ns1:WholesalerDetails><ns1:ID>W1</ns1:ID><ns1:Name>Big &lt;1&gt;</ns1:Name>"
        "<ns1:City>Cork</ns1:City></ns1:WholesalerDetails>"
        "<ns1:WholesalerDetails><ns1:Name>Small</ns1:Name></ns1:WholesalerDetails>"
        "</ns1:Wholesalers></ns1:Product>"
    )
    assert fits(rendered, "MasterDataProductType", VERSIONS[5])


def test_a_product_before_there_were_pages_names_wholesalers_alone() -> None:
    rendered = render_master(PRODUCT, BEFORE_PAGES)
    assert rendered == (
        f"{HEAD}{NAMES}<ns1:Wholesalers><ns1:Wholesaler>Big &lt;1&gt;</ns1:Wholesaler>"
        "<ns1:Wholesaler>Small</ns1:Wholesaler></ns1:Wholesalers></ns1:Product>"
    )
    assert fits(rendered, "MasterDataProductType", BEFORE_PAGES)


@pytest.mark.parametrize(
    ("nhrn", "version", "told"),
    [("12-34", 5, True), ("12-34", 2, False), (51 * "1", 5, False), (None, 5, False)],
)
def test_a_national_number_that_the_version_cannot_hold_is_left_out(
    nhrn: str | None, version: int, *, told: bool
) -> None:
    rendered = render_master(PRODUCT._replace(national_code=nhrn), VERSIONS[version])
    assert ("NHRN" in rendered) is told


def test_as_many_wholesalers_are_told_as_the_schema_has() -> None:
    many = PRODUCT._replace(wholesalers=WHOLESALERS_MAX * (Wholesaler("W"),))
    rendered = render_master(many, VERSIONS[4])
    assert fits(rendered, "MasterDataProductType", VERSIONS[4])


@pytest.mark.parametrize(
    ("version", "described"),
    [
        (VERSIONS[5], 'ns1:desc="Successfully processed." ns1:sub_desc="{}"'),
        (BEFORE_PAGES, 'ns1:desc="Successfully processed. {}"'),
    ],
)
def test_packs_for_tests_and_what_else_is_needed_to_scan_them(
    version: Version, described: str
) -> None:
    packs = PacksForTests("09520006000134", "TEST2611", "281130", ["A<1", "B2"])
    what = described.format("GTIN 09520006000134, batch TEST2611, expiry 281130")
    rendered = render_test_packs(packs, version)
    assert rendered == (
        '<ns1:Packs><ns1:Pack ns1:sn="A&lt;1"/><ns1:Pack ns1:sn="B2"/></ns1:Packs>'
        f'<ns1:ReturnCode ns1:code="NMVS_SUCCESS" {what}/>'
    )
    assert fits(f"<x>{rendered}</x>", "TransactionDataType", version)
