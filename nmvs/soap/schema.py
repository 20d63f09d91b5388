"""The XML schemas of the interface: built from the type files and the catalogue, compiled once.

Per version there are two: the types of everything inside messages, and the outermost elements.
They are checked against and served; the texts are the same. No request is read here.
"""

from __future__ import annotations

from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from nmvs.soap.catalogue import OPERATIONS, VERSIONS, Version
from nmvs.soap.codes import PREFIX, known_codes, notification_codes

if TYPE_CHECKING:
    from lxml.etree._docloader import _InputDocument

ELEMENTS: Final = "elements"
TYPES: Final = "types"
"""Names under which the two schemas of a version are served and imported."""


def types_schema(version: Version) -> str:
    """Return the schema of everything inside the requests and replies of `version`."""
    text = files("nmvs.soap").joinpath("definitions", version.types_file).read_text("utf-8")
    return Template(text).substitute(
        number=version.number,
        return_codes=_enumeration(known_codes(version.number)),
        notification_codes=_enumeration(notification_codes(version.number)),
    )


def _enumeration(codes: tuple[str, ...]) -> str:
    return "\n".join(f'      <xs:enumeration value="{PREFIX}{code}"/>' for code in codes)


def elements_schema(version: Version, types_location: str) -> str:
    """Return the schema of the outermost elements; it imports the types from `types_location`."""
    lines = []
    for row in OPERATIONS:
        if version.number in row.version_numbers:
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

    def __init__(self, version: Version) -> None:
        self._types = types_schema(version).encode()

    def resolve(
        self, system_url: str | None, public_id: str | None, context: Any
    ) -> _InputDocument | None:
        """Return the types, whatever address the import names."""
        return self.resolve_string(self._types, context)


def compile_schema(version: Version) -> etree.XMLSchema:
    """Return the compiled schema of all requests and replies of `version`."""
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    parser.resolvers.add(_OwnTypes(version))
    return etree.XMLSchema(etree.fromstring(elements_schema(version, TYPES).encode(), parser))


def compile_schemas() -> dict[int, etree.XMLSchema]:
    """Return the compiled schemas by version number."""
    return {number: compile_schema(version) for number, version in VERSIONS.items()}
