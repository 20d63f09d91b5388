"""The served definitions: well-formed, complete, at the address that the client used."""

from __future__ import annotations

import pytest
from lxml import etree

from nmvs.soap.catalogue import OPERATIONS, SERVICES, VERSIONS, Service, Version
from nmvs.soap.schema import types_schema
from nmvs.soap.wsdl import describe, list_addresses

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SOAP12 = "{http://schemas.xmlsoap.org/wsdl/soap12/}"
SINGLE_V5 = "/WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV50"


def definitions(path: str = SINGLE_V5, query: str = "wsdl") -> etree._Element:
    text = describe(path, query, scheme="https", host="nmvs.example:8443")
    assert text is not None
    return etree.fromstring(text.encode())


def test_the_single_pack_service_is_named_as_published() -> None:
    wsdl = definitions()
    assert wsdl.get("targetNamespace") == "urn:services.nmvs.eu:v5.0"
    (service,) = wsdl.iter(f"{WSDL}service")
    (port,) = service
    assert service.get("name") == "SinglePackServices"
    assert port.get("name") == "Port_SinglePackServices"
    assert port.get("binding") == "ns:WSHttpBinding_ISinglePackServices"
    assert port[0].get("location") == f"https://nmvs.example:8443{SINGLE_V5}"


@pytest.mark.parametrize("version", VERSIONS.values(), ids=str)
@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda service: service.name)
def test_every_operation_is_bound_to_its_action(service: Service, version: Version) -> None:
    wsdl = definitions(service.path(version))
    bound = {
        operation.get("name"): operation[0].get("soapAction")
        for operation in wsdl.iter(f"{WSDL}operation")
        if operation[0].tag == f"{SOAP12}operation"
    }
    assert bound == {
        row.wsdl_name: row.action
        for row in OPERATIONS
        if row.service is service and version.number in row.version_numbers
    }


def test_published_actions() -> None:
    actions = {row.name: row.action for row in OPERATIONS}
    assert actions["SinglePackPing"] == "urn:PingSinglePack"
    assert actions["G112"] == "urn:G112Verify"
    assert actions["G123"] == "urn:G123UndoDispenseManualEntry"


def test_the_schemas_are_where_the_imports_point() -> None:
    (imported,) = definitions().iter("{http://www.w3.org/2001/XMLSchema}import")
    location = imported.get("schemaLocation")
    assert location == f"https://nmvs.example:8443{SINGLE_V5}?xsd=elements"
    elements = definitions(query="xsd=elements")
    assert elements[0].get("schemaLocation") == f"https://nmvs.example:8443{SINGLE_V5}?xsd=types"
    assert definitions(query="xsd=types").get("targetNamespace") == "urn:types.nmvs.eu:v5.0"


@pytest.mark.parametrize(
    ("path", "query", "host"),
    [
        (SINGLE_V5, "", "h"),
        (SINGLE_V5, "xsd=../../etc/passwd", "h"),
        (SINGLE_V5, "wsdl", 'h"><script>'),
        (SINGLE_V5, "wsdl", ""),
        ("/WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV30", "wsdl", "h"),
        ("/", "wsdl", "h"),
    ],
)
def test_nothing_else_is_served(path: str, query: str, host: str) -> None:
    assert describe(path, query, scheme="http", host=host) is None


def test_paths_and_keys_are_found_in_any_case() -> None:
    assert describe(SINGLE_V5.lower(), "WSDL", scheme="http", host="[::1]:80") is not None


def test_the_list_names_every_definition() -> None:
    lines = list_addresses(scheme="http", host="h:1").split()
    assert f"http://h:1{SINGLE_V5}?wsdl" in lines
    assert "http://h:1/WS_PKI_V1/PkiServiceV10?wsdl" in lines
    assert len(lines) == sum(len(each.path_numbers) for each in VERSIONS.values()) * len(SERVICES)


@pytest.mark.parametrize("number", [10, 20])
def test_version_2_is_described_at_the_path_that_its_client_used(number: int) -> None:
    path = f"/WS_SINGLE_TRANSACTIONS_V1/SinglePackServiceV{number}"
    wsdl = definitions(path)
    assert wsdl.get("targetNamespace") == "urn:services.nmvs.eu:v2.0"
    (address,) = wsdl.iter(f"{SOAP12}address")
    assert address.get("location") == f"https://nmvs.example:8443{path}"
    (imported,) = wsdl.iter("{http://www.w3.org/2001/XMLSchema}import")
    assert imported.get("schemaLocation") == f"https://nmvs.example:8443{path}?xsd=elements"


# What is in one version and not in another: a piece of its types, and the versions that have it.
DIFFERENCES = [
    ('name="authMethod"', {2}),
    ('value="NMVS_FE_AU_06"', {2}),
    ('name="alertId"', {4, 5}),
    ('name="sub_code"', {4, 5}),
    ('name="ItemUndo"', {4, 5}),
    ('name="ItemManUndo"', {4, 5}),
    ('value="NMVS_TE_IF_01"', {4, 5}),
    ('value="NMVS_NOTIFY_PMS_04"', {4, 5}),
    ('value="NMVS_NC_PC_14"', {4, 5}),
    ('value="NMVS_FE_LOT_17"', {5}),
    ("xs:unique", {2}),
]


@pytest.mark.parametrize(("piece", "numbers"), DIFFERENCES)
def test_versions_differ_as_published(piece: str, numbers: set[int]) -> None:
    having = {number for number, version in VERSIONS.items() if piece in types_schema(version)}
    assert having == numbers
    assert not any("v:in" in types_schema(version) for version in VERSIONS.values())
