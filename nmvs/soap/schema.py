"""The XML schemas of the interface: built from the type files and the catalogue, compiled once.

Per version there are two: the types of everything inside messages, and the outermost elements.
They are checked against and served; the texts are the same. No request is read here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from nmvs.soap.catalogue import VERSIONS, Service, Version
from nmvs.soap.codes import PREFIX, known_codes, notification_codes
from nmvs.soap.interface import INFERRED, Interface
from nmvs.soap.mixed_items import request_types

if TYPE_CHECKING:
    from lxml.etree._docloader import _InputDocument

ELEMENTS: Final = "elements"
TYPES: Final = "types"
"""Names under which the two schemas of a version are served and imported."""


_TYPES_FILE: Final = "types.xsd"
_FURTHER_TYPES_FILES: Final = ("bulk_types.xsd", "master_data_types.xsd", "test_data_types.xsd")
_IN: Final = "{versions}in"
"""Attribute of what is not in all versions: the numbers of those that it is in."""
_MARKS_NAMESPACE: Final = ' xmlns:v="versions"'

# What a large message is checked by, piece by piece; not served.
_PIECES: Final = """
  <xs:element name="Header" type="RequestHeaderType"/>
  <xs:element name="Pack" type="RequestPackType"/>
  <xs:element name="TrxItem" type="RequestItemType"/>
"""
_END: Final = "</xs:schema>"


def types_schema(version: Version, interface: Interface = INFERRED) -> str:
    """Return the schema of everything inside the requests and replies of `version`."""
    first = _definition(_TYPES_FILE, version).rpartition(_END)[0]
    # The other files are schemas by themselves, for whoever edits them: only what is in them.
    others = [
        _definition(file, version).partition("<!-- Types -->")[2].rpartition(_END)[0]
        for file in _FURTHER_TYPES_FILES
    ]
    return Template("".join((first, *others, _END, "\n"))).substitute(
        number=version.number,
        return_codes=_enumeration(known_codes(version.number), PREFIX),
        notification_codes=_enumeration(notification_codes(version.number), PREFIX),
        manual_undo_item=interface.names.manual_undo_item,
        page_number=interface.names.master_data_page,
        **{name: _enumeration(types) for name, types in request_types(version).items()},
    )


@cache
def _definition(name: str, version: Version) -> str:
    """Return a file as it is in `version`: without what is in others only."""
    root = etree.fromstring(files("nmvs.soap").joinpath("definitions", name).read_bytes())
    for element in list(root.iter(etree.Element)):
        numbers = element.attrib.pop(_IN, None)
        if numbers is not None and str(version.number) not in numbers:
            parent, previous = element.getparent(), element.getprevious()
            assert parent is not None, "a schema is in all versions"
            if previous is not None and element.getnext() is None:
                previous.tail = element.tail  # So that it stays well indented.
            parent.remove(element)
    text = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True).decode()
    return text.replace(_MARKS_NAMESPACE, "")


def _enumeration(values: Iterable[str], prefix: str = "") -> str:
    return "\n".join(f'      <xs:enumeration value="{prefix}{value}"/>' for value in values)


def elements_schema(
    version: Version,
    types_location: str,
    interface: Interface = INFERRED,
    service: Service | None = None,
) -> str:
    """Return the schema of the outermost elements, of one service or of all; it imports the types
    from `types_location`."""
    lines = []
    for row in interface.operations:
        if version.number in row.version_numbers and service in (None, row.service):
            lines += [
                f'  <xs:element name="{row.name}Request" type="t:{row.shape.value}"/>',
                f'  <xs:element name="{row.name}Response" type="t:{row.shape.response_type}"/>',
            ]
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="{version.types_namespace}"
           targetNamespace="{version.elements_namespace}" elementFormDefault="qualified">
  <xs:import namespace="{version.types_namespace}" schemaLocation="{types_location}"/>
{chr(10).join(lines)}
</xs:schema>
"""


class _OwnTypes(etree.Resolver):
    """Gives the compiler the types of one version, so that nothing is read from elsewhere."""

    def __init__(self, version: Version, interface: Interface) -> None:
        types = types_schema(version, interface).rpartition(_END)[0]
        self._types = f"{types}{_PIECES}{_END}".encode()

    def resolve(
        self, system_url: str | None, public_id: str | None, context: Any
    ) -> _InputDocument | None:
        """Return the types, whatever address the import names."""
        return self.resolve_string(self._types, context)


def compile_schema(version: Version, interface: Interface = INFERRED) -> etree.XMLSchema:
    """Return the compiled schema of all requests and replies of `version`, and of the pieces that
    large requests are read in. It may be used in any thread."""
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    parser.resolvers.add(_OwnTypes(version, interface))
    elements = elements_schema(version, TYPES, interface)
    return etree.XMLSchema(etree.fromstring(elements.encode(), parser))


def compile_schemas(interface: Interface = INFERRED) -> dict[int, etree.XMLSchema]:
    """Return the compiled schemas by version number."""
    return {number: compile_schema(version, interface) for number, version in VERSIONS.items()}
