"""The catalogue with its open names filled in: what one market's interface offers.

Some names of the real interface are not public. What stands in the catalogue for them is inferred,
and a market may set another, so that a client that knows the real one works all the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Final

from nmvs.soap.catalogue import (
    OPERATIONS,
    SERVICES,
    VERSIONS,
    Endpoint,
    Service,
    Shape,
    SoapOperation,
    Version,
    make_endpoint,
)

_IS_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}").fullmatch
_OPEN: Final = {
    Shape.TICKETS: "ticket_list",
    Shape.MASTER_DATA: "master_data",
    Shape.TEST_DATA: "test_data",
}
"""What names the operation of a shape."""
_TAKEN_BRANCHES: Final = frozenset({"Item", "ItemUndo", "ItemMan"})


@dataclass(frozen=True, slots=True)
class OpenNames:
    """Names that no public source tells."""

    ticket_list: str = "G101"
    """Operation that lists the own open bulk requests."""
    manual_undo_item: str = "ItemManUndo"
    """Element of an item of a mixed bulk that undoes what was typed in by hand."""
    master_data: str = "G201"
    """Operation that downloads master data."""
    master_data_page: str = "PageNumber"
    """Element that asks for a page of them."""
    test_data: str = "G901"
    """Operation that hands out packs for tests."""

    def problem(self) -> str | None:
        """Return why these names cannot be used, None if they can."""
        for field in fields(self):
            name = getattr(self, field.name)
            if not isinstance(name, str) or not _IS_NAME(name):
                return f"{field.name}: {name!r} is no name of an XML element"
        taken = {row.name for row in OPERATIONS if row.shape not in _OPEN}
        for member in _OPEN.values():
            name = getattr(self, member)
            if name in taken:
                return f"{member}: {name!r} is another operation"
            taken.add(name)
        if self.manual_undo_item in _TAKEN_BRANCHES:
            return f"manual_undo_item: {self.manual_undo_item!r} is another item"
        return None


class Interface:
    """Operations of one market, by their names in it."""

    def __init__(
        self,
        names: OpenNames | None = None,
        services: Collection[Service] = tuple(SERVICES.values()),
        *,
        sandbox: bool = True,
    ) -> None:
        """`names` have no problem; of other `services` nothing is offered, nor what is there for
        tests without `sandbox`."""
        self.names = names or OpenNames()
        self.services = services
        self.operations = tuple(
            self._named(row)
            for row in OPERATIONS
            if row.service in services and (sandbox or row.shape is not Shape.TEST_DATA)
        )
        self.endpoints: dict[str, Endpoint] = {
            f"{{{version.elements_namespace}}}{row.name}Request": make_endpoint(row, version)
            for version in VERSIONS.values()
            for row in self.operations
            if version.number in row.version_numbers
        }
        """By the qualified name of a request's outermost element, in lxml's notation."""
        names_pattern = "|".join(re.escape(row.name) for row in self.operations)
        self.find_request = re.compile(
            rf"<(?:[\w.-]{{1,64}}:)?({names_pattern})Request[\s/>]"
        ).search
        """Finds the outermost element of a request in text that may not be well-formed."""

    def _named(self, row: SoapOperation) -> SoapOperation:
        if row.shape not in _OPEN:
            return row
        name = getattr(self.names, _OPEN[row.shape])
        wsdl_name = row.wsdl_name.replace(row.name, name)
        return row._replace(name=name, wsdl_name=wsdl_name, action=f"urn:{wsdl_name}")

    def find_endpoint(self, name: str, version: Version) -> Endpoint | None:
        """Return the operation with this name, such as "G110", in `version`."""
        return self.endpoints.get(f"{{{version.elements_namespace}}}{name}Request")


INFERRED: Final = Interface()
"""With the names that are inferred."""
