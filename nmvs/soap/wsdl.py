"""The WSDL and the schemas as they are served: per service and version, with the address the
client used. Made from the catalogue; no file is read per request.

Names follow the published definitions (service, port, binding, message part, action of the port
type), so that code generated from them looks the same. The texts are ours.
"""

from __future__ import annotations

import re
from typing import Final

from nmvs.soap.catalogue import SERVICES, VERSIONS, Service, SoapOperation, Version
from nmvs.soap.interface import INFERRED, Interface
from nmvs.soap.schema import ELEMENTS, TYPES, elements_schema, types_schema

_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,255}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")

DESCRIBED: Final = {
    path.lower(): (service, version, path)
    for version in VERSIONS.values()
    for service in SERVICES.values()
    for path in service.paths(version)
}
"""Services by path, in lower case. Paths matter to definitions only, never to requests."""


def describe(
    path: str, query: str, *, scheme: str, host: str, interface: Interface = INFERRED
) -> str | None:
    """Return the document that `query` ("wsdl", "xsd=types") asks for at `path`, None if there is
    none. `host` is the Host header: what the client reached us by."""
    found = DESCRIBED.get(path.lower())
    if found is None or not _HOST.fullmatch(host):
        return None
    service, version, own_path = found
    if service not in interface.services:
        return None
    address = f"{scheme}://{host}{own_path}"
    key, _, name = query.partition("=")
    if key.lower() in ("wsdl", "singlewsdl"):
        return _wsdl(service, version, address, interface)
    if key.lower() == "xsd" and name == TYPES:
        return types_schema(version, interface)
    if key.lower() == "xsd" and name == ELEMENTS:
        return elements_schema(version, f"{address}?xsd={TYPES}", interface, service)
    return None


def list_addresses(*, scheme: str, host: str, interface: Interface = INFERRED) -> str:
    """Return a text that lists where the definitions are."""
    base = f"{scheme}://{host}" if _HOST.fullmatch(host) else ""
    return "".join(
        f"{base}{path}?wsdl\n"
        for service, _, path in DESCRIBED.values()
        if service in interface.services
    )


def _wsdl(service: Service, version: Version, address: str, interface: Interface) -> str:
    name = service.name
    rows = [
        row
        for row in interface.operations
        if row.service is service and version.number in row.version_numbers
    ]
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions name="{name}" targetNamespace="{version.services_namespace}"
    xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:xs="http://www.w3.org/2001/XMLSchema"
    xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/"
    xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl"
    xmlns:ns="{version.services_namespace}" xmlns:e="{version.elements_namespace}">
  <wsdl:types>
    <xs:schema>
      <xs:import namespace="{version.elements_namespace}"
          schemaLocation="{address}?xsd={ELEMENTS}"/>
    </xs:schema>
  </wsdl:types>
{"".join(map(_messages, rows))}\
  <wsdl:portType name="I{name}">
{"".join(map(_port_operation, rows))}\
  </wsdl:portType>
  <wsdl:binding name="WSHttpBinding_I{name}" type="ns:I{name}">
    <soap12:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
{"".join(map(_bound_operation, rows))}\
  </wsdl:binding>
  <wsdl:service name="{name}">
    <wsdl:port name="Port_{name}" binding="ns:WSHttpBinding_I{name}">
      <soap12:address location="{address}"/>
    </wsdl:port>
  </wsdl:service>
</wsdl:definitions>
"""


def _messages(row: SoapOperation) -> str:
    return "".join(
        f"""\
  <wsdl:message name="{row.name}{kind}Message">
    <wsdl:part name="messageParameters" element="e:{row.name}{kind}"/>
  </wsdl:message>
"""
        for kind in ("Request", "Response")
    )


def _port_operation(row: SoapOperation) -> str:
    request, response = f"ns:{row.name}RequestMessage", f"ns:{row.name}ResponseMessage"
    return f"""\
    <wsdl:operation name="{row.wsdl_name}">
      <wsdl:input message="{request}" wsaw:Action="{request}"/>
      <wsdl:output message="{response}" wsaw:Action="{response}"/>
    </wsdl:operation>
"""


def _bound_operation(row: SoapOperation) -> str:
    return f"""\
    <wsdl:operation name="{row.wsdl_name}">
      <soap12:operation soapAction="{row.action}" style="document"/>
      <wsdl:input><soap12:body use="literal"/></wsdl:input>
      <wsdl:output><soap12:body use="literal"/></wsdl:output>
    </wsdl:operation>
"""
